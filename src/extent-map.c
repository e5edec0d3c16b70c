/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* extent-map.c - sorted extents in chunks of about 4 KiB
 *
 * Two levels: an array of chunks, and beside it the first offset of each, which is
 * searched first; then the extents of that chunk.  A full chunk is split in halves, or,
 * where the map grows at its end as it does when a disk is walked from front to back,
 * left full.  Chunks that have run low are merged with a neighbour.
 *
 * Invariants (extent_map_check): extents are sorted, not empty, inside the size, do not
 * overlap, and two that touch are of different kinds; no chunk is empty; first[c] is
 * where chunk c begins; the sums are right.
 */

#include "extent-map.h"
#include "extent-map-chunks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The first extent that ends after off. */
static struct place
find(const struct extent_map *map, uint64_t off)
{
    size_t low = 0, high = map->n_chunks;

    while (low < high) { /* the number of chunks that begin at or before off */
        size_t middle = low + (high - low) / 2;
        if (map->first[middle] <= off)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return (struct place){0, 0};

    struct place p = {low - 1, 0};
    const struct chunk *chunk = map->chunk[p.c];
    low = 0;
    high = chunk->n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (chunk->e[middle].start <= off)
            low = middle + 1;
        else
            high = middle;
    }
    p.i = low - 1;
    return end_of(at(map, p)) > off ? p : next_of(map, p);
}

/* The extent before that place; false if there is none. */
static bool
before(const struct extent_map *map, struct place p, struct place *left)
{
    if (p.i > 0)
        *left = (struct place){p.c, p.i - 1};
    else if (p.c > 0)
        *left = (struct place){p.c - 1, map->chunk[p.c - 1]->n - 1};
    return p.i > 0 || p.c > 0;
}

static void
set_len(struct extent_map *map, struct extent *e, uint64_t len)
{
    enum extent_kind kind = kind_of(e);

    *sum_of(map, kind) += len - len_of(e);
    e->len_and_kind = (e->len_and_kind & HOLE_BIT) | len;
}

/* Moves the start without moving the end. */
static void
set_start(struct extent_map *map, struct place p, uint64_t start)
{
    struct extent *e = at(map, p);
    uint64_t end = end_of(e);

    e->start = start;
    set_len(map, e, end - start);
    if (p.i == 0)
        map->first[p.c] = start;
}

static bool
more_room(struct extent_map *map)
{
    if (map->n_chunks < map->room)
        return true;
    size_t room = map->room > 0 ? map->room * 2 : 8;
    uint64_t *first = realloc(map->first, room * sizeof *first);
    if (first == NULL)
        return false;
    map->first = first;
    struct chunk **chunk = realloc(map->chunk, room * sizeof(*chunk));
    if (chunk == NULL)
        return false;
    map->chunk = chunk;
    map->room = room;
    return true;
}

/* An empty chunk at index c.  The caller fills it and sets first[c]. */
static struct chunk *
add_chunk(struct extent_map *map, size_t c)
{
    if (!more_room(map))
        return NULL;
    struct chunk *chunk = malloc(sizeof *chunk);
    if (chunk == NULL)
        return NULL;
    chunk->n = 0;
    size_t after = map->n_chunks - c;
    memmove(&map->chunk[c + 1], &map->chunk[c], after * sizeof(*map->chunk));
    memmove(&map->first[c + 1], &map->first[c], after * sizeof *map->first);
    map->chunk[c] = chunk;
    map->n_chunks++;
    return chunk;
}

static void
drop_chunks(struct extent_map *map, size_t c, size_t n)
{
    if (n == 0)
        return;
    for (size_t i = c; i < c + n; i++)
        free(map->chunk[i]);
    size_t after = map->n_chunks - c - n;
    memmove(&map->chunk[c], &map->chunk[c + n], after * sizeof(*map->chunk));
    memmove(&map->first[c], &map->first[c + n], after * sizeof *map->first);
    map->n_chunks -= n;
}

/* Where the chunk at p is full, makes it two and moves p to where it is now. */
static bool
split_if_full(struct extent_map *map, struct place *p)
{
    if (map->chunk[p->c]->n < CHUNK_EXTENTS)
        return true;
    struct chunk *right = add_chunk(map, p->c + 1);
    if (right == NULL)
        return false;
    struct chunk *left = map->chunk[p->c];
    bool growing = p->c + 2 == map->n_chunks && p->i == left->n;
    size_t keep = growing ? left->n - 1 : left->n / 2;
    right->n = left->n - keep;
    memcpy(right->e, &left->e[keep], right->n * sizeof right->e[0]);
    left->n = keep;
    map->first[p->c + 1] = right->e[0].start;
    if (p->i > keep) {
        p->i -= keep;
        p->c++;
    }
    return true;
}

/* Inserts before p. */
static int
insert(struct extent_map *map, struct place p, uint64_t start, uint64_t len,
       enum extent_kind kind)
{
    if (map->n_extents >= map->limit)
        return -ENOMEM;
    if (map->n_chunks == 0) {
        if (add_chunk(map, 0) == NULL)
            return -ENOMEM;
    } else {
        /* behind the last extent of a chunk is better than before the first */
        if (p.i == 0 && p.c > 0) {
            p.c--;
            p.i = map->chunk[p.c]->n;
        }
        if (!split_if_full(map, &p))
            return -ENOMEM;
    }
    struct chunk *chunk = map->chunk[p.c];
    memmove(&chunk->e[p.i + 1], &chunk->e[p.i], (chunk->n - p.i) * sizeof chunk->e[0]);
    chunk->e[p.i] = (struct extent){start, len | (kind == EXTENT_HOLE ? HOLE_BIT : 0)};
    chunk->n++;
    map->n_extents++;
    *sum_of(map, kind) += len;
    if (p.i == 0)
        map->first[p.c] = start;
    return 0;
}

/* Merges chunk c with the next one if both together are well below a full one. */
static void
merge_chunks(struct extent_map *map, size_t c)
{
    if (c + 1 >= map->n_chunks)
        return;
    struct chunk *left = map->chunk[c], *right = map->chunk[c + 1];
    if (left->n + right->n > CHUNK_EXTENTS / 4 * 3)
        return;
    memcpy(&left->e[left->n], right->e, right->n * sizeof right->e[0]);
    left->n += right->n;
    map->first[c] = left->e[0].start;
    drop_chunks(map, c + 1, 1);
}

/* Takes the extents i .. j - 1 out of chunk c. */
static void
cut_chunk(struct extent_map *map, size_t c, size_t i, size_t j)
{
    struct chunk *chunk = map->chunk[c];

    for (size_t k = i; k < j; k++)
        *sum_of(map, kind_of(&chunk->e[k])) -= len_of(&chunk->e[k]);
    memmove(&chunk->e[i], &chunk->e[j], (chunk->n - j) * sizeof chunk->e[0]);
    chunk->n -= j - i;
    map->n_extents -= j - i;
    if (chunk->n > 0)
        map->first[c] = chunk->e[0].start;
}

/* Takes out all extents from a up to, not with, b. */
static void
cut(struct extent_map *map, struct place a, struct place b)
{
    if (a.c == b.c) {
        if (a.i == b.i)
            return;
        cut_chunk(map, a.c, a.i, b.i);
    } else {
        for (size_t c = a.c; c < b.c; c++)
            cut_chunk(map, c, c == a.c ? a.i : 0, map->chunk[c]->n);
        if (b.i > 0)
            cut_chunk(map, b.c, 0, b.i);
    }
    size_t from = a.i > 0 ? a.c + 1 : a.c; /* the emptied ones; chunk b.c is not */
    if (b.c > from)
        drop_chunks(map, from, b.c - from);
    if (a.c < map->n_chunks)
        merge_chunks(map, a.c);
    if (a.c > 0)
        merge_chunks(map, a.c - 1);
}

/* Makes [off, end) unknown. */
static int
forget(struct extent_map *map, uint64_t off, uint64_t end)
{
    struct place p = find(map, off);

    if (is_end(map, p) || at(map, p)->start >= end)
        return 0;
    struct extent *e = at(map, p);
    if (e->start < off) {
        uint64_t old_end = end_of(e);
        enum extent_kind kind = kind_of(e);
        set_len(map, e, off - e->start);
        p = next_of(map, p);
        if (old_end > end) /* its rest is kept if that is possible */
            return insert(map, p, end, old_end - end, kind);
    }
    struct place q = find(map, end);
    cut(map, p, q);
    p = find(map, off);
    if (!is_end(map, p) && at(map, p)->start < end)
        set_start(map, p, end);
    return 0;
}

/* Adds [off, end), which is unknown, and joins it with what it touches; right is what
 * find gives for off. */
static int
add(struct extent_map *map, struct place right, uint64_t off, uint64_t end,
    enum extent_kind kind)
{
    bool joins_right = !is_end(map, right) && at(map, right)->start == end &&
                       kind_of(at(map, right)) == kind;
    struct place left;
    if (before(map, right, &left) && end_of(at(map, left)) == off &&
        kind_of(at(map, left)) == kind) {
        uint64_t to = joins_right ? end_of(at(map, right)) : end;
        if (joins_right) {
            cut(map, right, next_of(map, right));
            left = find(map, off - 1); /* cut may have merged chunks */
        }
        struct extent *e = at(map, left);
        set_len(map, e, to - e->start);
        return 0;
    }
    if (joins_right) {
        set_start(map, right, off);
        return 0;
    }
    return insert(map, right, off, end - off, kind);
}

struct extent_map *
extent_map_new(uint64_t size, size_t limit)
{
    struct extent_map *map = calloc(1, sizeof *map);

    if (map == NULL)
        return NULL;
    map->size = size;
    map->limit = limit;
    return map;
}

void
extent_map_free(struct extent_map *map)
{
    if (map == NULL)
        return;
    for (size_t c = 0; c < map->n_chunks; c++)
        free(map->chunk[c]);
    free(map->chunk);
    free(map->first);
    free(map);
}

void
extent_map_grow(struct extent_map *map, uint64_t size)
{
    map->size = size;
}

/* What find gave for off: what is there, and to where. */
static enum extent_kind
kind_at(const struct extent_map *map, struct place p, uint64_t off, uint64_t *end)
{
    if (is_end(map, p)) {
        *end = map->size;
        return EXTENT_UNKNOWN;
    }
    const struct extent *e = at(map, p);
    if (e->start > off) {
        *end = e->start;
        return EXTENT_UNKNOWN;
    }
    *end = end_of(e);
    return kind_of(e);
}

int
extent_map_set(struct extent_map *map, uint64_t off, uint64_t len,
               enum extent_kind kind)
{
    if (off >= map->size || len == 0)
        return 0;
    if (len > map->size - off)
        len = map->size - off;

    uint64_t run_end;
    struct place p = find(map, off);
    enum extent_kind now = kind_at(map, p, off, &run_end);
    bool all = run_end >= off + len;
    if (now == kind && all)
        return 0;
    if (now == EXTENT_UNKNOWN && all)
        return add(map, p, off, off + len, kind);
    int r = forget(map, off, off + len);
    if (kind == EXTENT_UNKNOWN)
        return r;
    int s = add(map, find(map, off), off, off + len, kind);
    return r != 0 ? r : s;
}

enum extent_kind
extent_map_get(const struct extent_map *map, uint64_t off, uint64_t *end)
{
    return kind_at(map, find(map, off), off, end);
}

uint64_t
extent_map_data(const struct extent_map *map)
{
    return map->data;
}

uint64_t
extent_map_holes(const struct extent_map *map)
{
    return map->holes;
}

uint64_t
extent_map_size(const struct extent_map *map)
{
    return map->size;
}

size_t
extent_map_count(const struct extent_map *map)
{
    return map->n_extents;
}

size_t
extent_map_bytes(const struct extent_map *map)
{
    return sizeof *map + map->n_chunks * sizeof(struct chunk) +
           map->room * (sizeof *map->first + sizeof(*map->chunk));
}

bool
extent_map_check(const struct extent_map *map)
{
    uint64_t data = 0, holes = 0, last_end = 0;
    enum extent_kind last = EXTENT_UNKNOWN;
    size_t n = 0;

    for (size_t c = 0; c < map->n_chunks; c++) {
        const struct chunk *chunk = map->chunk[c];
        if (chunk->n == 0 || chunk->n > CHUNK_EXTENTS ||
            map->first[c] != chunk->e[0].start)
            return false;
        for (size_t i = 0; i < chunk->n; i++, n++) {
            const struct extent *e = &chunk->e[i];
            if (len_of(e) == 0 || e->start < last_end || end_of(e) > map->size ||
                (n > 0 && e->start == last_end && kind_of(e) == last))
                return false;
            last_end = end_of(e);
            last = kind_of(e);
            *(last == EXTENT_HOLE ? &holes : &data) += len_of(e);
        }
    }
    return n == map->n_extents && n <= map->limit && data == map->data &&
           holes == map->holes;
}
