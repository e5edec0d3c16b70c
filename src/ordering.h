/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ordering.h - which change may start before another one has ended
 *
 * Changes that overlap happen in the order in which they came, so that what is read,
 * patched and written back is not a block that somebody else writes meanwhile.  A flush
 * waits for every change before it, a look for those before it that it overlaps;
 * nothing waits for either.  Nobody sleeps: what must wait is started by whoever leaves
 * last.  Knows nothing of NBD or FUSE.
 */

#ifndef NBDMOUNT_ORDERING_H
#define NBDMOUNT_ORDERING_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum ordered_kind {
    ORDERED_CHANGE,
    ORDERED_FLUSH, /* off and end mean nothing */
    ORDERED_LOOK,
};

/* One of them.  Its memory is the user's, from enter to leave. */
struct ordered {
    enum ordered_kind kind;
    uint64_t off;
    uint64_t end;
    void (*start)(struct ordered *item); /* it may begin; no lock is held */
    void (*look)(struct ordered *item);  /* for ordering_look, or NULL */

    /* ordering's own, under its lock */
    struct ordered *prev;
    struct ordered *next;
    struct ordered *ready_next; /* of those that may start together */
    unsigned waits_for;
};

struct ordering {
    pthread_mutex_t lock; /* a leaf */
    struct ordered *first;
    struct ordered *last;
};

void ordering_init(struct ordering *ordering);
void ordering_clear(struct ordering *ordering);

/* Calls item->start, now or later in another thread. */
void ordering_enter(struct ordering *ordering, struct ordered *item);

/* item has ended.  Starts those that waited for it alone. */
void ordering_leave(struct ordering *ordering, struct ordered *item);

/* Whether a look at [off, end) would have to wait. */
bool ordering_overlaps(struct ordering *ordering, uint64_t off, uint64_t end);

/* Calls look for each item, under the lock: it must be quick. */
void ordering_look(struct ordering *ordering);

#endif
