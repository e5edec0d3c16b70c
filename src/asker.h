/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asker.h - asking a server one question after the other, over as many connections as
 * it takes
 *
 * Servers end a handshake in which too many options were sent (nbdkit after 32).  How
 * many that are is learned when it happens.
 */

#ifndef NBDMOUNT_ASKER_H
#define NBDMOUNT_ASKER_H

#include "listing.h"

#include <stdatomic.h>

/* For one thread, but for *limit.  Set source, limit, and where it is wanted describes;
 * the rest is 0 at first. */
struct asker {
    const struct source *source;
    atomic_uint *limit; /* options in one connection; 0: not known.  Others share it. */
    bool describes;     /* asker_info asks for descriptions */
    struct catalog *catalog; /* NULL: no connection */
    unsigned asked;          /* over this one */
    bool listed;             /* over this one: nbdkit does that once only */
    bool was_connected;
};

/* Makes the connection if there is none.  False: *why. */
bool asker_connect(struct asker *asker, const struct handshake_wait *wait, char **why);

/* As those of catalog.h and listing.h.  ENOTCONN: no connection can be made, or it ends
 * whenever this is asked. */
int asker_list(struct asker *asker, const struct handshake_wait *wait,
               struct listing *listing, char **why);
int asker_info(struct asker *asker, const struct handshake_wait *wait, const char *name,
               struct conn_info *info, char **why);
int asker_contexts(struct asker *asker, const struct handshake_wait *wait,
                   const char *name, struct listing *contexts, char **why);

/* Ends the connection, if there is one; the next question makes another. */
void asker_close(struct asker *asker);

#endif
