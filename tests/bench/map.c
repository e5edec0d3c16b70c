/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* map.c - how long a lookup in the extent map takes, and what an extent weighs
 *
 *     map EXTENTS [LOOKUPS]
 *
 * The map of a disk whose pieces are data and hole in turn, filled once from front to
 * back, as cp asks, and once in random order; then looked up at random places.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "extent-map.h"

#define PIECE 65536

static double
now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* xorshift: fast beside what is measured, and the same each time. */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static enum extent_kind
kind_of(uint64_t piece)
{
    return piece & 1 ? EXTENT_HOLE : EXTENT_DATA;
}

/* Fills in the order given, and returns the seconds it took. */
static double
fill(struct extent_map *map, const uint64_t *order, uint64_t n)
{
    double begin = now_s();

    for (uint64_t i = 0; i < n; i++) {
        if (extent_map_set(map, order[i] * PIECE, PIECE, kind_of(order[i])) < 0) {
            fprintf(stderr, "map: no memory for %" PRIu64 " extents\n", n);
            exit(2);
        }
    }
    return now_s() - begin;
}

/* Seconds for each lookup; every answer is checked. */
static double
look_up(const struct extent_map *map, uint64_t n, uint64_t lookups)
{
    uint64_t state = 88172645463325252u, wrong = 0, end;
    double begin = now_s();

    for (uint64_t i = 0; i < lookups; i++) {
        uint64_t off = next_random(&state) % (n * PIECE);

        if (extent_map_get(map, off, &end) != kind_of(off / PIECE) ||
            end != (off / PIECE + 1) * PIECE)
            wrong++;
    }
    double seconds = now_s() - begin;
    if (wrong) {
        fprintf(stderr, "map: %" PRIu64 " lookups were wrong\n", wrong);
        exit(2);
    }
    return seconds / (double)lookups;
}

int
main(int argc, char **argv)
{
    uint64_t n = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    uint64_t lookups = argc > 2 ? strtoull(argv[2], NULL, 10) : 1000000;
    uint64_t state = 1234567;

    if (n < 1 || n > 100000000 || lookups < 1) {
        fprintf(stderr, "usage: map EXTENTS [LOOKUPS]\n");
        return 2;
    }
    uint64_t *order = calloc(n, sizeof *order);
    struct extent_map *ordered = extent_map_new(n * PIECE, n);
    struct extent_map *shuffled = extent_map_new(n * PIECE, n);
    if (!order || !ordered || !shuffled) {
        fprintf(stderr, "map: no memory\n");
        return 2;
    }
    for (uint64_t i = 0; i < n; i++)
        order[i] = i;
    double in_order = fill(ordered, order, n);
    for (uint64_t i = n - 1; i > 0; i--) {
        uint64_t j = next_random(&state) % (i + 1), piece = order[i];

        order[i] = order[j];
        order[j] = piece;
    }
    double at_random = fill(shuffled, order, n);
    double lookup = look_up(ordered, n, lookups), other = look_up(shuffled, n, lookups);
    size_t bytes = extent_map_bytes(ordered), more = extent_map_bytes(shuffled);

    /* The worse of the two ways to have filled it. */
    printf("lookup_ns=%.1f bytes=%zu fill_ns=%.1f random_fill_ns=%.1f\n",
           (lookup > other ? lookup : other) * 1e9, bytes > more ? bytes : more,
           in_order / (double)n * 1e9, at_random / (double)n * 1e9);
    extent_map_free(ordered);
    extent_map_free(shuffled);
    free(order);
    return 0;
}
