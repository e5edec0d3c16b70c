/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* quota.c - see quota.h
 *
 * As long as there is enough for all, no lock is taken.  Who wants more than there is
 * at all gets it when nobody else has anything.
 */

#include "quota.h"

void
quota_init(struct quota *quota, size_t limit)
{
    quota->limit = limit;
    atomic_init(&quota->taken, 0);
    atomic_init(&quota->waiting, 0);
    pthread_mutex_init(&quota->lock, NULL);
    quota->first = NULL;
    quota->tail = &quota->first;
}

void
quota_clear(struct quota *quota)
{
    pthread_mutex_destroy(&quota->lock);
}

static bool
take(struct quota *quota, size_t bytes)
{
    size_t taken = atomic_load(&quota->taken);

    do
        if (taken > 0 && (taken > quota->limit || bytes > quota->limit - taken))
            return false;
    while (!atomic_compare_exchange_weak(&quota->taken, &taken, taken + bytes));
    return true;
}

bool
quota_try(struct quota *quota, size_t bytes)
{
    return atomic_load(&quota->waiting) == 0 && take(quota, bytes);
}

/* What this thread is starting: who ends at once must not start the next one from
 * within its own start, and that one the next. */
static _Thread_local struct quota *starting;

/* Takes those whose turn it is out of the list. */
static struct quota_wait *
take_ready(struct quota *quota)
{
    struct quota_wait *ready = NULL, **tail = &ready, *wait;

    pthread_mutex_lock(&quota->lock);
    while ((wait = quota->first) != NULL && take(quota, wait->bytes)) {
        quota->first = wait->next;
        if (quota->first == NULL)
            quota->tail = &quota->first;
        atomic_fetch_sub(&quota->waiting, 1);
        wait->next = NULL;
        *tail = wait;
        tail = &wait->next;
    }
    pthread_mutex_unlock(&quota->lock);
    return ready;
}

static void
admit(struct quota *quota)
{
    struct quota *outer = starting;
    struct quota_wait *ready;

    if (outer == quota)
        return; /* it looks again */
    starting = quota;
    while ((ready = take_ready(quota)) != NULL)
        while (ready != NULL) {
            struct quota_wait *next = ready->next; /* start may free it */
            ready->start(ready);
            ready = next;
        }
    starting = outer;
}

void
quota_wait(struct quota *quota, struct quota_wait *wait)
{
    wait->next = NULL;
    pthread_mutex_lock(&quota->lock);
    atomic_fetch_add(&quota->waiting, 1);
    *quota->tail = wait;
    quota->tail = &wait->next;
    pthread_mutex_unlock(&quota->lock);
    admit(quota); /* some may have been given back just before */
}

void
quota_give(struct quota *quota, size_t bytes)
{
    atomic_fetch_sub(&quota->taken, bytes);
    if (atomic_load(&quota->waiting) > 0)
        admit(quota);
}

void
quota_look(struct quota *quota)
{
    if (atomic_load(&quota->waiting) == 0)
        return;
    pthread_mutex_lock(&quota->lock);
    for (struct quota_wait *wait = quota->first; wait != NULL; wait = wait->next)
        if (wait->look != NULL)
            wait->look(wait);
    pthread_mutex_unlock(&quota->lock);
}
