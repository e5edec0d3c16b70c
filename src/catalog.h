/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* catalog.h - asking a server which exports it has, without opening one
 *
 * Over a connection of its own that stays in the handshake, so it is not to be kept
 * idle.  A server that is too old for that has opened its default export at once: it
 * lists nothing, and can be asked about that one only.  Whoever calls waits for the
 * network.
 */

#ifndef NBDMOUNT_CATALOG_H
#define NBDMOUNT_CATALOG_H

#include "handshake.h"

struct catalog;

/* NULL: *why, as for handshake. */
struct catalog *catalog_open(const struct source *source,
                             const struct handshake_wait *wait, char **why);
void catalog_close(struct catalog *catalog);

/* The same, and gives the handle to the caller: handshake_go makes a connection of it.
 */
struct nbd_handle *catalog_take_handle(struct catalog *catalog);

/* The export that the source names, "" for the default one; the caller frees it. */
char *catalog_export_name(struct catalog *catalog);

/* Calls found for each export.  0, or an errno and *why: ENOTSUP if the server does not
 * tell, ENOTCONN if the connection is of no use any more. */
typedef void catalog_found(void *user_data, const char *name, const char *description);
int catalog_list(struct catalog *catalog, const struct handshake_wait *wait,
                 catalog_found *found, void *user_data, char **why);

/* What one of them is like, but for can_extents.  0, or an errno and *why as above. */
int catalog_info(struct catalog *catalog, const struct handshake_wait *wait,
                 const char *name, struct conn_info *info, char **why);

/* catalog_info asks for the description too, which is there then until the next one;
 * the caller frees it.  NULL: there is none. */
void catalog_want_description(struct catalog *catalog);
char *catalog_description(struct catalog *catalog);

/* Calls found for each meta context that one of them has; description is "".  The
 * handle is of no use for catalog_take_handle after this. */
int catalog_contexts(struct catalog *catalog, const struct handshake_wait *wait,
                     const char *name, catalog_found *found, void *user_data,
                     char **why);

#endif
