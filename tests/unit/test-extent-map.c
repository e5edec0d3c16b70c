/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-extent-map.c - the map agrees with a plain array of bytes */

#include "extent-map.h"
#include "tap.h"

#include <errno.h>
#include <time.h>

#define MODEL_SIZE 3000
#define ROUNDS     40
#define STEPS      1500

static uint64_t random_state;

/* xorshift64*: the same numbers from the same seed on every machine */
static uint64_t
random_below(uint64_t n)
{
    random_state ^= random_state >> 12;
    random_state ^= random_state << 25;
    random_state ^= random_state >> 27;
    return (random_state * UINT64_C(2685821657736338717) >> 20) % n;
}

/* Every byte and every run of the map is as in the model. */
static bool
agrees(const struct extent_map *map, const uint8_t *model)
{
    uint64_t data = 0, holes = 0, end;

    for (uint64_t off = 0; off < MODEL_SIZE; off++) {
        uint64_t want = off;
        while (want < MODEL_SIZE && model[want] == model[off])
            want++;
        enum extent_kind kind = extent_map_get(map, off, &end);
        if (kind != model[off] || end != want) {
            diag("at %" PRIu64 ": kind %d to %" PRIu64 ", wanted %d to %" PRIu64, off,
                 (int)kind, end, model[off], want);
            return false;
        }
        data += model[off] == EXTENT_DATA;
        holes += model[off] == EXTENT_HOLE;
    }
    return extent_map_check(map) && extent_map_data(map) == data &&
           extent_map_holes(map) == holes;
}

static bool
random_round(uint64_t longest)
{
    struct extent_map *map = extent_map_new(MODEL_SIZE, SIZE_MAX);
    uint8_t model[MODEL_SIZE] = {0};
    bool fine = map != NULL;

    for (int step = 0; fine && step < STEPS; step++) {
        uint64_t off = random_below(MODEL_SIZE), len = 1 + random_below(longest);
        enum extent_kind kind = (enum extent_kind)random_below(3);
        fine = extent_map_set(map, off, len, kind) == 0;
        for (uint64_t i = off; i < off + len && i < MODEL_SIZE; i++)
            model[i] = (uint8_t)kind;
        if (step % 50 == 0 || step == STEPS - 1)
            fine = fine && agrees(map, model);
        fine = fine && extent_map_check(map);
    }
    extent_map_free(map);
    return fine;
}

static void
test_random(void)
{
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);
    bool fine = true;

    diag("SEED=%" PRIu64, seed);
    for (int round = 0; fine && round < ROUNDS; round++) {
        random_state = seed + (uint64_t)round * 1000003 + 1;
        fine = random_round(round % 3 == 0 ? 3 : round % 3 == 1 ? 40 : MODEL_SIZE);
        if (!fine)
            diag("round %d", round);
    }
    ok(fine, "random changes give the same as in an array of bytes");
}

static void
test_empty(void)
{
    struct extent_map *map = extent_map_new(INT64_MAX, SIZE_MAX);
    uint64_t end = 0;

    is_int(extent_map_get(map, 0, &end), EXTENT_UNKNOWN, "a new map knows nothing");
    is_int(end, INT64_MAX, "and that up to the greatest size");
    is_int(extent_map_set(map, INT64_MAX - 1, UINT64_MAX, EXTENT_HOLE), 0,
           "a length that reaches past 2^64 is cut at the size");
    is_int(extent_map_get(map, INT64_MAX - 1, &end), EXTENT_HOLE, "the last byte");
    is_int(end, INT64_MAX, "the run ends with the size");
    is_int(extent_map_set(map, INT64_MAX, 1, EXTENT_DATA), 0,
           "what begins at the end is ignored");
    is_int(extent_map_data(map), 0, "and adds no data");
    extent_map_free(map);
    map = extent_map_new(0, SIZE_MAX);
    ok(extent_map_set(map, 0, 10, EXTENT_DATA) == 0 && extent_map_count(map) == 0,
       "a map of size 0 stays empty");
    extent_map_free(map);
}

/* The limit makes the map forget, and never say what is wrong. */
static void
test_limit(void)
{
    struct extent_map *map = extent_map_new(1000, 4);
    uint64_t end;

    for (uint64_t i = 0; i < 4; i++)
        extent_map_set(map, i * 100, 10, EXTENT_HOLE);
    is_int(extent_map_set(map, 500, 10, EXTENT_HOLE), -ENOMEM,
           "one extent too many is refused");
    is_int(extent_map_get(map, 500, &end), EXTENT_UNKNOWN, "and stays unknown");
    is_int(extent_map_set(map, 103, 2, EXTENT_DATA), -ENOMEM,
           "so is what would make three of one");
    is_int(extent_map_get(map, 103, &end), EXTENT_UNKNOWN,
           "but what was a hole there is not called one any more");
    is_int(extent_map_get(map, 100, &end), EXTENT_HOLE, "what is before it is kept");
    is_int(end, 103, "and ends there");
    ok(extent_map_check(map), "the map is sound");
    extent_map_free(map);
}

static double
now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t); /* others may be at work here */
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void
test_million(void)
{
    enum { N = 1000000 };
    struct extent_map *map = extent_map_new(INT64_MAX, SIZE_MAX);
    uint64_t end, found = 0;

    random_state = 1;
    double start = now();
    for (uint64_t i = 0; i < N; i++)
        extent_map_set(map, i * 65536, 4096, EXTENT_DATA);
    diag("in order: %.3f us each, %.1f bytes each", (now() - start) * 1e6 / N,
         (double)extent_map_bytes(map) / N);
    ok(extent_map_count(map) == N && extent_map_bytes(map) <= (size_t)48 * N,
       "a million extents in order take at most 48 bytes each");
    start = now();
    for (uint64_t i = 0; i < N; i++)
        found += extent_map_get(map, random_below(N) * 65536, &end) == EXTENT_DATA;
    diag("a lookup takes %.3f us", (now() - start) * 1e6 / N);
    is_int(found, N, "all of them are found");
    extent_map_set(map, 0, INT64_MAX, EXTENT_HOLE);
    is_int(extent_map_count(map), 1, "one change over all of them leaves one");
    extent_map_free(map);

    map = extent_map_new(INT64_MAX, SIZE_MAX);
    start = now();
    for (uint64_t i = 0; i < N; i++)
        extent_map_set(map, random_below(UINT64_C(1) << 40) * 8192, 4096, EXTENT_DATA);
    diag("at random: %.3f us each, %.1f bytes each", (now() - start) * 1e6 / N,
         (double)extent_map_bytes(map) / (double)extent_map_count(map));
    ok(extent_map_bytes(map) <= 48 * extent_map_count(map),
       "a million extents in any order take at most 48 bytes each");
    ok(extent_map_check(map), "the map is sound");
    extent_map_free(map);
}

static void
test_grow(void)
{
    struct extent_map *map = extent_map_new(100, SIZE_MAX);
    uint64_t end;

    extent_map_set(map, 50, 1000, EXTENT_HOLE);
    extent_map_grow(map, 300);
    is_int(extent_map_size(map), 300, "a map that grows has the new size");
    ok(extent_map_get(map, 50, &end) == EXTENT_HOLE && end == 100,
       "what was known ends where the export ended");
    ok(extent_map_get(map, 100, &end) == EXTENT_UNKNOWN && end == 300,
       "the new part is unknown");
    extent_map_set(map, 100, 1000, EXTENT_HOLE);
    ok(extent_map_get(map, 50, &end) == EXTENT_HOLE && end == 300,
       "and joins what is before it");
    ok(extent_map_check(map), "the map is sound");
    extent_map_free(map);
}

int
main(void)
{
    test_empty();
    test_random();
    test_limit();
    test_million();
    test_grow();
    done_testing();
}
