/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prefetch-chunks.h - what prefetch.c and prefetch-fetch.c share; nobody else includes
 * it
 */

#ifndef NBDMOUNT_PREFETCH_CHUNKS_H
#define NBDMOUNT_PREFETCH_CHUNKS_H

#include "prefetch-window.h"
#include "prefetch.h"

#include <pthread.h>

struct chunk {
    struct command cmd;
    struct stream *stream; /* in whose list it is, or NULL */
    struct chunk *prev, *next;
    uint64_t off, end;
    uint8_t *buf;   /* NULL: it is all hole */
    uint64_t taken; /* bytes that were read */
    unsigned refs;
    bool fetched;
    int error;
    int64_t since_ns;
    struct prefetch *prefetch;
    struct prefetch_part *waiting;
};

struct stream {
    struct prefetch *prefetch;
    struct stream *prev, *next;
    struct window window;
    struct chunk *first, *last;
    unsigned n_chunks;
    size_t held;       /* bytes of its chunks that are no holes */
    uint64_t frontier; /* all before it was fetched; 0: none yet */
    int64_t read_ns;   /* the last read */
    unsigned users;    /* reads between take and ahead */
    bool learn;        /* ask where holes are; does not change */
    bool closed;       /* the last user frees it */

    bool building; /* one thread is planning build_off..build_end */
    bool spoiled;  /* and what it plans is no longer true */
    uint64_t build_off, build_end;
};

struct prefetch {
    struct pool *pool;
    struct sparse *sparse;
    _Atomic uint64_t size;     /* rises only; set under the lock */
    uint32_t minimum, maximum; /* block sizes */
    size_t memory;

    pthread_mutex_t lock; /* guards all below, and all streams and chunks */
    struct stream *streams;
    struct prefetch_change *changes;
    unsigned n_active; /* streams that have chunks */
    size_t used;       /* bytes of all chunks, also those in no list */
    unsigned losses;   /* pool_losses() when the chunks in the lists were begun */
};

/* All under the lock. */
void chunk_let_go(struct chunk *chunk);
void chunk_link(struct stream *stream, struct chunk *chunk);
void stream_drop_all(struct stream *stream);
void stream_end(struct stream *stream); /* nobody uses it any more */

/* CLOCK_MONOTONIC */
int64_t prefetch_clock_ns(void);

#endif
