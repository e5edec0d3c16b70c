/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-log-write.c - the thread that writes the replay log: see replay-log.h
 *
 * It takes all that has come while it wrote, writes that at once and waits for the disk
 * once: the more changes are under way, the more of them share one fdatasync.
 *
 * After an error the position stays where it was: what came to the disk behind it was
 * promised to nobody, and the next batch is written over it.  But a segment whose
 * successor has a head, or may have one, is not written any more.
 */

#include "replay-log-own.h"

#include <errno.h>
#include <stdlib.h>

static const uint8_t padding[8];

/* A batch: voids first, then groups. */
struct batch {
    struct replay_group *groups;
    size_t n_voids;
    uint64_t low;
    unsigned n;     /* records */
    uint64_t bytes; /* of them */
};

/* ---- for all threads */

/* Under the lock. */
static bool
other_is_free(const struct replay_log *log)
{
    return !log->other_used || log->low > log->other_last;
}

/* Under the lock: true if want_room is to be called.  It is said in time, so that the
 * other segment is free when this one is full. */
static bool
look_for_room(struct replay_log *log)
{
    bool wants = !other_is_free(log) &&
                 (log->waiting_for_room || log->pos > log->head.segment / 2);

    return atomic_exchange(&log->wants_room, wants) != wants && wants;
}

bool
replay_log_wants_room(const struct replay_log *log)
{
    return atomic_load(&log->wants_room);
}

bool
replay_log_append(struct replay_log *log, struct replay_group *group)
{
    group->next = NULL;
    pthread_mutex_lock(&log->lock);
    bool taken = !log->stopping;
    if (taken) {
        *log->tail = group;
        log->tail = &group->next;
        pthread_cond_signal(&log->change);
    }
    pthread_mutex_unlock(&log->lock);
    return taken;
}

void
replay_log_void(struct replay_log *log, uint64_t seq)
{
    pthread_mutex_lock(&log->lock);
    if (log->n_voids == log->voids_room) {
        size_t room = log->voids_room > 0 ? log->voids_room * 2 : 16;
        uint64_t *voids = reallocarray(log->voids, room, sizeof *voids);
        if (voids != NULL) {
            log->voids = voids;
            log->voids_room = room;
        }
    }
    /* Without memory: what failed may be done all the same. */
    if (log->n_voids < log->voids_room)
        log->voids[log->n_voids++] = seq;
    pthread_cond_signal(&log->change);
    pthread_mutex_unlock(&log->lock);
}

void
replay_log_set_low(struct replay_log *log, uint64_t low)
{
    pthread_mutex_lock(&log->lock);
    if (low > log->low)
        log->low = low;
    look_for_room(log); /* it can only become false */
    if (log->waiting_for_room)
        pthread_cond_signal(&log->change);
    pthread_mutex_unlock(&log->lock);
}

void
replay_log_give_up(struct replay_log *log, int error)
{
    pthread_mutex_lock(&log->lock);
    if (log->waiting_for_room) {
        log->gave_up = error;
        pthread_cond_signal(&log->change);
    }
    pthread_mutex_unlock(&log->lock);
}

/* ---- batches */

/* Under the lock: as much as fits.  Nothing: this segment is full. */
static void
take_batch(struct replay_log *log, struct batch *batch)
{
    /* room for the last note */
    uint64_t room = log->head.segment - log->pos - REPLAY_RECORD;
    struct replay_group *group;

    *batch = (struct batch){.low = log->low};
    if (log->switching)
        return;
    while (batch->n_voids < log->n_voids && batch->n < REPLAY_BATCH / 2 &&
           batch->bytes + REPLAY_RECORD <= room) {
        batch->n_voids++;
        batch->n++;
        batch->bytes += REPLAY_RECORD;
    }
    struct replay_group **tail = &batch->groups;
    while ((group = log->queue) != NULL && batch->n + group->n <= REPLAY_BATCH) {
        uint64_t bytes = 0;
        for (unsigned i = 0; i < group->n; i++)
            bytes += replay_record_size(group->record[i].kind, group->record[i].len);
        if (batch->bytes + bytes > room)
            break;
        log->queue = group->next;
        if (log->queue == NULL)
            log->tail = &log->queue;
        group->next = NULL;
        *tail = group;
        tail = &group->next;
        batch->n += group->n;
        batch->bytes += bytes;
    }
}

/* One more record behind those that are prepared: at is its place in the segment. */
static uint64_t
prepare(struct replay_log *log, unsigned i, int *n_iov, struct replay_record *record,
        uint64_t at, uint64_t low)
{
    uint64_t size = replay_record_size(record->kind, record->len);

    record->salt = log->now.salt;
    record->turn = log->now.turn;
    record->at = at;
    record->synced = log->pos;
    record->low = low;
    replay_record_encode(record, log->head_bytes[i]);
    log->iov[(*n_iov)++] = (struct iovec){log->head_bytes[i], REPLAY_RECORD};
    if (record->kind == REPLAY_WRITE) {
        size_t fill = size - REPLAY_RECORD - record->len;
        log->iov[(*n_iov)++] = (struct iovec){(void *)record->data, record->len};
        if (fill > 0)
            log->iov[(*n_iov)++] = (struct iovec){(void *)padding, fill};
    }
    return at + size;
}

static void
move_on(struct replay_log *log, uint64_t pos, uint64_t last)
{
    pthread_mutex_lock(&log->lock);
    log->pos = pos;
    log->last = last;
    pthread_mutex_unlock(&log->lock);
}

static int
write_batch(struct replay_log *log, const struct batch *batch)
{
    uint64_t at = log->pos, last = log->last;
    unsigned n = 0;
    int n_iov = 0;

    pthread_mutex_lock(&log->lock); /* for voids */
    for (size_t i = 0; i < batch->n_voids; i++) {
        struct replay_record record = {.kind = REPLAY_VOID, .seq = log->voids[i]};
        at = prepare(log, n++, &n_iov, &record, at, batch->low);
    }
    pthread_mutex_unlock(&log->lock);
    for (struct replay_group *g = batch->groups; g != NULL; g = g->next)
        for (unsigned i = 0; i < g->n; i++) {
            at = prepare(log, n++, &n_iov, &g->record[i], at, batch->low);
            last = g->record[i].seq;
        }
    int error = replay_log_write(log, log->iov, n_iov,
                                 replay_log_segment_off(log, log->segment) + log->pos);
    if (error == 0)
        move_on(log, at, last);
    return error;
}

static void
answer(struct replay_group *groups, int error)
{
    while (groups != NULL) {
        struct replay_group *next = groups->next;
        groups->logged(groups, error);
        groups = next;
    }
}

/* ---- the other segment */

/* Goes on in the other segment, of which nothing is needed.  Its head is written only
 * when this one says so on the disk. */
static int
switch_segment(struct replay_log *log, uint64_t low)
{
    struct replay_record note = {.kind = REPLAY_NOTE};
    uint8_t bytes[REPLAY_SEGMENT_HEAD];
    struct iovec head = {bytes, sizeof bytes};
    int n_iov = 0;

    if (!log->switching) {
        uint64_t at = prepare(log, 0, &n_iov, &note, log->pos, low);
        int error = replay_log_write(
            log, log->iov, n_iov, replay_log_segment_off(log, log->segment) + log->pos);
        if (error != 0)
            return error;
        move_on(log, at, log->last);
        log->switching = true;
    }
    struct replay_segment next = {
        .salt = log->now.salt,
        .turn = log->now.turn + 1,
        .base = log->last + 1,
        .low = low,
        .prev_end = log->pos,
    };
    replay_segment_encode(&next, bytes);
    int error =
        replay_log_write(log, &head, 1, replay_log_segment_off(log, !log->segment));
    if (error != 0)
        return error;
    pthread_mutex_lock(&log->lock);
    log->other_used = true;
    log->other_last = log->last;
    log->now = next;
    log->segment = !log->segment;
    log->pos = REPLAY_SEGMENT_HEAD;
    log->switching = false;
    pthread_mutex_unlock(&log->lock);
    return 0;
}

/* Under the lock, which it gives up while it waits: until the other segment is free. An
 * errno: it will not be. */
static int
wait_for_room(struct replay_log *log)
{
    int error = 0;

    log->gave_up = 0;
    log->waiting_for_room = true;
    look_for_room(log);
    if (!other_is_free(log)) { /* it may have been called in vain before */
        pthread_mutex_unlock(&log->lock);
        log->want_room(log->owner);
        pthread_mutex_lock(&log->lock);
    }
    while (!other_is_free(log) && log->gave_up == 0 && !log->stopping)
        pthread_cond_wait(&log->change, &log->lock);
    if (!other_is_free(log))
        error = log->gave_up != 0 ? log->gave_up : ESHUTDOWN;
    log->waiting_for_room = false;
    look_for_room(log);
    return error;
}

/* This segment is full.  Fails all that waits where that is for good. */
static void
make_room(struct replay_log *log)
{
    pthread_mutex_lock(&log->lock);
    int error = wait_for_room(log);
    uint64_t low = log->low;
    pthread_mutex_unlock(&log->lock);
    if (error == 0)
        error = switch_segment(log, low);
    if (error == 0)
        return;
    pthread_mutex_lock(&log->lock);
    struct replay_group *failed = log->queue;
    log->queue = NULL;
    log->tail = &log->queue;
    log->n_voids = 0; /* they had their chance */
    pthread_mutex_unlock(&log->lock);
    answer(failed, error);
}

/* ---- the thread */

void *
replay_log_thread(void *user_data)
{
    struct replay_log *log = user_data;

    for (;;) {
        struct batch batch;
        pthread_mutex_lock(&log->lock);
        while (log->queue == NULL && log->n_voids == 0 && !log->stopping)
            pthread_cond_wait(&log->change, &log->lock);
        bool end = log->queue == NULL && log->n_voids == 0;
        take_batch(log, &batch);
        pthread_mutex_unlock(&log->lock);
        if (end)
            return NULL;
        if (batch.n == 0) {
            make_room(log);
            continue;
        }
        int error = write_batch(log, &batch);
        pthread_mutex_lock(&log->lock);
        if (error == 0)
            for (size_t i = batch.n_voids; i < log->n_voids; i++)
                log->voids[i - batch.n_voids] = log->voids[i];
        if (error == 0 || batch.groups == NULL) /* or it would try for ever */
            log->n_voids -= batch.n_voids;
        bool wants = look_for_room(log);
        pthread_mutex_unlock(&log->lock);
        answer(batch.groups, error);
        if (wants)
            log->want_room(log->owner);
    }
}
