/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prefetch-fetch.c - deciding what to fetch next, and fetching it: see prefetch.h */

#include "buffer.h"
#include "prefetch-chunks.h"

#include <stdlib.h>

#define CHUNKS_MOST 256                 /* in one stream */
#define IDLE_NS     INT64_C(1000000000) /* then others may have a stream's memory */

static void
on_fetched(struct command *cmd, int error)
{
    struct chunk *chunk = cmd->owner;
    struct prefetch *prefetch = chunk->prefetch;
    struct prefetch_part *part, *ready = NULL;
    int64_t took_ns = prefetch_clock_ns() - chunk->since_ns;

    pthread_mutex_lock(&prefetch->lock);
    chunk->fetched = true;
    if (chunk->stream != NULL && error == 0)
        window_fetched(&chunk->stream->window, took_ns);
    if (chunk->stream != NULL && error != 0) {
        /* The reader gets there by itself, and has to be sequential anew. */
        chunk->stream->window.run = 0;
        stream_drop_all(chunk->stream);
    }
    while ((part = chunk->waiting) != NULL) {
        chunk->waiting = part->next;
        if (error != 0)
            part->read->error = error;
        if (--part->read->waits_for == 0) {
            part->next = ready;
            ready = part;
        }
    }
    chunk_let_go(chunk);
    pthread_mutex_unlock(&prefetch->lock);
    while (ready != NULL) {
        part = ready;
        ready = part->next; /* the read is gone when it was told */
        part->read->ready(part->read, part->read->error);
    }
}

/* Under the lock: whether the stream wants a chunk that begins at *off, and how much it
 * may have, to *end. */
static bool
wants_more(struct stream *stream, uint64_t *off, uint64_t *end)
{
    struct prefetch *prefetch = stream->prefetch;
    unsigned active = prefetch->n_active + (stream->n_chunks == 0);
    size_t ahead = window_size(&stream->window, prefetch->memory / active);
    uint64_t next = stream->window.next;

    if (stream->held >= ahead || stream->building || stream->closed ||
        stream->n_chunks >= CHUNKS_MOST)
        return false;
    if (stream->frontier < next) /* the reader is ahead of us */
        stream->frontier = next - next % CONN_BLOCK_MAX;
    *off = stream->frontier;
    uint64_t size = atomic_load(&prefetch->size);
    if (*off >= size)
        return false;
    size_t len = window_fetch(ahead);
    while (len > prefetch->maximum && len > CONN_BLOCK_MAX)
        len /= 2;
    if (len > prefetch->maximum)
        return false;
    *end = (*off / len + 1) * len;
    if (*end > size)
        *end = size;
    return true;
}

/* Under the lock: room for len bytes, if need be from streams that nobody reads. */
static bool
make_room(struct prefetch *prefetch, size_t len, int64_t now_ns)
{
    for (struct stream *stream = prefetch->streams;
         stream != NULL && prefetch->used + len > prefetch->memory;
         stream = stream->next)
        if (stream->first != NULL && now_ns - stream->read_ns > IDLE_NS)
            stream_drop_all(stream);
    return prefetch->used + len <= prefetch->memory;
}

/* Under the lock. */
static bool
is_changing(const struct prefetch *prefetch, uint64_t off, uint64_t end)
{
    for (const struct prefetch_change *c = prefetch->changes; c != NULL; c = c->next)
        if (c->off < end && off < c->end)
            return true;
    return false;
}

static void
on_late(struct command *cmd)
{
    struct chunk *chunk = cmd->owner;

    pthread_mutex_lock(&chunk->prefetch->lock);
    for (struct prefetch_part *part = chunk->waiting; part != NULL; part = part->next)
        part->read->look(part->read);
    pthread_mutex_unlock(&chunk->prefetch->lock);
}

/* Bytes of hole from off on that are worth a chunk of their own, up to where the
 * server's next block of data begins. */
static uint64_t
hole_at(struct prefetch *prefetch, uint64_t off, uint64_t size)
{
    uint64_t hole = sparse_hole(prefetch->sparse, off), end = off + hole;

    uint64_t over = end % prefetch->minimum;
    if (end >= size) /* it may have grown since */
        return size - off;
    return hole < SPARSE_HOLE_LEAST || hole < over ? 0 : hole - over;
}

/* A chunk that begins at off: hole as far as it goes, or data to at most end.  The
 * caller is the stream's only builder. */
static struct chunk *
plan_chunk(struct prefetch *prefetch, uint64_t off, uint64_t end)
{
    struct piece piece[2];
    uint64_t size = atomic_load(&prefetch->size), minimum = prefetch->minimum;
    uint64_t hole = hole_at(prefetch, off, size);
    struct chunk *chunk = calloc(1, sizeof *chunk);

    if (chunk == NULL)
        return NULL;
    if (hole == 0 && sparse_plan(prefetch->sparse, off, end - off, piece, 2) > 0 &&
        piece[0].off == off && piece[0].len < end - off) {
        end = off + piece[0].len;
        end += (minimum - end % minimum) % minimum;
        if (end > size)
            end = size;
    }
    *chunk = (struct chunk){.off = off, .end = hole > 0 ? off + hole : end, .refs = 1};
    chunk->prefetch = prefetch;
    chunk->fetched = hole > 0;
    if (chunk->fetched)
        return chunk;
    chunk->buf = buffer_take(end - off);
    chunk->cmd = (struct command){
        .kind = COMMAND_READ,
        .off = off,
        .len = end - off,
        .buf = chunk->buf,
        .owner = chunk,
        .done = on_fetched,
        .look = on_late,
    };
    if (chunk->buf == NULL) {
        free(chunk);
        return NULL;
    }
    return chunk;
}

/* One chunk more.  False: none is wanted, or there is no room for it. */
static bool
fetch_one(struct stream *stream)
{
    struct prefetch *prefetch = stream->prefetch;
    uint64_t off, end;
    int64_t now_ns = prefetch_clock_ns();

    pthread_mutex_lock(&prefetch->lock);
    bool wanted = wants_more(stream, &off, &end) &&
                  make_room(prefetch, end - off, now_ns) &&
                  !is_changing(prefetch, off, end);
    if (wanted) {
        stream->building = true;
        stream->spoiled = false;
        stream->build_off = off;
        stream->build_end = UINT64_MAX; /* a hole may go far */
        prefetch->used += end - off;    /* reserved, so that two streams do not both */
    }
    pthread_mutex_unlock(&prefetch->lock);
    if (!wanted)
        return false;

    if (stream->learn)
        sparse_learn(prefetch->sparse, off);
    struct chunk *chunk = plan_chunk(prefetch, off, end);
    pthread_mutex_lock(&prefetch->lock);
    stream->building = false;
    prefetch->used -= end - off;
    bool good = chunk != NULL && !stream->spoiled &&
                !is_changing(prefetch, chunk->off, chunk->end);
    if (chunk != NULL && chunk->buf != NULL)
        prefetch->used += chunk->end - chunk->off;
    if (good) {
        chunk->since_ns = now_ns;
        chunk->cmd.together = window_is_quick(&stream->window);
        chunk_link(stream, chunk);
    }
    bool submit = good && chunk->buf != NULL;
    if (chunk != NULL && !submit)
        chunk_let_go(chunk); /* there is no command to hold it */
    pthread_mutex_unlock(&prefetch->lock);
    if (submit)
        pool_submit(prefetch->pool, &chunk->cmd);
    return good;
}

void
prefetch_ahead(struct stream *stream)
{
    struct prefetch *prefetch = stream->prefetch;

    while (fetch_one(stream))
        ;
    pthread_mutex_lock(&prefetch->lock);
    if (--stream->users == 0 && stream->closed)
        stream_end(stream);
    pthread_mutex_unlock(&prefetch->lock);
}
