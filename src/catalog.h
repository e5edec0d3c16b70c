/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* catalog.h - asking a server which exports it has, without opening one
 *
 * Over a connection of its own that stays in the handshake, so it is not to be kept
 * idle.  Whoever calls waits for the network.
 */

#ifndef NBDMOUNT_CATALOG_H
#define NBDMOUNT_CATALOG_H

#include "handshake.h"

struct catalog;

/* NULL: *why, as for handshake. */
struct catalog *catalog_open(const struct source *source,
                             const struct handshake_wait *wait, char **why);
void catalog_close(struct catalog *catalog);

/* Calls found for each export.  0, or an errno and *why: ENOTSUP if the server does not
 * tell, ENOTCONN if the connection is of no use any more. */
typedef void catalog_found(void *user_data, const char *name, const char *description);
int catalog_list(struct catalog *catalog, const struct handshake_wait *wait,
                 catalog_found *found, void *user_data, char **why);

/* What one of them is like, but for can_extents.  0, or an errno and *why as above. */
int catalog_info(struct catalog *catalog, const struct handshake_wait *wait,
                 const char *name, struct conn_info *info, char **why);

#endif
