/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-lies.h - sessions that are about transmission; see proto-sessions.h */

#ifndef PROTO_LIES_H
#define PROTO_LIES_H

#include "proto-sessions.h"

static inline void
put_descriptors(struct bytes *b, size_t n, ...)
{
    va_list args;

    va_start(args, n);
    for (size_t i = 0; i < n; i++)
        put_number(b, va_arg(args, uint32_t), 4);
    va_end(args);
}

static inline void
put_wide(struct bytes *b, size_t n, ...)
{
    va_list args;

    va_start(args, n);
    for (size_t i = 0; i < n; i++)
        put_number(b, va_arg(args, uint64_t), 8);
    va_end(args);
}

static inline void
simple_replies(struct session *s, struct bytes *b, uint64_t v)
{
    simple(s, b);
    wish(s, WIRE_CMD_READ, 0, 8);
    wish(s, WIRE_CMD_WRITE, 0, 8);
    wish(s, WIRE_CMD_READ, 8, 8);
    s->window = v;
    put_simple(b, 0, 1);
    put(b, "abcdefgh", 8);
    put_simple(b, 28, 2);
    put_simple(b, 4711, 3);
}

static inline void
simple_error(struct session *s, struct bytes *b, uint64_t v)
{
    simple(s, b);
    wish(s, WIRE_CMD_TRIM, 0, 8);
    put_simple(b, (uint32_t)v, 1);
}

static inline void
structured_replies(struct session *s, struct bytes *b, uint64_t v)
{
    structured(s, b);
    (void)v;
    wish(s, WIRE_CMD_READ, 512, 4096);
    wish(s, WIRE_CMD_WRITE, 512, 1024);
    wish(s, WIRE_CMD_BLOCK_STATUS, 0, 16320);
    wish(s, WIRE_CMD_FLUSH, 0, 0);
    wish(s, WIRE_CMD_READ, 0, 255);
    put_simple(b, 0, 2);
    put_data_chunk(b, 0, 1, 512 + 1024, 1024);
    put_chunk(b, 0, WIRE_CHUNK_BLOCK_STATUS, 3, 4 + 16);
    put_descriptors(b, 5, 7, 4096, 0, 61440, 3);
    put_hole_chunk(b, 0, 1, 512, 1024);
    put_chunk(b, DONE, WIRE_CHUNK_BLOCK_STATUS, 3, 4 + 8);
    put_descriptors(b, 3, 0x80000001, UINT32_MAX, 1);
    put_chunk(b, DONE, WIRE_CHUNK_NONE, 4, 0);
    put_data_chunk(b, DONE, 1, 512 + 2048, 2048);
    put_data_chunk(b, 0, 5, 0, 255);
    put_error_chunk(b, DONE, 5, 5, "a bad sector");
}

static inline void
extended_replies(struct session *s, struct bytes *b, uint64_t v)
{
    extended(s, b);
    (void)v;
    wish(s, WIRE_CMD_READ, 512, 1024);
    wish(s, WIRE_CMD_BLOCK_STATUS, UINT64_C(1) << 32, UINT64_C(3) << 32);
    wish(s, WIRE_CMD_BLOCK_STATUS, 0, UINT64_C(8) << 32);
    s->wishes[2].flags = WIRE_CMD_FLAG_PAYLOAD_LEN;
    put_extended(b, 0, WIRE_CHUNK_OFFSET_DATA, 1, 512, 8 + 512);
    put_number(b, 512, 8);
    put_fill(b, 'x', 512);
    put_extended(b, 0, WIRE_CHUNK_BLOCK_STATUS_EXT, 2, UINT64_C(1) << 32, 8 + 32);
    put_descriptors(b, 2, 7, 2);
    put_wide(b, 4, UINT64_C(1) << 40, UINT64_C(1) << 33, UINT64_MAX, UINT64_C(3));
    put_extended(b, 0, WIRE_CHUNK_OFFSET_HOLE, 1, 512, 12);
    put_number(b, 1024, 8);
    put_number(b, 512, 4);
    put_extended(b, DONE, WIRE_CHUNK_NONE, 1, 512, 0);
    put_extended(b, DONE, WIRE_CHUNK_NONE, 2, UINT64_C(1) << 32, 0);
    put_extended(b, DONE, WIRE_CHUNK_BLOCK_STATUS, 3, 0, 4 + 8);
    put_descriptors(b, 3, 7, 4096, 0);
}

/* One READ of 64 bytes at 1024, and chunks given as offset, length, ...; a hole where
 * the length has bit 31. */
static inline void
chunks(struct session *s, struct bytes *b, size_t n, const uint64_t (*ranges)[2])
{
    structured(s, b);
    wish(s, WIRE_CMD_READ, 1024, 64);
    for (size_t i = 0; i < n; i++) {
        uint32_t len = (uint32_t)ranges[i][1];
        if (len & 0x80000000)
            put_hole_chunk(b, 0, 1, ranges[i][0], len & 0x7fffffff);
        else
            put_data_chunk(b, 0, 1, ranges[i][0], len);
    }
    put_chunk(b, DONE, WIRE_CHUNK_NONE, 1, 0);
}

#define HOLE(len) ((len) | UINT64_C(0x80000000))

static inline void
read_chunks(struct session *s, struct bytes *b, uint64_t v)
{
    static const uint64_t sets[][5][2] = {
        {{1024, 64}},
        {{1056, 32}, {1024, 32}},
        {{1080, 8}, {1032, 8}, {1048, HOLE(32)}, {1040, 8}, {1024, 8}},
        {{1024, 63}},                         /* a byte is missing */
        {{1025, 63}},                         /* the first one */
        {{1024, 32}, {1055, 33}},             /* overlaps what is contiguous */
        {{1056, 32}, {1024, 33}},             /* overlaps what is ahead */
        {{1056, 32}, {1040, 17}, {1024, 32}}, /* the same, both out of order */
        {{1040, 16}, {1050, 8}, {1024, 64}},  /* inside one that is ahead */
        {{UINT64_MAX, 1}, {1024, 64}},
        {{UINT64_MAX - 31, 64}, {1024, 64}},
        {{1023, 1}, {1024, 64}},
        {{1088, 1}, {1024, 64}},
        {{1087, 2}, {1024, 64}},
        {{1024, HOLE(0)}, {1024, 64}},
        {{1024, HOLE(65)}, {1024, 64}},
        {{1030, 4}, {1030, 4}, {1024, 64}},
    };
    size_t n = 0;

    while (n < 5 && sets[v][n][1])
        n++;
    chunks(s, b, n, sets[v]);
}

/* More pieces than the list takes: every other byte. */
static inline void
scattered(struct session *s, struct bytes *b, uint64_t v)
{
    structured(s, b);
    wish(s, WIRE_CMD_READ, 0, 4096);
    for (uint64_t i = 1; i < 2 * v; i += 2)
        put_data_chunk(b, 0, 1, i, 1);
    for (uint64_t i = 0; i < 2 * v; i += 2)
        put_data_chunk(b, 0, 1, i, 1);
    if (2 * v < 4096)
        put_hole_chunk(b, 0, 1, 2 * v, (uint32_t)(4096 - 2 * v));
    put_chunk(b, DONE, WIRE_CHUNK_NONE, 1, 0);
}

/* A reply that ends the connection: a READ and a BLOCK_STATUS are in flight. */
static inline void
violation(struct session *s, struct bytes *b, uint64_t v)
{
    static const struct {
        uint16_t flags, type;
        uint64_t cookie;
        uint32_t len;
    } headers[] = {
        {DONE, WIRE_CHUNK_NONE, 1, 1},
        {0, WIRE_CHUNK_NONE, 1, 0},
        {DONE, WIRE_CHUNK_OFFSET_DATA, 1, 8},
        {DONE, WIRE_CHUNK_OFFSET_DATA, 1, 73},
        {DONE, WIRE_CHUNK_OFFSET_DATA, 2, 9},
        {DONE, WIRE_CHUNK_OFFSET_HOLE, 1, 13},
        {DONE, WIRE_CHUNK_OFFSET_HOLE, 2, 12},
        {DONE, WIRE_CHUNK_BLOCK_STATUS, 1, 12},
        {DONE, WIRE_CHUNK_BLOCK_STATUS, 2, 4},
        {DONE, WIRE_CHUNK_BLOCK_STATUS, 2, 13},
        {DONE, WIRE_CHUNK_BLOCK_STATUS, 2, 4 + 8 * (WIRE_MAX_EXTENTS + 1)},
        {DONE, WIRE_CHUNK_BLOCK_STATUS_EXT, 2, 24},
        {DONE, 3, 1, 0},
        {DONE, 0x7fff, 1, 0},
        {DONE, WIRE_CHUNK_ERROR, 1, 5},
        {DONE, WIRE_CHUNK_ERROR_OFFSET, 1, 13},
        {DONE, 0x8003, 1, 5},
        {DONE, WIRE_CHUNK_NONE, 3, 0},
        {DONE, WIRE_CHUNK_NONE, 0, 0},
    };

    structured(s, b);
    wish(s, WIRE_CMD_READ, 0, 64);
    wish(s, WIRE_CMD_BLOCK_STATUS, 0, 64);
    if (v < sizeof headers / sizeof headers[0]) {
        put_chunk(b, headers[v].flags, headers[v].type, headers[v].cookie,
                  headers[v].len);
        put_fill(b, 0, 100);
    } else if (v == 100) {
        put_simple(b, 0, 1);
    } else if (v == 101) {
        put_simple(b, 5, 3);
    } else if (v == 102) {
        put_fill(b, 'x', 16);
    } else if (v == 103) {
        put_extended(b, DONE, WIRE_CHUNK_NONE, 1, 0, 0);
    } else if (v == 104) { /* answered twice; not retired, for its cookie is even */
        put_error_chunk(b, DONE, 2, 5, "");
        put_error_chunk(b, DONE, 2, 5, "");
    }
}

static inline void
wrong_form(struct session *s, struct bytes *b, uint64_t v)
{
    if (v == 0)
        simple(s, b);
    else
        extended(s, b);
    wish(s, WIRE_CMD_FLUSH, 0, 0);
    wish(s, WIRE_CMD_BLOCK_STATUS, 64, 64);
    if (v == 0)
        put_chunk(b, DONE, WIRE_CHUNK_NONE, 1, 0);
    else if (v == 1)
        put_simple(b, 0, 1);
    else if (v == 2)
        put_extended(b, DONE, WIRE_CHUNK_NONE, 1, 1, 0);
    else if (v == 3)
        put_extended(b, DONE, WIRE_CHUNK_ERROR, 1, 0, UINT64_C(1) << 32);
    else if (v == 4)
        put_extended(b, DONE, WIRE_CHUNK_BLOCK_STATUS_EXT, 2, 64, 8);
    else
        put_extended(b, DONE, WIRE_CHUNK_BLOCK_STATUS_EXT, 2, 64, UINT64_MAX - 7);
    put_fill(b, 0, 100);
}

static inline void
chunk_errors(struct session *s, struct bytes *b, uint64_t v)
{
    structured(s, b);
    wish(s, WIRE_CMD_READ, 1024, 64);
    wish(s, WIRE_CMD_FLUSH, 0, 0);
    switch (v) {
    case 0: /* where it happened, and what */
        put_data_chunk(b, 0, 1, 1024, 64);
        put_chunk(b, DONE, WIRE_CHUNK_ERROR_OFFSET, 1, 6 + 3 + 8);
        put_number(b, 5, 4);
        put_number(b, 3, 2);
        put(b, "bad", 3);
        put_number(b, 1030, 8);
        break;
    case 1: /* outside */
        put_chunk(b, DONE, WIRE_CHUNK_ERROR_OFFSET, 1, 14);
        put_number(b, 5, 4);
        put_number(b, 0, 2);
        put_number(b, 1088, 8);
        break;
    case 2: /* an unknown kind of error, and the rest is thrown away */
        put_chunk(b, 0, 0x9234, 1, 20);
        put_number(b, 28, 4);
        put_number(b, 4, 2);
        put_fill(b, 'x', 14);
        put_error_chunk(b, DONE, 1, 5, "a later one");
        break;
    case 3: /* a text longer than its chunk */
        put_chunk(b, DONE, WIRE_CHUNK_ERROR, 1, 8);
        put_number(b, 5, 4);
        put_number(b, 3, 2);
        put_fill(b, 'x', 2);
        break;
    case 4: /* an error that is none */
        put_error_chunk(b, DONE, 1, 0, "");
        break;
    case 5: /* the longest text */
        put_chunk(b, DONE, WIRE_CHUNK_ERROR_OFFSET, 1, 6 + 65535 + 8 + 1);
        put_number(b, 75, 4);
        put_number(b, 65535, 2);
        put_fill(b, 'x', 65535);
        put_number(b, 1024, 8);
        put_fill(b, 0, 1);
        break;
    case 6:
        put_chunk(b, DONE, WIRE_CHUNK_ERROR, 1, UINT32_MAX);
        put_number(b, 5, 4);
        put_number(b, 0, 2);
        put_fill(b, 0, 70000);
        return;
    default: /* data after an error is still reported */
        put_error_chunk(b, 0, 1, 5, "");
        put_data_chunk(b, 0, 1, 1024, 32);
        put_chunk(b, DONE, WIRE_CHUNK_NONE, 1, 0);
    }
    put_simple(b, 0, 2);
}

static inline void
status_lies(struct session *s, struct bytes *b, uint64_t v)
{
    uint64_t offset = v == 5 ? UINT64_C(1) << 63 : 64;

    if (v < 4)
        structured(s, b);
    else
        extended(s, b);
    wish(s, WIRE_CMD_BLOCK_STATUS, offset, 64);
    switch (v) {
    case 0: /* an unknown context */
        put_chunk(b, DONE, WIRE_CHUNK_BLOCK_STATUS, 1, 12);
        put_descriptors(b, 3, 8, 64, 0);
        break;
    case 1: /* no length */
        put_chunk(b, DONE, WIRE_CHUNK_BLOCK_STATUS, 1, 20);
        put_descriptors(b, 5, 7, 0, 0, 64, 0);
        break;
    case 2: /* nothing at all */
        put_chunk(b, DONE, WIRE_CHUNK_NONE, 1, 0);
        break;
    case 3: /* two where one was asked for */
        s->wishes[0].flags = WIRE_CMD_FLAG_REQ_ONE;
        put_chunk(b, DONE, WIRE_CHUNK_BLOCK_STATUS, 1, 20);
        put_descriptors(b, 5, 7, 32, 0, 32, 0);
        break;
    case 4: /* sums that wrap */
        put_extended(b, DONE, WIRE_CHUNK_BLOCK_STATUS_EXT, 1, offset, 8 + 32);
        put_descriptors(b, 2, 7, 2);
        put_wide(b, 4, UINT64_MAX, UINT64_C(0), UINT64_C(65), UINT64_C(0));
        break;
    case 5: /* beyond all images */
        put_extended(b, DONE, WIRE_CHUNK_BLOCK_STATUS_EXT, 1, offset, 8 + 16);
        put_descriptors(b, 2, 7, 1);
        put_wide(b, 2, UINT64_C(64), UINT64_C(0));
        break;
    default: /* another number than there are */
        put_extended(b, DONE, WIRE_CHUNK_BLOCK_STATUS_EXT, 1, offset, 8 + 16);
        put_descriptors(b, 2, 7, 2);
        put_wide(b, 2, UINT64_C(64), UINT64_C(0));
    }
}

static inline void
simple_status(struct session *s, struct bytes *b, uint64_t v)
{
    structured(s, b);
    wish(s, WIRE_CMD_BLOCK_STATUS, 0, 64);
    put_simple(b, (uint32_t)v, 1);
}

static inline void
shutting_down(struct session *s, struct bytes *b, uint64_t v)
{
    structured(s, b);
    wish(s, WIRE_CMD_FLUSH, 0, 0);
    wish(s, WIRE_CMD_FLUSH, 0, 0);
    wish(s, WIRE_CMD_FLUSH, 0, 0);
    s->window = 2;
    if (v)
        put_error_chunk(b, DONE, 1, 108, "good night");
    else
        put_simple(b, 108, 1);
    put_simple(b, 0, 2);
}

static inline void
leaving(struct session *s, struct bytes *b, uint64_t v)
{
    structured(s, b);
    wish(s, WIRE_CMD_READ, 0, 64);
    wish(s, WIRE_CMD_WRITE, 0, 64);
    s->abandon = v == 1;
    if (v == 2)
        put_data_chunk(b, 0, 1, 0, 32);
    if (v == 3)
        put_chunk(b, DONE, WIRE_CHUNK_OFFSET_DATA, 1, 20);
}

static inline void
large(struct session *s, struct bytes *b, uint64_t v)
{
    simple(s, b);
    wish(s, WIRE_CMD_WRITE_ZEROES, 0, UINT64_C(1) << 32);
    wish(s, WIRE_CMD_READ, 0, 0);
    (void)v;
    put_simple(b, 0, 1);
}

#endif /* PROTO_LIES_H */
