/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-prefetch-window.c - how far ahead is read, for readers and servers of many kinds
 */

#include "prefetch-window.h"
#include "tap.h"

#define K    UINT64_C(1024)
#define M    (1024 * K)
#define MS   INT64_C(1000000)
#define MOST (32 * M)

/* A reader of a server that takes trip_ns and gives at most `bound` bytes a second, for
 * `bytes`: the window at the end.  While the window is what bounds it, a window comes
 * in with each trip. */
static size_t
read_on(struct window *window, uint64_t bytes, size_t len, int64_t trip_ns,
        uint64_t bound, int64_t *now_ns)
{
    for (uint64_t end = window->next + bytes; window->next < end;) {
        size_t size = window_size(window, MOST);
        uint64_t in_a_trip = size > len ? size : len;
        int64_t took = trip_ns * (int64_t)len / (int64_t)in_a_trip;
        int64_t least = (int64_t)(len * 1000000000 / bound);
        *now_ns += took > least ? took : least;
        if (size > 0)
            window_fetched(window, trip_ns);
        window_read(window, window->next, len, *now_ns);
    }
    return window_size(window, MOST);
}

static void
test_ramp(void)
{
    struct window window = {0};
    int64_t now = 1;

    window_read(&window, 300 * M, 128 * K, now);
    is_int(window_size(&window, MOST), 0,
           "a read somewhere does not make a reader sequential");
    window_read(&window, 300 * M + 128 * K, 128 * K, now);
    ok(window_size(&window, MOST) > 0, "two do");
    ok(window_size(&window, MOST) <= 256 * K, "for no more than it has read");
    is_int(read_on(&window, 512 * M, 128 * K, 10 * MS, 4096 * M, &now), MOST,
           "behind 10 ms it grows to all that is allowed");

    window = (struct window){0};
    size_t far = read_on(&window, 512 * M, 128 * K, 10 * MS, 200 * M, &now);
    ok(far >= 2 * M && far <= 6 * M, "a reader of 200 MB/s behind 10 ms gets some MiB");
    window = (struct window){0};
    size_t near = read_on(&window, 512 * M, 128 * K, MS / 10, 2048 * M, &now);
    ok(near >= M && near <= 4 * M, "near the server it stays small");
    window = (struct window){0};
    size_t slow = read_on(&window, 8 * M, 4 * K, MS, M / 2, &now);
    ok(slow >= 128 * K && slow <= M, "a slow reader gets what it reads in a second");
    is_int(window_size(&window, 64 * K), 64 * K, "never more than is allowed");
}

/* Who reads from off on, until 16 MiB are ahead: how many trips that takes. */
static int
trips_from(uint64_t off, uint64_t *most_before_long, bool *too_much)
{
    struct window window = {.next = off};
    int64_t now = 1;

    *most_before_long = 0;
    *too_much = false;
    while (window_size(&window, MOST) < 16 * M && now < 1000 * MS) {
        size_t ahead = read_on(&window, 128 * K, 128 * K, 10 * MS, 2048 * M, &now);
        if (ahead > window.run && window.run <= M && ahead > *most_before_long)
            *most_before_long = ahead;
        *too_much |= ahead > 4 * window.run;
    }
    return (int)(now / (10 * MS));
}

static void
test_trips(void)
{
    uint64_t before;
    bool too_much;

    int trips = trips_from(300 * M, &before, &too_much);
    ok(trips <= 5, "16 MiB are ahead after %d trips", trips);
    is_int(before, 0, "in the first MiB no more than was read");
    ok(!too_much, "and then no more than four times that");
    trips = trips_from(0, &before, &too_much);
    ok(trips <= 3, "of who reads from the beginning, after %d", trips);
    ok(!too_much, "no more than four times what was read");
}

/* Who takes at once what has come, and waits for a trip: 16 MiB are ahead after so
 * many.
 */
static int
waiting_trips(int64_t now)
{
    struct window window = {0};
    int trips = 0;

    window_read(&window, 0, 128 * K, now);
    while (window_size(&window, MOST) < 16 * M && trips < 100) {
        size_t ahead = window_size(&window, MOST);
        now += 10 * MS;
        window_fetched(&window, 10 * MS);
        for (size_t taken = 0; taken < ahead; taken += 128 * K, now += MS / 20)
            window_read(&window, window.next, 128 * K, now);
        trips++;
    }
    return trips;
}

static void
test_beginning(void)
{
    struct window window = {0};
    int64_t now = 5000 * MS;

    window_read(&window, 0, 64 * K, now);
    is_int(window_size(&window, MOST), 0, "a small read of the beginning is no reader");
    window = (struct window){0};
    window_read(&window, 0, 128 * K, now);
    is_int(window_size(&window, MOST), 512 * K, "a larger one is, for some more");
    window_read(&window, 512 * M, 4 * K, now);
    for (uint64_t i = 1; i < 32; i++)
        window_read(&window, i * 7 * M, 4 * K, now);
    is_int(window_size(&window, MOST), 0, "no longer when it goes elsewhere");
    int trips = waiting_trips(now);
    ok(trips <= 3, "16 MiB are ahead of who has to wait after %d trips", trips);

    window = (struct window){0};
    read_on(&window, 4 * M, 128 * K, 10 * MS, 40 * M, &now);
    size_t most = window_size(&window, MOST);
    ok(most <= 2 * M, "a slow one soon gets what is enough for it");
    for (int i = 0; i < 512; i++) { /* a MiB in a moment, now and then */
        now += i % 64 < 8 ? MS / 10 : 3 * MS;
        window_read(&window, window.next, 128 * K, now);
        size_t size = window_size(&window, MOST);
        most = size > most ? size : most;
    }
    ok(most > 2 * M && most <= 8 * M, "and is not taken for a new one later");
}

static void
test_queue(void)
{
    struct window window = {0};
    int64_t now = 1;

    read_on(&window, 16 * M, 128 * K, MS / 10, 1024 * M, &now);
    for (int i = 0; i < 1000; i++)
        window_fetched(&window, 100 * MS); /* as if we stood in our own queue */
    ok(window_size(&window, MOST) <= 4 * M, "a queue does not feed itself");
    for (int i = 0; i < 20000; i++)
        window_fetched(&window, 100 * MS);
    ok(window_size(&window, MOST) > 8 * M, "a way that stays long is believed");
}

/* The window where fetches take four times the shortest one at a steady rate. */
static size_t
queueing(int64_t least_ns, uint64_t bound)
{
    struct window window = {0};
    int64_t now = 1;

    read_on(&window, 64 * M, 128 * K, least_ns, bound, &now);
    for (int i = 0; i < 64; i++) {
        window_fetched(&window, i % 16 == 0 ? least_ns : 4 * least_ns);
        now += (int64_t)(128 * K * 1000000000 / bound);
        window_read(&window, window.next, 128 * K, now);
    }
    return window_size(&window, MOST);
}

static void
test_near(void)
{
    size_t near = queueing(MS / 5, 2048 * M), far = queueing(5 * MS, 512 * M);

    ok(near == 2 * M, "near the server waits of four times as long are our own queue");
    ok(far >= 12 * M, "behind 5 ms they are the way to it");
    bool falls = false;
    size_t before = 0;
    for (int64_t least = MS / 4; least <= 4 * MS; least += MS / 8) {
        size_t size = queueing(least, 1024 * M);
        falls |= size < before;
        before = size;
    }
    ok(!falls, "and from the one to the other the window never falls");
}

static void
test_skip(void)
{
    struct window window = {0};
    int64_t now = 1;

    read_on(&window, 16 * M, 128 * K, MS / 10, 1024 * M, &now);
    size_t before = window_size(&window, MOST);
    window_skip(&window, 1024 * M);
    is_int(window_read(&window, 1024 * M, 128 * K, now), WINDOW_FOLLOWS,
           "a read behind what was skipped follows");
    ok(window_size(&window, MOST) >= before, "and the window stays as it was");
    window_skip(&window, 512 * M);
    is_int(window_read(&window, 1024 * M + 128 * K, 128 * K, now), WINDOW_FOLLOWS,
           "nothing is skipped backwards");
}

static void
test_random(void)
{
    struct window window = {0};
    uint64_t off = 12345;
    int ahead = 0;

    for (int i = 0; i < 100000; i++) {
        off = (off * 6364136223846793005U + 1442695040888963407U) % (1 << 28);
        window_read(&window, off * 4 * K, 4 * K, i * MS);
        ahead += window_size(&window, MOST) > 0;
    }
    is_int(ahead, 0, "a random reader gets nothing ahead");
}

static void
test_jumps(void)
{
    struct window window = {0};
    int64_t now = 1;

    read_on(&window, 8 * M, 128 * K, MS, 1024 * M, &now);
    is_int(window_read(&window, window.next + 128 * K, 128 * K, now), WINDOW_FOLLOWS,
           "reads that overtake each other are in sequence");
    is_int(window_read(&window, window.next - 256 * K, 128 * K, now), WINDOW_FOLLOWS,
           "also the one that is late");
    uint64_t next = window.next;
    is_int(window_read(&window, 100 * M, 4 * K, now), WINDOW_STRAY,
           "one read elsewhere is a stray");
    is_int(window_read(&window, next, 128 * K, now), WINDOW_FOLLOWS,
           "and the reader goes on");
    is_int(window_read(&window, 200 * M, 128 * K, now), WINDOW_STRAY, "two reads");
    is_int(window_read(&window, 200 * M + 128 * K, 128 * K, now), WINDOW_JUMPED,
           "that follow each other elsewhere are a jump");
    ok(window_size(&window, MOST) > 0, "after which it is sequential there");
    is_int(window_read(&window, 0, 4 * K, now), WINDOW_STRAY, "strays");
    int result = WINDOW_STRAY;
    for (uint64_t i = 1; i < 32 && result == WINDOW_STRAY; i++)
        result = window_read(&window, i * 7 * M, 4 * K, now);
    is_int(result, WINDOW_JUMPED, "end a sequence when there are many");
}

/* Readers of many kinds: where window_jumps says so, window_read does too, whatever the
 * clock, and nothing is ahead afterwards.  Returns how many did not. */
static int
broken_promises(int *passed, int *others)
{
    struct window window = {0};
    uint64_t random = 12345, off = 0;
    int broken = 0;

    for (int i = 0; i < 200000; i++) {
        random = random * 6364136223846793005U + 1442695040888963407U;
        size_t len = (4 * K) << (random >> 61);
        unsigned kind = (unsigned)(random >> 40) % 16;
        if (kind < 8)
            off = (random >> 20) % (1 << 28) * 4 * K;
        else if (kind == 8)
            off = 0;
        else if (kind == 9)
            off = window.stray_end;
        else
            off = window.next;
        if (!window_jumps(&window, off)) {
            window_read(&window, off, len, i * MS);
            ++*others;
            continue;
        }
        ++*passed;
        if (window_read(&window, off, len, 0) != WINDOW_JUMPED ||
            window_size(&window, MOST) > 0)
            broken++;
    }
    return broken;
}

static void
test_passes(void)
{
    struct window window = {0};
    int64_t now = 1;
    int passed = 0, others = 0;

    ok(!window_jumps(&window, 0), "the beginning of a file is not elsewhere");
    ok(window_jumps(&window, 7 * M), "all else is, at first");
    window_read(&window, 7 * M, 4 * K, 0);
    ok(!window_jumps(&window, 7 * M + 4 * K), "but not what follows");
    read_on(&window, 8 * M, 128 * K, MS, 1024 * M, &now);
    ok(!window_jumps(&window, 700 * M), "nor anything for who is sequential");
    is_int(broken_promises(&passed, &others), 0,
           "who reads elsewhere needs no clock, and gets nothing ahead");
    ok(passed > 1000 && others > 1000, "among readers of both kinds");
}

static void
test_ends(void)
{
    struct window window = {0};

    is_int(window_read(&window, INT64_MAX - 4096, 4096, 1), WINDOW_JUMPED,
           "the last block of the greatest export");
    is_int(window_read(&window, 0, 1, INT64_MAX), WINDOW_JUMPED, "and the first one");
    window_fetched(&window, INT64_MAX / 2);
    window_fetched(&window, 0);
    window_fetched(&window, INT64_MAX / 2);
    ok(window_size(&window, MOST) <= MOST, "times out of all measure do no harm");
    is_int(window_fetch(0), 128 * K, "the smallest fetch");
    is_int(window_fetch(SIZE_MAX / 8), M, "the largest fetch");
}

static void
test_quick(void)
{
    struct window window = {0};

    ok(!window_is_quick(&window), "nobody knows yet whether fetches are quick");
    window_fetched(&window, 30 * MS);
    ok(!window_is_quick(&window), "those of 30 ms are not");
    window_fetched(&window, 2 * MS);
    ok(window_is_quick(&window), "those of 2 ms are");
    window_fetched(&window, 30 * MS);
    ok(window_is_quick(&window), "also when one waited in our own queue");
}

int
main(void)
{
    test_quick();
    test_ramp();
    test_trips();
    test_beginning();
    test_queue();
    test_near();
    test_skip();
    test_random();
    test_jumps();
    test_passes();
    test_ends();
    done_testing();
}
