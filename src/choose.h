/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choose.h - one export or all of them, where nobody has said which */

#ifndef NBDMOUNT_CHOOSE_H
#define NBDMOUNT_CHOOSE_H

#include "listing.h"

struct choice {
    bool all;
    struct listing listing;  /* if all; the caller clears it in any case */
    struct catalog *catalog; /* over which the server was asked, for the caller to go on
                                with; NULL: it is of no use any more */
};

/* Whether somebody has: then the server is not asked.  uri may be NULL. */
bool choose_is_open(const char *uri, const char *export, const char *filename);

/* Connects and asks: all, if the server lists any but its default export.  False: *why,
 * as for catalog_open. */
bool choose_exports(struct choice *choice, const struct source *source, char **why);

#endif
