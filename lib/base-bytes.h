/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base-bytes.h - big-endian numbers in byte buffers, and arithmetic that cannot wrap
 *
 * Loads and stores go byte by byte, so that alignment and the machine's byte order do
 * not matter; compilers turn them into a single instruction and a swap.
 */

#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stdint.h>

static inline uint16_t
load_be16(const uint8_t *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t
load_be32(const uint8_t *p)
{
    return (uint32_t)load_be16(p) << 16 | load_be16(p + 2);
}

static inline uint64_t
load_be64(const uint8_t *p)
{
    return (uint64_t)load_be32(p) << 32 | load_be32(p + 4);
}

static inline void
store_be16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)(v >> 8);
    p[1] = (uint8_t)v;
}

static inline void
store_be32(uint8_t *p, uint32_t v)
{
    store_be16(p, (uint16_t)(v >> 16));
    store_be16(p + 2, (uint16_t)v);
}

static inline void
store_be64(uint8_t *p, uint64_t v)
{
    store_be32(p, (uint32_t)(v >> 32));
    store_be32(p + 4, (uint32_t)v);
}

/* Does [off, off + len) lie inside [0, size)?  Written so that nothing can wrap. */
static inline bool
range_is_inside(uint64_t off, uint64_t len, uint64_t size)
{
    return len <= size && off <= size - len;
}

static inline bool
is_power_of_2(uint64_t v)
{
    return v != 0 && (v & (v - 1)) == 0;
}

#endif /* BASE_BYTES_H */
