/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* extent-map-chunks.h - how the extents of a map lie in memory, and where one finds
 * them
 *
 * For extent-map.c only, whose head says what holds between the fields.
 */

#ifndef EXTENT_MAP_CHUNKS_H
#define EXTENT_MAP_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "extent-map.h"

#define CHUNK_EXTENTS 255
#define HOLE_BIT      (UINT64_C(1) << 63)

struct extent {
    uint64_t start;
    uint64_t len_and_kind; /* HOLE_BIT, and the length below it */
};

struct chunk {
    size_t n;
    struct extent e[CHUNK_EXTENTS];
};

struct extent_map {
    uint64_t size;
    uint64_t data;
    uint64_t holes;
    size_t limit;
    size_t n_extents;
    size_t n_chunks;
    size_t room; /* in first and chunk */
    uint64_t *first;
    struct chunk **chunk;
};

/* An extent's place; c == n_chunks is behind the last one. */
struct place {
    size_t c;
    size_t i;
};

static inline uint64_t
len_of(const struct extent *e)
{
    return e->len_and_kind & ~HOLE_BIT;
}

static inline uint64_t
end_of(const struct extent *e)
{
    return e->start + len_of(e);
}

static inline enum extent_kind
kind_of(const struct extent *e)
{
    return e->len_and_kind & HOLE_BIT ? EXTENT_HOLE : EXTENT_DATA;
}

static inline uint64_t *
sum_of(struct extent_map *map, enum extent_kind kind)
{
    return kind == EXTENT_HOLE ? &map->holes : &map->data;
}

static inline struct extent *
at(const struct extent_map *map, struct place p)
{
    return &map->chunk[p.c]->e[p.i];
}

static inline bool
is_end(const struct extent_map *map, struct place p)
{
    return p.c == map->n_chunks;
}

static inline struct place
next_of(const struct extent_map *map, struct place p)
{
    if (p.i + 1 < map->chunk[p.c]->n)
        return (struct place){p.c, p.i + 1};
    return (struct place){p.c + 1, 0};
}

#endif /* EXTENT_MAP_CHUNKS_H */
