/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export.h - one mounted export: what it is, and what serves it */

#ifndef NBDMOUNT_EXPORT_H
#define NBDMOUNT_EXPORT_H

#include "behind.h"
#include "late-errors.h"
#include "opened.h"
#include "ordering.h"
#include "pool.h"
#include "prefetch.h"
#include "quota.h"
#include "replay.h"
#include "sparse.h"

#include <time.h>

struct export
{
    struct source source;
    struct conn_info info; /* as at the mount */
    _Atomic int64_t size;  /* now: see export_size */
    _Atomic uint64_t file; /* what source.grown is told; 0: nothing yet */
    bool read_only;        /* the server says so, or we were told to */
    struct pool *pool;
    struct sparse *sparse;
    struct prefetch *prefetch;
    struct ordering changes;
    struct quota reads; /* bytes that are being read */

    _Atomic int64_t mtime_ns; /* since 1970; when the file was last written */
    _Atomic uint64_t written; /* bytes changed */
    _Atomic uint64_t flushed; /* of these; what is between them is dirty */
    atomic_uint losses_known; /* pool_losses() before the first dirty one */
    struct opened_list opened;
    struct late_errors late;
    struct behind behind;  /* of the changes: what was answered and is not done yet */
    atomic_uint writers;   /* open files of which the kernel keeps what is written */
    struct replay *replay; /* NULL: changes are not remembered */
    struct own_flush *own_flush;
    struct export_log *log; /* NULL: they are not in a file (export-log.h) */
    atomic_uint requests;   /* not yet answered; EXPORT_DRAINING */
    int idle;               /* eventfd: written when the last of them has ended then */
};

/* In requests: export_close waits for them.  In one word with their number, so that who
 * ends the last one knows it without looking at an export that may be gone. */
#define EXPORT_DRAINING 0x80000000u

/* Waits until the first connection works.  NULL: *why says why not, for the caller to
 * free.  The strings of source outlive the export. */
struct export *export_open(const struct source *source, unsigned connections,
                           bool read_only, char **why);

/* The export's size, which rises when a server comes back with a larger one.  All that
 * knows about its bytes (pool, sparse, prefetch) was told before.  A request asks once
 * and keeps to that. */
static inline int64_t
export_size(const struct export *export)
{
    return atomic_load_explicit(&export->size, memory_order_acquire);
}

/* Each request from its arrival to its answer. */
void export_request_begins(struct export *export);
void export_request_ends(struct export *export);
/* How many have not. */
unsigned export_requests(const struct export *export);

/* A change of len bytes has ended; losses is pool_losses() when it began. */
void export_wrote(struct export *export, uint64_t len, unsigned losses);

/* Bytes that were changed and not flushed. */
uint64_t export_dirty(const struct export *export);

/* What a flush that is about to be sent covers; and that it was done. */
struct flush_mark {
    uint64_t written;
    uint64_t replay;
};
void export_mark(struct export *export, struct flush_mark *mark);
void export_flushed(struct export *export, const struct flush_mark *mark);

/* A flush was answered with an error.  What it was to take to the disk may be gone, and
 * the next flush would know nothing of that: it is sent again before. */
void export_flush_failed(struct export *export, int error);

/* A change of [off, end) that was answered has failed. */
void export_write_failed(struct export *export, uint64_t off, uint64_t end, int error);

/* Whether a connection has died since the first change that is to be flushed, and what
 * the server has forgotten cannot be sent again.  Told once, also in the log. */
bool export_may_have_lost(struct export *export, const struct flush_mark *mark);

/* Lets requests finish, flushes, says goodbye to the server, and frees everything.  The
 * last is at the deadline (CLOCK_MONOTONIC milliseconds) or when hurry, an eventfd,
 * becomes readable.  -EIO: something could not be flushed, and was logged.  Nobody may
 * begin a request any more. */
int export_close(struct export *export, int64_t deadline_ms, int hurry);

#endif
