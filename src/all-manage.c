/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all-manage.c - all exports, for the service manager and for who manages the mount */

#include "all-own.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define LOOK_AROUND_MS 200

/* Under the lock. */
static unsigned
count_exports(const struct all *all)
{
    unsigned n = 0;

    for (size_t i = 0; i < all->n_nodes; i++)
        n += all->nodes[i]->is_file && all_is_there(all, all->nodes[i]);
    return n;
}

void
all_look(struct all *all, unsigned *exports, unsigned *open, struct figures *figures)
{
    pthread_mutex_lock(&all->lock);
    *exports = count_exports(all);
    *open = 0;
    *figures = all->past;
    for (size_t i = 0; i < all->n_nodes; i++)
        if (all->nodes[i]->export != NULL) {
            (*open)++;
            figures_add(figures, all->nodes[i]->export->pool);
        }
    pthread_mutex_unlock(&all->lock);
}

/* Nobody's request: it only waits. */
static void
on_listed(struct all *all, struct pending *pending, int error)
{
    (void)pending;
    (void)error;
    pthread_mutex_lock(&all->lock);
    all->reloads++;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

int
all_reload(struct all *all, bool (*goes_on)(void), unsigned *before, unsigned *now)
{
    struct pending *pending = calloc(1, sizeof *pending);

    if (pending == NULL)
        return -ENOMEM;
    pending->resume = on_listed;
    pthread_mutex_lock(&all->lock);
    *before = count_exports(all);
    unsigned reloads = all->reloads;
    pthread_mutex_unlock(&all->lock);
    all_wait_for_list(all, pending);
    pthread_mutex_lock(&all->lock);
    while (all->reloads == reloads && !all->stopping && goes_on()) {
        struct timespec until = all_time_in(LOOK_AROUND_MS);
        pthread_cond_timedwait(&all->changed, &all->lock, &until);
    }
    int r = all->reloads == reloads ? -EINTR : all->told ? -EIO : 0;
    *now = count_exports(all);
    pthread_mutex_unlock(&all->lock);
    return r;
}
