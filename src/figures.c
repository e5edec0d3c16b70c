/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* figures.c - see figures.h */

#include "figures.h"

void
figures_add(struct figures *figures, const struct pool *pool)
{
    struct conn_report report;

    for (unsigned i = 0; pool_look(pool, i, &report, NULL); i++) {
        figures->connections++;
        figures->live += report.state == CONN_LIVE;
        figures->in_flight += report.in_flight;
        figures->losses += report.losses;
        figures->read += report.read;
        figures->written += report.written;
    }
}

void
figures_add_past(struct figures *figures, const struct pool *pool)
{
    struct figures all = {0};

    figures_add(&all, pool);
    figures->losses += all.losses;
    figures->read += all.read;
    figures->written += all.written;
}
