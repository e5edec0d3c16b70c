/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prefetch-window.c - see prefetch-window.h
 *
 * Twice the rate at which the reader takes bytes x the time that a fetch takes mostly,
 * but at most four times the shortest one: what is more is the queue that we make
 * ourselves.  Near a server, where the shortest time is a fraction of a millisecond,
 * any more than that is.  While the window is what bounds the reader, the rate is
 * window / time, so that it rises and the window with it; for that it is four times the
 * rate then, as an epoch begins with what the window was before.  When the server or
 * the reader is the bound, the rate stays, and so does the window: near a server it is
 * small enough for the processor's cache.  No more is ahead than was read in sequence,
 * so that a reader of small pieces costs the server little, until those are long.
 */

#include "prefetch-window.h"

#define RUN_LEAST    (256 << 10) /* bytes in sequence that make a reader sequential */
#define READS_LEAST  2           /* and reads */
#define NEAR         (1 << 20)   /* the kernel's reads overtake each other that far */
#define STRAYS_MAX   16 /* after so many the reader is no longer where it was */
#define WINDOW_LEAST (2 << 20)
#define FETCH_LEAST  (128 << 10)
#define FETCH_MOST   (1 << 20)
#define RUN_LONG     (1 << 20) /* after more than so many in sequence it may be more, */
#define RUN_TIMES    4         /* so many times those */
#define QUEUE        4         /* of the shortest time */
#define SAME_ROOM_NS 1000000   /* a server whose shortest time is less is not far */
#define EPOCH_NS     1000000   /* the rate is measured over at least this time */

static void
measure_rate(struct window *window, size_t len, int64_t now_ns)
{
    int64_t least = window->least_ns > EPOCH_NS ? window->least_ns : EPOCH_NS;
    int64_t took = now_ns - window->epoch_ns;

    window->epoch_bytes += len;
    if (took < least)
        return;
    /* in microseconds, which cannot overflow */
    uint64_t rate = window->epoch_bytes * 1000000 / ((uint64_t)took / 1000);
    uint64_t before = window->rate - window->rate / 8;
    window->rises = rate > window->rate + window->rate / 4;
    window->rate = rate > before ? rate : before;
    window->epoch_ns = now_ns;
    window->epoch_bytes = 0;
}

static void
start_anew(struct window *window, uint64_t next, uint64_t run, unsigned reads,
           int64_t now_ns)
{
    *window = (struct window){
        .next = next,
        .run = run,
        .reads = reads,
        .epoch_ns = now_ns,
        .least_ns = window->least_ns,
        .trip_ns = window->trip_ns,
    };
}

enum window_read
window_read(struct window *window, uint64_t off, size_t len, int64_t now_ns)
{
    uint64_t end = off + len;
    bool sequential = window->reads >= READS_LEAST && window->run >= RUN_LEAST;
    uint64_t near = sequential ? NEAR : 0;

    if (off <= window->next + near && window->next <= off + near) {
        window->run += len;
        window->reads++;
        window->strays = 0;
        if (end > window->next)
            window->next = end;
        measure_rate(window, len, now_ns);
        return WINDOW_FOLLOWS;
    }
    bool goes_on = window->strays > 0 && off == window->stray_end;
    window->stray_run = goes_on ? window->stray_run + len : len;
    window->stray_reads = goes_on ? window->stray_reads + 1 : 1;
    window->stray_end = end;
    window->strays++;
    if (sequential && window->stray_reads < READS_LEAST && window->strays < STRAYS_MAX)
        return WINDOW_STRAY;
    start_anew(window, end, window->stray_run, window->stray_reads, now_ns);
    return WINDOW_JUMPED;
}

void
window_skip(struct window *window, uint64_t off)
{
    if (off > window->next)
        window->next = off;
}

void
window_fetched(struct window *window, int64_t took_ns)
{
    /* A way that has become longer is found out too, but slowly. */
    window->least_ns += window->least_ns / 1024;
    if (window->least_ns == 0)
        window->trip_ns = took_ns;
    if (window->least_ns == 0 || took_ns < window->least_ns)
        window->least_ns = took_ns > 0 ? took_ns : 1;
    window->trip_ns += (took_ns - window->trip_ns) / 8;
}

/* How long a fetch takes without the queue that we make ourselves. */
static int64_t
trip_ns(const struct window *window)
{
    int64_t least = window->least_ns, most = QUEUE * least;

    if (least <= SAME_ROOM_NS)
        most = least;
    else if (least < 2 * SAME_ROOM_NS) /* from the one to the other */
        most = least + (QUEUE - 1) * 2 * (least - SAME_ROOM_NS);
    return window->trip_ns < most ? window->trip_ns : most;
}

size_t
window_size(const struct window *window, size_t most)
{
    uint64_t size = WINDOW_LEAST;

    if (window->reads < READS_LEAST || window->run < RUN_LEAST)
        return 0;
    if (window->trip_ns > 0) {
        uint64_t trip_us = (uint64_t)trip_ns(window) / 1000;
        uint64_t rate_ms = window->rate / 1000; /* bytes in a millisecond */
        if (trip_us > 10000000)
            trip_us = 10000000;
        uint64_t product = rate_ms * trip_us / 1000 * (window->rises ? 4 : 2);
        if (product > size)
            size = product;
    }
    /* What waits for the reader for longer than a second gets old. */
    if (window->rate > 0 && size > window->rate)
        size = window->rate > FETCH_LEAST ? window->rate : FETCH_LEAST;
    uint64_t times = window->run <= RUN_LONG ? 1 : RUN_TIMES;
    if (size / times > window->run)
        size = window->run * times;
    return size < most ? size : most;
}

size_t
window_fetch(size_t ahead)
{
    size_t size = FETCH_LEAST;

    while (size < FETCH_MOST && size * 4 < ahead)
        size *= 2;
    return size;
}
