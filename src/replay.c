/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay.c - see replay.h
 *
 * A list in the order in which changes were first sent.  Those that overlap are never
 * under way together (ordering.h), so that for them it is the order of their ends too.
 * What was sent and not answered is in it: sending that twice does no harm.
 */

#include "replay.h"
#include "replay-own.h"
#include "short-lock.h"

#include <errno.h>
#include <stdlib.h>

struct replay *
replay_new(size_t limit, void (*want_flush)(void *owner), void *owner)
{
    struct replay *replay = calloc(1, sizeof *replay);

    if (replay == NULL)
        return NULL;
    short_lock_init(&replay->lock);
    replay->limit = limit;
    replay->seq = 1;
    replay->waiting_tail = &replay->waiting;
    replay->want_flush = want_flush;
    replay->owner = owner;
    return replay;
}

static void
release_all(struct replay_entry *list)
{
    while (list != NULL) {
        struct replay_entry *next = list->free_next;
        list->release(list);
        list = next;
    }
}

void
replay_free(struct replay *replay)
{
    if (replay == NULL)
        return;
    while (replay->first != NULL)
        replay_end(replay, replay->first, false);
    pthread_mutex_destroy(&replay->lock);
    free(replay);
}

/* ---- room */

/* Under the lock: takes those out of the list for whom there is room now. */
static struct replay_wait *
admit(struct replay *replay)
{
    struct replay_wait *ready = NULL, **tail = &ready, *wait;

    while ((wait = replay->waiting) != NULL &&
           (replay->bytes == 0 || replay->bytes + wait->bytes <= replay->limit)) {
        replay->waiting = wait->next;
        if (replay->waiting == NULL)
            replay->waiting_tail = &replay->waiting;
        replay->bytes += wait->bytes;
        wait->next = NULL;
        *tail = wait;
        tail = &wait->next;
    }
    return ready;
}

static void
start_all(struct replay_wait *list, int error)
{
    while (list != NULL) {
        struct replay_wait *next = list->next;
        list->start(list, error);
        list = next;
    }
}

/* Under the lock: whether want_flush is to be called. */
static bool
must_flush(struct replay *replay)
{
    /* Early: what is remembered is memory, and nothing is to wait for room. */
    bool full = replay->bytes > replay->limit / 4 || replay->waiting != NULL ||
                (replay->log != NULL && replay_log_wants_room(replay->log));

    if (replay->flushing || replay->unflushed == 0 || !full)
        return false;
    replay->flushing = true;
    return true;
}

void
replay_take(struct replay *replay, struct replay_wait *wait)
{
    pthread_mutex_lock(&replay->lock);
    wait->next = NULL;
    *replay->waiting_tail = wait;
    replay->waiting_tail = &wait->next;
    struct replay_wait *ready = admit(replay);
    bool flush = must_flush(replay);
    pthread_mutex_unlock(&replay->lock);
    start_all(ready, 0);
    if (flush)
        replay->want_flush(replay->owner);
}

void
replay_give_back(struct replay *replay, size_t bytes)
{
    pthread_mutex_lock(&replay->lock);
    replay->bytes -= bytes;
    struct replay_wait *ready = admit(replay);
    pthread_mutex_unlock(&replay->lock);
    start_all(ready, 0);
}

void
replay_flushed(struct replay *replay, int error)
{
    struct replay_wait *failed = NULL;

    pthread_mutex_lock(&replay->lock);
    replay->flushing = false;
    if (error != 0) { /* nobody makes room */
        failed = replay->waiting;
        replay->waiting = NULL;
        replay->waiting_tail = &replay->waiting;
    }
    bool flush = error == 0 && must_flush(replay);
    if (error != 0 && replay->log != NULL)
        replay_log_give_up(replay->log, error);
    pthread_mutex_unlock(&replay->lock);
    start_all(failed, error);
    if (flush)
        replay->want_flush(replay->owner);
}

void
replay_look(struct replay *replay, struct replay_report *report)
{
    pthread_mutex_lock(&replay->lock);
    *report = (struct replay_report){
        .limit = replay->limit,
        .taken = replay->bytes,
        .unflushed = replay->unflushed,
    };
    for (struct replay_wait *wait = replay->waiting; wait != NULL; wait = wait->next)
        report->waiting++;
    pthread_mutex_unlock(&replay->lock);
}

/* ---- the list */

/* Under the lock. */
static void
append(struct replay *replay, struct replay_entry *entry)
{
    entry->seq = replay->seq++;
    entry->ended = 0;
    entry->in_use = 0;
    entry->gone = false;
    entry->next = NULL;
    entry->prev = replay->last;
    if (replay->last != NULL)
        replay->last->next = entry;
    else
        replay->first = entry;
    replay->last = entry;
}

void
replay_use_log(struct replay *replay, struct replay_log *log)
{
    replay->log = log;
}

bool
replay_has_log(const struct replay *replay)
{
    return replay->log != NULL;
}

uint64_t
replay_next_seq(const struct replay *replay)
{
    return replay->seq;
}

void
replay_put(struct replay *replay, struct replay_entry *entry)
{
    pthread_mutex_lock(&replay->lock);
    append(replay, entry);
    entry->ended = ++replay->ends;
    replay->unflushed++;
    pthread_mutex_unlock(&replay->lock);
}

void
replay_want_room(void *user_data)
{
    struct replay *replay = user_data;

    pthread_mutex_lock(&replay->lock);
    bool flush = must_flush(replay);
    pthread_mutex_unlock(&replay->lock);
    if (flush)
        replay->want_flush(replay->owner);
}

/* Under the lock: what is not in the list any more is not needed in the log. */
static void
tell_log(struct replay *replay)
{
    if (replay->log != NULL)
        replay_log_set_low(replay->log,
                           replay->first != NULL ? replay->first->seq : replay->seq);
}

static enum replay_kind
kind_in_log(const struct replay_entry *entry)
{
    switch (entry->kind) {
    case COMMAND_WRITE:
        return entry->data != NULL ? REPLAY_WRITE : REPLAY_ZEROS;
    case COMMAND_ZERO:
        return REPLAY_ZERO;
    case COMMAND_TRIM:
        return REPLAY_TRIM;
    default:
        abort();
    }
}

void
replay_add(struct replay *replay, struct replay_entry **entries, unsigned n,
           struct replay_group *group)
{
    bool refused = false;

    pthread_mutex_lock(&replay->lock);
    for (unsigned i = 0; i < n; i++) {
        append(replay, entries[i]);
        group->record[i] = (struct replay_record){
            .kind = kind_in_log(entries[i]),
            .flags = entries[i]->flags,
            .off = entries[i]->off,
            .len = entries[i]->len,
            .data = entries[i]->data,
            .seq = entries[i]->seq,
        };
    }
    group->n = n;
    if (replay->log != NULL) /* in order, so under the lock */
        refused = !replay_log_append(replay->log, group);
    pthread_mutex_unlock(&replay->lock);
    if (refused)
        group->logged(group, ESHUTDOWN);
}

/* Under the lock.  True: it is to be released. */
static bool
take_out(struct replay *replay, struct replay_entry *entry)
{
    if (replay->cursor == entry) {
        replay->cursor = entry == replay->stop ? NULL : entry->next;
        replay->done = 0;
    }
    if (replay->stop == entry)
        replay->stop = entry->prev;
    if (entry->prev != NULL)
        entry->prev->next = entry->next;
    else
        replay->first = entry->next;
    if (entry->next != NULL)
        entry->next->prev = entry->prev;
    else
        replay->last = entry->prev;
    if (entry->ended != 0)
        replay->unflushed--;
    entry->gone = true;
    return entry->in_use == 0;
}

void
replay_end(struct replay *replay, struct replay_entry *entry, bool done)
{
    bool release = false, flush = false;

    pthread_mutex_lock(&replay->lock);
    if (done) {
        entry->ended = ++replay->ends;
        replay->unflushed++;
        flush = must_flush(replay);
    } else {
        release = take_out(replay, entry);
        if (replay->log != NULL)
            replay_log_void(replay->log, entry->seq);
        tell_log(replay);
    }
    pthread_mutex_unlock(&replay->lock);
    if (release)
        entry->release(entry);
    if (flush)
        replay->want_flush(replay->owner);
}

uint64_t
replay_mark(struct replay *replay)
{
    pthread_mutex_lock(&replay->lock);
    uint64_t mark = replay->ends;
    pthread_mutex_unlock(&replay->lock);
    return mark;
}

void
replay_cut(struct replay *replay, uint64_t mark)
{
    struct replay_entry *released = NULL, *next;

    pthread_mutex_lock(&replay->lock);
    for (struct replay_entry *entry = replay->first; entry != NULL; entry = next) {
        next = entry->next;
        if (entry->ended == 0 || entry->ended > mark || !take_out(replay, entry))
            continue;
        entry->free_next = released;
        released = entry;
    }
    tell_log(replay);
    pthread_mutex_unlock(&replay->lock);
    release_all(released);
}

bool
replay_is_empty(struct replay *replay)
{
    pthread_mutex_lock(&replay->lock);
    bool empty = replay->first == NULL;
    pthread_mutex_unlock(&replay->lock);
    return empty;
}
