/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* quota.h - so many bytes and no more: who comes when they are used up waits its turn
 *
 * Nobody sleeps: who waits is started by whoever gives bytes back.  Knows nothing of
 * NBD or FUSE.
 */

#ifndef NBDMOUNT_QUOTA_H
#define NBDMOUNT_QUOTA_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* One who waits.  Its memory is the user's until start was called. */
struct quota_wait {
    size_t bytes;
    void (*start)(struct quota_wait *wait); /* it has them; no lock is held */
    void (*look)(struct quota_wait *wait);  /* for quota_look, or NULL */
    struct quota_wait *next;                /* quota's own */
};

struct quota {
    size_t limit;
    /* Who waits has counted itself before it looks at taken, and who gives back has
     * done so before it looks at waiting: one of them sees the other. */
    atomic_size_t taken;
    atomic_size_t waiting;
    pthread_mutex_t lock; /* a leaf: guards the list */
    struct quota_wait *first, **tail;
};

void quota_init(struct quota *quota, size_t limit);
void quota_clear(struct quota *quota);

/* True: they are taken.  Otherwise wait->start is called when they are, now or later.
 */
bool quota_try(struct quota *quota, size_t bytes);
void quota_wait(struct quota *quota, struct quota_wait *wait);
void quota_give(struct quota *quota, size_t bytes);

/* Calls look for each that waits, under the lock: it must be quick. */
void quota_look(struct quota *quota);

#endif
