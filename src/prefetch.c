/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prefetch.c - see prefetch.h
 *
 * A stream has a list of chunks in rising order, each of which is fetched by one
 * command; a chunk that is all hole needs none.  No chunk in a list overlaps a change
 * that is under way: a change takes those that do out of all lists, and while it lasts
 * none is put in.  A read that had got hold of a chunk before may be given what was
 * there before the change, for it began before the change was sent.
 *
 * A chunk belongs to its list, to its command and to each read that uses it, and goes
 * with the last of them.
 *
 * Nothing is planned, submitted, or answered under the lock; buffer's is taken under
 * it.
 */

#include "buffer.h"
#include "prefetch-chunks.h"
#include "short-lock.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BEHIND (1 << 20)           /* bytes that a late read may be behind */
#define AGE_NS INT64_C(3000000000) /* older data is fetched again */

int64_t
prefetch_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

struct prefetch *
prefetch_new(struct pool *pool, struct sparse *sparse, const struct conn_info *info)
{
    struct prefetch *prefetch = calloc(1, sizeof *prefetch);

    if (prefetch == NULL)
        return NULL;
    prefetch->pool = pool;
    prefetch->sparse = sparse;
    atomic_init(&prefetch->size, (uint64_t)info->size);
    prefetch->minimum = info->minimum;
    prefetch->maximum = info->maximum;
    prefetch->memory = PREFETCH_MEMORY_DEFAULT;
    short_lock_init(&prefetch->lock);
    return prefetch;
}

void
prefetch_set_memory(struct prefetch *prefetch, size_t memory)
{
    prefetch->memory = memory;
}

void
prefetch_look(struct prefetch *prefetch, struct prefetch_report *report)
{
    pthread_mutex_lock(&prefetch->lock);
    *report = (struct prefetch_report){
        .memory = prefetch->memory,
        .held = prefetch->used,
        .active = prefetch->n_active,
    };
    for (struct stream *stream = prefetch->streams; stream; stream = stream->next)
        report->streams++;
    pthread_mutex_unlock(&prefetch->lock);
}

/* ---- chunks; all under the lock */

void
chunk_let_go(struct chunk *chunk)
{
    if (--chunk->refs > 0)
        return;
    if (chunk->buf != NULL)
        chunk->prefetch->used -= chunk->end - chunk->off;
    buffer_give(chunk->buf, chunk->end - chunk->off);
    free(chunk);
}

static void
chunk_unlink(struct chunk *chunk)
{
    struct stream *stream = chunk->stream;

    *(chunk->prev != NULL ? &chunk->prev->next : &stream->first) = chunk->next;
    *(chunk->next != NULL ? &chunk->next->prev : &stream->last) = chunk->prev;
    if (--stream->n_chunks == 0)
        stream->prefetch->n_active--;
    if (chunk->buf != NULL)
        stream->held -= chunk->end - chunk->off;
    chunk->stream = NULL;
    chunk_let_go(chunk);
}

void
chunk_link(struct stream *stream, struct chunk *chunk)
{
    chunk->stream = stream;
    chunk->refs++;
    chunk->prev = stream->last;
    chunk->next = NULL;
    *(stream->last != NULL ? &stream->last->next : &stream->first) = chunk;
    stream->last = chunk;
    if (stream->n_chunks++ == 0)
        stream->prefetch->n_active++;
    if (chunk->buf != NULL)
        stream->held += chunk->end - chunk->off;
    stream->frontier = chunk->end;
    if (stream->window.next > chunk->off) /* the reader got there meanwhile */
        chunk->taken = stream->window.next - chunk->off;
}

void
stream_drop_all(struct stream *stream)
{
    while (stream->first != NULL)
        chunk_unlink(stream->first);
    stream->spoiled = true;
    stream->frontier = 0;
}

static void
drop_everywhere(struct prefetch *prefetch)
{
    for (struct stream *stream = prefetch->streams; stream; stream = stream->next)
        stream_drop_all(stream);
}

/* What was read, and what is too far behind the reader. */
static void
drop_used(struct stream *stream)
{
    struct chunk *next;

    for (struct chunk *chunk = stream->first; chunk != NULL; chunk = next) {
        next = chunk->next;
        if (chunk->off >= stream->window.next)
            break;
        if (chunk->taken >= chunk->end - chunk->off ||
            chunk->end + BEHIND <= stream->window.next)
            chunk_unlink(chunk);
    }
}

/* ---- streams */

struct stream *
stream_new(struct prefetch *prefetch, bool learn)
{
    struct stream *stream;

    if (prefetch->memory == 0 || (stream = calloc(1, sizeof *stream)) == NULL)
        return NULL;
    stream->prefetch = prefetch;
    stream->learn = learn;
    pthread_mutex_lock(&prefetch->lock);
    stream->next = prefetch->streams;
    if (stream->next != NULL)
        stream->next->prev = stream;
    prefetch->streams = stream;
    pthread_mutex_unlock(&prefetch->lock);
    return stream;
}

/* Under the lock; nobody uses it. */
void
stream_end(struct stream *stream)
{
    struct prefetch *prefetch = stream->prefetch;

    stream_drop_all(stream);
    *(stream->prev != NULL ? &stream->prev->next : &prefetch->streams) = stream->next;
    if (stream->next != NULL)
        stream->next->prev = stream->prev;
    free(stream);
}

void
stream_free(struct prefetch *prefetch, struct stream *stream)
{
    if (stream == NULL)
        return;
    pthread_mutex_lock(&prefetch->lock);
    stream->closed = true;
    if (stream->users == 0)
        stream_end(stream);
    pthread_mutex_unlock(&prefetch->lock);
}

void
prefetch_free(struct prefetch *prefetch)
{
    if (prefetch == NULL)
        return;
    while (prefetch->streams != NULL)
        stream_free(prefetch, prefetch->streams);
    pthread_mutex_destroy(&prefetch->lock);
    free(prefetch);
}

/* ---- reading */

/* The chunks of [off, end) in read->part; false if there is a gap. */
static bool
find_chunks(struct stream *stream, struct prefetch_read *read, int64_t now_ns)
{
    uint64_t pos = read->off, end = read->off + read->len;
    struct chunk *chunk = stream->first;

    read->n_parts = 0;
    while (pos < end) {
        while (chunk != NULL && chunk->end <= pos)
            chunk = chunk->next;
        if (chunk == NULL || chunk->off > pos || read->n_parts == PREFETCH_PARTS_MAX)
            return false;
        if (now_ns - chunk->since_ns > AGE_NS) {
            stream_drop_all(stream);
            return false;
        }
        read->part[read->n_parts++].chunk = chunk;
        pos = chunk->end;
    }
    return true;
}

/* The read gets hold of them. */
static enum prefetch_result
use_chunks(struct prefetch_read *read)
{
    read->waits_for = 0;
    read->error = 0;
    for (unsigned i = 0; i < read->n_parts; i++) {
        struct prefetch_part *part = &read->part[i];
        struct chunk *chunk = part->chunk;
        uint64_t from = chunk->off > read->off ? chunk->off : read->off;
        uint64_t to = read->off + read->len;

        if (to > chunk->end)
            to = chunk->end;
        chunk->taken += to - from;
        chunk->refs++;
        part->read = read;
        if (chunk->fetched)
            continue;
        part->next = chunk->waiting;
        chunk->waiting = part;
        read->waits_for++;
    }
    return read->waits_for > 0 ? PREFETCH_LATER : PREFETCH_NOW;
}

/* A program that copies a sparse file seeks from data to data: a reader who goes over
 * nothing but hole is where it was expected. */
static void
skip_hole(struct stream *stream, uint64_t off)
{
    uint64_t pos = stream->window.next;

    for (struct chunk *chunk = stream->first; chunk != NULL && pos < off;
         chunk = chunk->next) {
        if (chunk->end <= pos)
            continue;
        if (chunk->off > pos || chunk->buf != NULL)
            return;
        pos = chunk->end;
    }
    if (pos >= off)
        window_skip(&stream->window, off);
}

bool
prefetch_passes(struct prefetch *prefetch, struct stream *stream, uint64_t off,
                size_t len)
{
    pthread_mutex_lock(&prefetch->lock);
    bool passes = stream->first == NULL && window_jumps(&stream->window, off);
    if (passes)
        window_read(&stream->window, off, len, 0);
    pthread_mutex_unlock(&prefetch->lock);
    return passes;
}

enum prefetch_result
prefetch_take(struct prefetch *prefetch, struct stream *stream,
              struct prefetch_read *read)
{
    unsigned losses = pool_losses(prefetch->pool);
    enum prefetch_result result = PREFETCH_NO;
    int64_t now_ns = prefetch_clock_ns();

    pthread_mutex_lock(&prefetch->lock);
    if (losses != prefetch->losses) {
        prefetch->losses = losses; /* the server may be another one now */
        drop_everywhere(prefetch);
    }
    stream->read_ns = now_ns;
    stream->users++;
    skip_hole(stream, read->off);
    if (window_read(&stream->window, read->off, read->len, now_ns) == WINDOW_JUMPED)
        stream_drop_all(stream);
    else if (find_chunks(stream, read, now_ns))
        result = use_chunks(read);
    drop_used(stream);
    pthread_mutex_unlock(&prefetch->lock);
    return result;
}

const void *
prefetch_piece(const struct prefetch_read *read, unsigned n, size_t *len)
{
    const struct chunk *chunk = read->part[n].chunk; /* held: it does not change */
    uint64_t from = chunk->off > read->off ? chunk->off : read->off;
    uint64_t to = read->off + read->len;

    if (to > chunk->end)
        to = chunk->end;
    *len = to - from;
    return chunk->buf != NULL ? chunk->buf + (from - chunk->off) : NULL;
}

void
prefetch_done(struct prefetch *prefetch, struct prefetch_read *read)
{
    pthread_mutex_lock(&prefetch->lock);
    for (unsigned i = 0; i < read->n_parts; i++)
        chunk_let_go(read->part[i].chunk);
    pthread_mutex_unlock(&prefetch->lock);
}

/* ---- changes */

void
prefetch_changing(struct prefetch *prefetch, struct prefetch_change *change)
{
    struct chunk *next;

    pthread_mutex_lock(&prefetch->lock);
    change->prev = NULL;
    change->next = prefetch->changes;
    if (change->next != NULL)
        change->next->prev = change;
    prefetch->changes = change;
    for (struct stream *stream = prefetch->streams; stream; stream = stream->next) {
        if (stream->building && change->off < stream->build_end &&
            stream->build_off < change->end)
            stream->spoiled = true;
        for (struct chunk *chunk = stream->first; chunk != NULL; chunk = next) {
            next = chunk->next;
            if (chunk->off < change->end && change->off < chunk->end)
                chunk_unlink(chunk);
        }
    }
    pthread_mutex_unlock(&prefetch->lock);
}

void
prefetch_changed(struct prefetch *prefetch, struct prefetch_change *change)
{
    pthread_mutex_lock(&prefetch->lock);
    *(change->prev != NULL ? &change->prev->next : &prefetch->changes) = change->next;
    if (change->next != NULL)
        change->next->prev = change->prev;
    pthread_mutex_unlock(&prefetch->lock);
}

void
prefetch_grow(struct prefetch *prefetch, uint64_t size)
{
    pthread_mutex_lock(&prefetch->lock);
    if (size > atomic_load(&prefetch->size)) {
        atomic_store(&prefetch->size, size);
        drop_everywhere(prefetch); /* a chunk may end within a block now */
    }
    pthread_mutex_unlock(&prefetch->lock);
}

void
prefetch_forget(struct prefetch *prefetch)
{
    pthread_mutex_lock(&prefetch->lock);
    drop_everywhere(prefetch);
    pthread_mutex_unlock(&prefetch->lock);
}
