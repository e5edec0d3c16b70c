/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* extent-map.h - what is known of the data and the holes of one export
 *
 * A pure structure: no lock, no I/O, no clock.  Its user has a lock around it.  It is
 * good for a million extents: a lookup takes two binary searches, an extent 16 to 33
 * bytes.  It may always forget: a range that is unknown is asked for again, so running
 * out of memory or of the limit costs time and never truth.
 */

#ifndef NBDMOUNT_EXTENT_MAP_H
#define NBDMOUNT_EXTENT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum extent_kind {
    EXTENT_UNKNOWN,
    EXTENT_DATA,
    EXTENT_HOLE, /* reads as zeros: what base:allocation calls ZERO */
};

struct extent_map;

/* size is at most INT64_MAX.  limit is the greatest number of extents kept.  NULL if
 * there is no memory. */
struct extent_map *extent_map_new(uint64_t size, size_t limit);
void extent_map_free(struct extent_map *map);

/* The export has grown; the new part is unknown. */
void extent_map_grow(struct extent_map *map, uint64_t size);

/* From now on [off, off + len) is of this kind; EXTENT_UNKNOWN forgets it.  The part
 * past the end is ignored.  -ENOMEM: the range, and perhaps the rest of an extent that
 * reached over it, is unknown now; what the map does tell is still true. */
int extent_map_set(struct extent_map *map, uint64_t off, uint64_t len,
                   enum extent_kind kind);

/* The kind of the byte at off, and in *end where the run of this kind ends (> off).
 * off is less than the size. */
enum extent_kind extent_map_get(const struct extent_map *map, uint64_t off,
                                uint64_t *end);

/* Bytes known to be data or hole.  When their sum is the size, all is known. */
uint64_t extent_map_data(const struct extent_map *map);
uint64_t extent_map_holes(const struct extent_map *map);
uint64_t extent_map_size(const struct extent_map *map);

/* Extents kept, and the memory that takes. */
size_t extent_map_count(const struct extent_map *map);
size_t extent_map_bytes(const struct extent_map *map);

/* For tests: false if an invariant is broken. */
bool extent_map_check(const struct extent_map *map);

#endif
