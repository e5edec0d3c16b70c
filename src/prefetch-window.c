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
 * small enough for the processor's cache.
 *
 * A rate that is measured is that of a window of one or two trips ago.  So who begins
 * to read is taken for a quick reader, until the rate has not risen for some epochs.
 * No more is ahead than was read in sequence, so that a reader of small pieces costs
 * the server little, until those are long; who reads a file from its beginning most
 * often reads on.
 */

#include "prefetch-window.h"

#define RUN_LEAST    (256 << 10) /* bytes in sequence that make a reader sequential */
#define READS_LEAST  2           /* and reads */
#define NEAR         (1 << 20)   /* the kernel's reads overtake each other that far */
#define STRAYS_MAX   16 /* after so many the reader is no longer where it was */
#define WINDOW_LEAST (2 << 20)
#define FETCH_LEAST  (128 << 10)
#define FETCH_MOST   (1 << 20)
#define START_LEAST  (128 << 10) /* bytes from the beginning of a file make one, too */
#define RUN_LONG     (1 << 20) /* after more than so many in sequence it may be more, */
#define RUN_TIMES    4         /* so many times those */
#define RATE_BEGIN   2000000000 /* bytes in a second, until it is known what it is: */
#define FLAT_MOST    3          /* after so many epochs without a rise */
#define QUEUE        4          /* of the shortest time */
#define SAME_ROOM_NS 1000000    /* a server whose shortest time is less is not far */
#define QUICK_NS     5000000    /* one connection's 16 fetches of a MiB are enough */
#define EPOCH_NS     1000000    /* the rate is measured over at least this time */

static bool
is_from_start(const struct window *window)
{
    return window->run == window->next;
}

static bool
is_sequential(const struct window *window)
{
    if (is_from_start(window) && window->run >= START_LEAST)
        return true;
    return window->reads >= READS_LEAST && window->run >= RUN_LEAST;
}

static void
measure_rate(struct window *window, size_t len, int64_t now_ns)
{
    int64_t least = window->least_ns > EPOCH_NS ? window->least_ns : EPOCH_NS;
    int64_t took = now_ns - window->epoch_ns;

    if (window->epoch_ns == 0) { /* the first read of all */
        window->epoch_ns = now_ns;
        return;
    }
    window->epoch_bytes += len;
    if (took < least)
        return;
    /* in microseconds, which cannot overflow */
    uint64_t rate = window->epoch_bytes * 1000000 / ((uint64_t)took / 1000);
    uint64_t before = window->rate - window->rate / 8;
    window->rises = rate > window->rate + window->rate / 4;
    if (window->flat < FLAT_MOST)
        window->flat = window->rises ? 0 : window->flat + 1;
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
    bool sequential = is_sequential(window);
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

bool
window_jumps(const struct window *window, uint64_t off)
{
    return off != window->next && off != 0 && !is_sequential(window);
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

bool
window_is_quick(const struct window *window)
{
    return window->least_ns > 0 && window->least_ns <= QUICK_NS;
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

static uint64_t
at_rate(uint64_t rate, int64_t time_ns)
{
    uint64_t time_us = (uint64_t)time_ns / 1000;

    if (time_us > 10000000)
        time_us = 10000000;
    return rate / 1000 * time_us / 1000; /* in milliseconds, which cannot overflow */
}

/* What the rate and the way say. */
static uint64_t
wanted(const struct window *window)
{
    uint64_t size = at_rate(window->rate, trip_ns(window)) * (window->rises ? 4 : 2);
    uint64_t begin = at_rate(RATE_BEGIN, window->least_ns) * 2;

    if (window->flat < FLAT_MOST && size < begin)
        size = begin;
    return size > WINDOW_LEAST ? size : WINDOW_LEAST;
}

size_t
window_size(const struct window *window, size_t most)
{
    uint64_t size = wanted(window);

    if (!is_sequential(window))
        return 0;
    /* What waits for the reader for longer than a second gets old. */
    if (window->rate > 0 && size > window->rate)
        size = window->rate > FETCH_LEAST ? window->rate : FETCH_LEAST;
    bool is_long = window->run > RUN_LONG || is_from_start(window);
    uint64_t times = is_long ? RUN_TIMES : 1;
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
