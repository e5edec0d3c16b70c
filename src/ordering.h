/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ordering.h - which change may start before another one has ended
 *
 * Changes that overlap happen in the order in which they came, so that what is read,
 * patched and written back is not a block that somebody else writes meanwhile.  A flush
 * waits for every change before it, a look for those before it that it overlaps;
 * nothing waits for either.  Nobody sleeps: what must wait is started by whoever takes
 * away the last reason to wait, before that one's call returns.
 *
 * While some changes are under way, one that begins where another one ends is held, if
 * it has room, so that what follows it may join it and all becomes one.  It is let go
 * when that other one has left, when little is under way, when it is full, and when
 * somebody has to wait for it.
 *
 * Knows nothing of NBD or FUSE.
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

    /* Of a change that others may follow.  It touches whole grains, so off and end are
     * head and tail made whole.  While it is held ordering moves tail and end. */
    uint64_t head, tail; /* what it changes */
    uint64_t tail_max;   /* as far as others may join it; 0: none may even follow */
    uint64_t grain;

    /* ordering's own, under its lock */
    struct ordered *held_by; /* NULL: it is not held */
    struct ordered *prev;
    struct ordered *next;
    struct ordered *ready_next; /* of those that may start together */
    unsigned waits_for;
};

struct ordering {
    pthread_mutex_t lock; /* a leaf */
    struct ordered *first;
    struct ordered *last;
    unsigned under_way; /* changes in it that are not held */
};

void ordering_init(struct ordering *ordering);
void ordering_clear(struct ordering *ordering);

/* Calls item->start, now or later in another thread.  True: it is held, and does not
 * start before ordering_joined. */
bool ordering_enter(struct ordering *ordering, struct ordered *item);

/* Whether a change of [head, tail) has joined a held one, which is returned and does
 * not start before ordering_joined: the caller puts it in.  NULL: it has to enter; then
 * *others is how many are under way where it is going to be held if it has room, and 0
 * where it is not. */
struct ordered *ordering_join(struct ordering *ordering, uint64_t head, uint64_t tail,
                              unsigned *others);
void ordering_joined(struct ordering *ordering, struct ordered *item);

/* item has ended.  Starts those that waited for it alone. */
void ordering_leave(struct ordering *ordering, struct ordered *item);

/* Whether a look at [off, end) would have to wait. */
bool ordering_overlaps(struct ordering *ordering, uint64_t off, uint64_t end);

/* Calls look for each item, under the lock: it must be quick. */
void ordering_look(struct ordering *ordering);

#endif
