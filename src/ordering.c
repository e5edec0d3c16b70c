/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ordering.c - see ordering.h
 *
 * A list in the order of arrival, each with the number of earlier ones that it has to
 * wait for, and of those who are putting something into it.  It is as long as there are
 * changes in flight: some dozens.
 */

#include "ordering.h"
#include "short-lock.h"

#include <stddef.h>

/* With fewer under way none is held: a server that is quick has nothing else to do, and
 * to wait for it costs more than a command. */
#define ENOUGH 4

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
    ordering->under_way = 0;
}

void
ordering_clear(struct ordering *ordering)
{
    pthread_mutex_destroy(&ordering->lock);
}

/* ---- under the lock */

/* Those that may start now, in order. */
struct ready {
    struct ordered *first;
    struct ordered **tail;
};

/* item has a reason less to wait. */
static void
note_ready(struct ordered *item, struct ready *ready)
{
    if (item->waits_for > 0 || item->held_by != NULL)
        return;
    item->ready_next = NULL;
    *ready->tail = item;
    ready->tail = &item->ready_next;
}

static void
let_go(struct ordering *ordering, struct ordered *item, struct ready *ready)
{
    if (item->held_by == NULL)
        return;
    item->held_by = NULL;
    ordering->under_way++;
    note_ready(item, ready);
}

/* Whom item is held by: the change that it follows. */
static struct ordered *
followed_by(struct ordering *ordering, const struct ordered *item)
{
    struct ordered *o = NULL;

    if (item->tail < item->tail_max && ordering->under_way >= ENOUGH)
        for (o = ordering->first; o != NULL; o = o->next)
            if (o->tail_max > 0 && o->tail == item->head)
                break;
    return o;
}

/* Moves the tail of a held change, if nobody else has to do with what it covers then.
 */
static bool
extend(struct ordering *ordering, struct ordered *item, uint64_t tail)
{
    uint64_t end = (tail + item->grain - 1) / item->grain * item->grain;

    if (tail > item->tail_max)
        return false;
    for (const struct ordered *o = ordering->first; o != NULL; o = o->next)
        if (o != item && o->kind != ORDERED_FLUSH && o->off < end && item->end < o->end)
            return false;
    item->tail = tail;
    item->end = end;
    return true;
}

static void
append(struct ordering *ordering, struct ordered *item)
{
    item->next = NULL;
    item->prev = ordering->last;
    if (ordering->last != NULL)
        ordering->last->next = item;
    else
        ordering->first = item;
    ordering->last = item;
}

static void
take_out(struct ordering *ordering, struct ordered *item)
{
    if (item->prev != NULL)
        item->prev->next = item->next;
    else
        ordering->first = item->next;
    if (item->next != NULL)
        item->next->prev = item->prev;
    else
        ordering->last = item->prev;
}

/* ---- not under it */

static void
start_all(struct ready *ready)
{
    struct ordered *next;

    for (struct ordered *item = ready->first; item != NULL; item = next) {
        next = item->ready_next; /* start may end it at once */
        item->start(item);
    }
}

bool
ordering_enter(struct ordering *ordering, struct ordered *item)
{
    struct ready ready = {.tail = &ready.first};

    item->waits_for = 0;
    pthread_mutex_lock(&ordering->lock);
    for (struct ordered *o = ordering->first; o != NULL; o = o->next)
        if (must_wait(item, o)) {
            let_go(ordering, o, &ready);
            item->waits_for++;
        }
    item->held_by = followed_by(ordering, item);
    bool held = item->held_by != NULL;
    if (held) {
        let_go(ordering, item->held_by, &ready); /* nobody may join that any more */
        item->waits_for++;                       /* until ordering_joined */
    } else if (item->kind == ORDERED_CHANGE) {
        ordering->under_way++;
    }
    append(ordering, item);
    note_ready(item, &ready);
    pthread_mutex_unlock(&ordering->lock);
    start_all(&ready);
    return held;
}

struct ordered *
ordering_join(struct ordering *ordering, uint64_t head, uint64_t tail, unsigned *others)
{
    struct ready ready = {.tail = &ready.first};
    struct ordered *item;

    pthread_mutex_lock(&ordering->lock);
    for (item = ordering->first; item != NULL; item = item->next)
        if (item->tail_max > 0 && item->tail == head)
            break;
    *others = item != NULL && ordering->under_way >= ENOUGH ? ordering->under_way : 0;
    if (item != NULL && (item->held_by == NULL || !extend(ordering, item, tail))) {
        let_go(ordering, item, &ready);
        item = NULL;
    }
    if (item != NULL) {
        item->waits_for++;
        if (item->tail == item->tail_max)
            let_go(ordering, item, &ready);
    }
    pthread_mutex_unlock(&ordering->lock);
    start_all(&ready);
    return item;
}

void
ordering_joined(struct ordering *ordering, struct ordered *item)
{
    struct ready ready = {.tail = &ready.first};

    pthread_mutex_lock(&ordering->lock);
    item->waits_for--;
    note_ready(item, &ready);
    pthread_mutex_unlock(&ordering->lock);
    start_all(&ready);
}

void
ordering_leave(struct ordering *ordering, struct ordered *item)
{
    struct ready ready = {.tail = &ready.first};

    pthread_mutex_lock(&ordering->lock);
    if (item->kind == ORDERED_CHANGE)
        ordering->under_way--;
    for (struct ordered *o = item->next; o != NULL; o = o->next) {
        if (must_wait(o, item)) {
            o->waits_for--;
            note_ready(o, &ready);
        }
        if (o->held_by == item)
            let_go(ordering, o, &ready);
    }
    if (ordering->under_way < ENOUGH)
        for (struct ordered *o = ordering->first; o != NULL; o = o->next)
            let_go(ordering, o, &ready);
    take_out(ordering, item);
    pthread_mutex_unlock(&ordering->lock);
    start_all(&ready);
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
