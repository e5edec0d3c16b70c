/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ordering.c - see ordering.h
 *
 * A list in the order of arrival, each with the number of earlier ones that it has to
 * wait for.  It is as long as there are changes in flight: some dozens.
 */

#include "ordering.h"
#include "short-lock.h"

#include <stddef.h>

static bool
must_wait(const struct ordered *later, const struct ordered *earlier)
{
    if (earlier->kind != ORDERED_CHANGE)
        return false;
    return later->kind == ORDERED_FLUSH ||
           (earlier->off < later->end && later->off < earlier->end);
}

void
ordering_init(struct ordering *ordering)
{
    short_lock_init(&ordering->lock);
    ordering->first = ordering->last = NULL;
}

void
ordering_clear(struct ordering *ordering)
{
    pthread_mutex_destroy(&ordering->lock);
}

void
ordering_enter(struct ordering *ordering, struct ordered *item)
{
    bool at_once;

    item->waits_for = 0;
    item->next = NULL;
    pthread_mutex_lock(&ordering->lock);
    for (const struct ordered *o = ordering->first; o != NULL; o = o->next)
        if (must_wait(item, o))
            item->waits_for++;
    item->prev = ordering->last;
    if (ordering->last != NULL)
        ordering->last->next = item;
    else
        ordering->first = item;
    ordering->last = item;
    at_once = item->waits_for == 0;
    pthread_mutex_unlock(&ordering->lock);
    if (at_once)
        item->start(item);
}

void
ordering_leave(struct ordering *ordering, struct ordered *item)
{
    struct ordered *ready = NULL, **ready_tail = &ready;

    pthread_mutex_lock(&ordering->lock);
    for (struct ordered *o = item->next; o != NULL; o = o->next)
        if (must_wait(o, item) && --o->waits_for == 0) {
            *ready_tail = o;
            ready_tail = &o->ready_next;
        }
    *ready_tail = NULL;
    if (item->prev != NULL)
        item->prev->next = item->next;
    else
        ordering->first = item->next;
    if (item->next != NULL)
        item->next->prev = item->prev;
    else
        ordering->last = item->prev;
    pthread_mutex_unlock(&ordering->lock);

    while (ready != NULL) {
        struct ordered *next = ready->ready_next; /* start may end it at once */
        ready->start(ready);
        ready = next;
    }
}

bool
ordering_overlaps(struct ordering *ordering, uint64_t off, uint64_t end)
{
    const struct ordered look = {.kind = ORDERED_LOOK, .off = off, .end = end};
    const struct ordered *o;

    pthread_mutex_lock(&ordering->lock);
    for (o = ordering->first; o != NULL && !must_wait(&look, o);)
        o = o->next;
    pthread_mutex_unlock(&ordering->lock);
    return o != NULL;
}

void
ordering_look(struct ordering *ordering)
{
    pthread_mutex_lock(&ordering->lock);
    for (struct ordered *item = ordering->first; item != NULL; item = item->next)
        if (item->look != NULL)
            item->look(item);
    pthread_mutex_unlock(&ordering->lock);
}
