/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* figures.h - how it goes, in a line: sums over connections and exports */

#ifndef NBDMOUNT_FIGURES_H
#define NBDMOUNT_FIGURES_H

#include "pool.h"

struct figures {
    unsigned connections;
    unsigned live;
    unsigned in_flight;
    unsigned losses;
    uint64_t read; /* bytes */
    uint64_t written;
};

/* Adds those of one export. */
void figures_add(struct figures *figures, const struct pool *pool);

/* For one that is closed: only what it has done. */
void figures_add_past(struct figures *figures, const struct pool *pool);

#endif
