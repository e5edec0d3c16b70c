/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay.c - see replay.h
 *
 * A list in the order in which changes were first sent.  Those that overlap are never
 * under way together (ordering.h), so that for them it is the order of their ends too.
 * What was sent and not answered is in it: sending that twice does no harm.
 *
 * The lock is held while entries are sent, but for nothing that waits.
 */

#include "replay.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#define SLOTS    16                  /* commands in flight */
#define ZERO_MAX (UINT64_C(1) << 30) /* bytes in one WRITE_ZEROES or TRIM */

static uint8_t zeros[1 << 20]; /* never written */

struct slot {
    struct command cmd;
    struct replay_entry *entry; /* NULL: free */
};

struct replay {
    pthread_mutex_t lock; /* guards all below; over a connection's */
    struct replay_entry *first, *last;
    uint64_t ends; /* entries that have ended */
    size_t limit;
    size_t bytes; /* taken */
    struct replay_wait *waiting, **waiting_tail;
    size_t unflushed; /* entries in the list that have ended */
    bool flushing;    /* want_flush was called */
    void (*want_flush)(void *owner);
    void *owner;

    /* while entries are sent */
    struct replay_entry *cursor; /* NULL: all were */
    struct replay_entry *stop;   /* the last one to be sent */
    uint64_t done;               /* bytes of cursor */
    struct conn *conn;
    uint32_t maximum;
    unsigned in_flight;
    int error;
    void (*sent)(void *owner, int error);
    void *sent_owner;
    struct slot slot[SLOTS];
};

struct replay *
replay_new(size_t limit, void (*want_flush)(void *owner), void *owner)
{
    struct replay *replay = calloc(1, sizeof *replay);

    if (replay == NULL)
        return NULL;
    pthread_mutex_init(&replay->lock, NULL);
    replay->limit = limit;
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
    if (replay->flushing || replay->unflushed == 0 ||
        (replay->bytes <= replay->limit / 2 && replay->waiting == NULL))
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

void
replay_add(struct replay *replay, struct replay_entry *entry)
{
    entry->ended = 0;
    entry->in_use = 0;
    entry->gone = false;
    entry->next = NULL;
    pthread_mutex_lock(&replay->lock);
    entry->prev = replay->last;
    if (replay->last != NULL)
        replay->last->next = entry;
    else
        replay->first = entry;
    replay->last = entry;
    pthread_mutex_unlock(&replay->lock);
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

/* ---- sending it again */

static bool
overlaps_one_in_flight(const struct replay *replay, uint64_t off, uint64_t len)
{
    for (unsigned i = 0; i < SLOTS; i++) {
        const struct slot *slot = &replay->slot[i];
        if (slot->entry != NULL && off < slot->cmd.off + slot->cmd.len &&
            slot->cmd.off < off + len)
            return true;
    }
    return false;
}

static void on_sent(struct command *cmd, int error);

/* Under the lock: the next piece.  False: it must wait, or there is none. */
static bool
send_one(struct replay *replay)
{
    struct replay_entry *entry = replay->cursor;
    struct slot *slot = NULL;

    if (entry == NULL || replay->error == ENOTCONN)
        return false;
    for (unsigned i = 0; i < SLOTS && slot == NULL; i++)
        if (replay->slot[i].entry == NULL)
            slot = &replay->slot[i];
    uint64_t most = entry->kind == COMMAND_WRITE ? replay->maximum : ZERO_MAX;
    uint64_t off = entry->off + replay->done, len = entry->len - replay->done;
    if (entry->kind == COMMAND_WRITE && entry->data == NULL && most > sizeof zeros)
        most = sizeof zeros;
    if (len > most)
        len = most;
    if (slot == NULL || overlaps_one_in_flight(replay, off, len))
        return false;
    slot->cmd = (struct command){
        .kind = entry->kind,
        .flags = entry->flags,
        .off = off,
        .len = len,
        .buf = entry->data != NULL ? entry->data + replay->done : zeros,
        .owner = replay,
        .done = on_sent,
        .ahead = true,
    };
    slot->entry = entry;
    entry->in_use++;
    replay->in_flight++;
    replay->done += len;
    if (replay->done == entry->len) {
        replay->cursor = entry == replay->stop ? NULL : entry->next;
        replay->done = 0;
    }
    conn_submit(replay->conn, &slot->cmd); /* done is never called in it */
    return true;
}

/* Under the lock, which it gives up. */
static void
go_on(struct replay *replay)
{
    while (send_one(replay))
        ;
    bool ended = replay->in_flight == 0;
    int error = replay->error;
    if (ended)
        replay->cursor = NULL;
    pthread_mutex_unlock(&replay->lock);
    if (ended)
        replay->sent(replay->sent_owner, error);
}

static void
on_sent(struct command *cmd, int error)
{
    struct replay *replay = cmd->owner;
    struct slot *slot = (struct slot *)cmd; /* its first member */

    pthread_mutex_lock(&replay->lock);
    struct replay_entry *entry = slot->entry;
    bool release = --entry->in_use == 0 && entry->gone;
    slot->entry = NULL;
    replay->in_flight--;
    if (replay->error == 0 || error == ENOTCONN)
        replay->error = error;
    go_on(replay);
    if (release)
        entry->release(entry);
}

void
replay_send(struct replay *replay, struct conn *conn, const struct conn_info *info,
            void (*ended)(void *owner, int error), void *owner)
{
    pthread_mutex_lock(&replay->lock);
    replay->conn = conn;
    replay->maximum = info->maximum;
    replay->cursor = replay->first;
    replay->stop = replay->last;
    replay->done = 0;
    replay->error = 0;
    replay->sent = ended;
    replay->sent_owner = owner;
    go_on(replay);
}
