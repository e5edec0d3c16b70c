/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prefetch.h - read-ahead for programs that read a file from front to back
 *
 * Each open file is a stream.  When its reads follow each other, what comes next is
 * fetched before it is asked for, as much as the way to the server holds: round-trip
 * time x rate.  Nothing that was fetched before a change of it is ever given to a read
 * that began after that change was sent.  Knows nothing of FUSE; nobody waits.
 */

#ifndef NBDMOUNT_PREFETCH_H
#define NBDMOUNT_PREFETCH_H

#include "pool.h"
#include "sparse.h"

struct prefetch;
struct stream;
struct chunk;

/* A change that is under way; its memory is the user's from changing to changed. */
struct prefetch_change {
    uint64_t off;
    uint64_t end;
    struct prefetch_change *prev, *next; /* prefetch's own */
};

/* A read of 1 MiB at any place touches 9 chunks of the smallest size; and as many holes
 * may be between them. */
#define PREFETCH_PARTS_MAX 18

/* One read that is served from what was fetched. */
struct prefetch_read {
    uint64_t off;
    size_t len;
    /* All is there, or error is an errno and it has to be read anew.  Called by an I/O
     * thread that holds no lock. */
    void (*ready)(struct prefetch_read *read, int error);

    /* prefetch's own */
    unsigned n_parts;
    struct prefetch_part {
        struct chunk *chunk;
        struct prefetch_read *read;
        struct prefetch_part *next; /* that waits for the same chunk */
    } part[PREFETCH_PARTS_MAX];
    void (*look)(struct prefetch_read *read); /* it is late: see struct command */
    unsigned waits_for;
    int error;
};

enum prefetch_result {
    PREFETCH_NO,    /* not there and not on its way: read->ready is not called */
    PREFETCH_NOW,   /* all there; read->ready is not called */
    PREFETCH_LATER, /* read->ready is called, or was already */
};

#define PREFETCH_MEMORY_DEFAULT ((size_t)32 << 20)

/* NULL: no memory. */
struct prefetch *prefetch_new(struct pool *pool, struct sparse *sparse,
                              const struct conn_info *info);

/* At most memory bytes are held for all streams together.  0: there is no read-ahead,
 * and stream_new returns NULL.  Before the first stream. */
void prefetch_set_memory(struct prefetch *prefetch, size_t memory);

struct prefetch_report {
    size_t memory; /* bytes: what may be held, and what is */
    size_t held;
    unsigned streams; /* open files */
    unsigned active;  /* that are read ahead now */
};
void prefetch_look(struct prefetch *prefetch, struct prefetch_report *report);

/* After pool_close.  Frees the streams too. */
void prefetch_free(struct prefetch *prefetch);

/* One open file.  NULL: without read-ahead; stream_free ignores that.  It may be freed
 * while a read of it ends.  learn: ask where the holes are.
 *
 * A stream comes to another thread through the kernel, which orders no memory: who was
 * given one may look into it under the lock only, and finds the lock without it. */
struct stream *stream_new(struct prefetch *prefetch, bool learn);
void stream_free(struct prefetch *prefetch, struct stream *stream);

/* A read that is neither served from what was fetched nor a reason to fetch: nothing
 * more is to be done for it here. */
bool prefetch_passes(struct prefetch *prefetch, struct stream *stream, uint64_t off,
                     size_t len);

/* Any other read: of read->len > 0 bytes within the export arrives.  Unless the result
 * is PREFETCH_NO, prefetch_done follows when the data was used.  In any case
 * prefetch_ahead follows, once. */
enum prefetch_result prefetch_take(struct prefetch *prefetch, struct stream *stream,
                                   struct prefetch_read *read);

/* The pieces of the data in their order, n < read->n_parts.  NULL: zeros. */
const void *prefetch_piece(const struct prefetch_read *read, unsigned n, size_t *len);
void prefetch_done(struct prefetch *prefetch, struct prefetch_read *read);

/* Fetches what the stream may want next, after its present read was sent or answered.
 */
void prefetch_ahead(struct stream *stream);

/* Before a change is sent, and when it was answered, whatever came of it. */
void prefetch_changing(struct prefetch *prefetch, struct prefetch_change *change);
void prefetch_changed(struct prefetch *prefetch, struct prefetch_change *change);

/* The export has grown, and sparse knows it.  A size that is not larger is ignored. */
void prefetch_grow(struct prefetch *prefetch, uint64_t size);

/* All that was fetched is forgotten: the export may be another one. */
void prefetch_forget(struct prefetch *prefetch);

#endif
