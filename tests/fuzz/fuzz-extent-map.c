/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-extent-map.c - the extent map against a plain array
 *
 * The first byte chooses the limit; then five bytes are one change: its kind, offset
 * and length.  Without a limit the map must be as the array is; with one it may forget,
 * but what it tells must be true.
 */

#undef NDEBUG /* the assertions are the test */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "extent-map.h"

#define SIZE 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
compare(const struct extent_map *map, const uint8_t *model, bool may_forget)
{
    uint64_t end;

    for (uint64_t off = 0; off < SIZE; off = end) {
        enum extent_kind kind = extent_map_get(map, off, &end);
        assert(end > off && end <= SIZE);
        for (uint64_t i = off; i < end; i++)
            assert(model[i] == kind || (may_forget && kind == EXTENT_UNKNOWN));
        if (end < SIZE && !may_forget)
            assert(model[end] != kind); /* the run is whole */
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t model[SIZE] = {0};

    if (size < 1)
        return 0;
    size_t limit = data[0] < 128 ? SIZE_MAX : (size_t)(data[0] - 127) * 3;
    struct extent_map *map = extent_map_new(SIZE, limit);
    if (map == NULL)
        return 0;
    for (uint64_t off = 0; (data[0] & 1) && off < SIZE; off += 4) {
        memset(&model[off], EXTENT_DATA, 2);
        extent_map_set(map, off, 2, EXTENT_DATA);
    }
    for (size_t i = 1; i + 5 <= size; i += 5) {
        enum extent_kind kind = (enum extent_kind)(data[i] % 3);
        uint64_t off = data[i + 1] * 256U + data[i + 2];
        uint64_t len = data[i + 3] * 256U + data[i + 4];
        off %= SIZE + 16;
        if (data[i] & 0x80)
            len = UINT64_MAX - len;
        int r = extent_map_set(map, off, len, kind);
        assert(r == 0 || limit != SIZE_MAX);
        for (uint64_t at = off; at < SIZE && at - off < len; at++)
            model[at] = (uint8_t)kind;
        assert(extent_map_check(map));
    }
    compare(map, model, limit != SIZE_MAX);
    extent_map_free(map);
    return 0;
}
