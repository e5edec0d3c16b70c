/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listing.h - the names of a server's exports, as it listed them */

#ifndef NBDMOUNT_LISTING_H
#define NBDMOUNT_LISTING_H

#include "catalog.h"

struct listing_row {
    char *name;
    char *description; /* or NULL */
};

struct listing {
    struct listing_row *row; /* sorted by name, each name once */
    size_t n, room;
    size_t bytes; /* of all names and descriptions */
    int error;    /* while it is made */
    bool refused; /* the server does not tell: the only row is the default export */
};

/* Asks the server.  0, also where it refuses, and then *why may say why; or an errno
 * and *why: ENOTCONN, ENOMEM, or EOVERFLOW, for a server may say too much.  *listing is
 * to be cleared in any case. */
int listing_ask(struct listing *listing, struct catalog *catalog,
                const struct handshake_wait *wait, char **why);

/* Whether all that there is, is the default export. */
bool listing_is_default_only(const struct listing *listing);

/* One more name; false: *listing has an error now. */
bool listing_add(struct listing *listing, const char *name, const char *description);

void listing_clear(struct listing *listing);

#endif
