/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-server.h - what an NBD server says, built piece by piece, for tests
 *
 * Made by hand from the specification, not with lib/'s encoders.
 */

#ifndef PROTO_SERVER_H
#define PROTO_SERVER_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "wire.h"

struct bytes {
    uint8_t *items;
    size_t len, capacity;
};

static inline void
put(struct bytes *b, const void *from, size_t len)
{
    if (len > b->capacity - b->len) {
        b->capacity = 2 * (b->len + len) + 64;
        b->items = realloc(b->items, b->capacity);
        if (!b->items)
            abort();
    }
    if (len > 0)
        memcpy(b->items + b->len, from, len);
    b->len += len;
}

/* A number of so many bytes, the highest first. */
static inline void
put_number(struct bytes *b, uint64_t v, size_t len)
{
    uint8_t bytes[8];

    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)(v >> (8 * (len - 1 - i)));
    put(b, bytes, len);
}

static inline void
put_fill(struct bytes *b, uint8_t byte, size_t len)
{
    while (len-- > 0)
        put(b, &byte, 1);
}

static inline void
put_newstyle(struct bytes *b, uint16_t flags)
{
    put_number(b, WIRE_NBDMAGIC, 8);
    put_number(b, WIRE_IHAVEOPT, 8);
    put_number(b, flags, 2);
}

static inline void
put_oldstyle(struct bytes *b, uint64_t size, uint16_t flags)
{
    put_number(b, WIRE_NBDMAGIC, 8);
    put_number(b, WIRE_OLDSTYLE_MAGIC, 8);
    put_number(b, size, 8);
    put_number(b, flags, 4);
    put_fill(b, 0, 124);
}

static inline void
put_option_reply(struct bytes *b, uint32_t option, uint32_t type, uint32_t len)
{
    put_number(b, WIRE_OPTION_REPLY_MAGIC, 8);
    put_number(b, option, 4);
    put_number(b, type, 4);
    put_number(b, len, 4);
}

static inline void
put_ack(struct bytes *b, uint32_t option)
{
    put_option_reply(b, option, WIRE_REP_ACK, 0);
}

static inline void
put_option_error(struct bytes *b, uint32_t option, uint32_t type, const char *text)
{
    put_option_reply(b, option, type, (uint32_t)strlen(text));
    put(b, text, strlen(text));
}

static inline void
put_info_export(struct bytes *b, uint32_t option, uint64_t size, uint16_t flags)
{
    put_option_reply(b, option, WIRE_REP_INFO, 12);
    put_number(b, WIRE_INFO_EXPORT, 2);
    put_number(b, size, 8);
    put_number(b, flags, 2);
}

static inline void
put_info_block_size(struct bytes *b, uint32_t option, uint32_t min, uint32_t preferred,
                    uint32_t max)
{
    put_option_reply(b, option, WIRE_REP_INFO, 14);
    put_number(b, WIRE_INFO_BLOCK_SIZE, 2);
    put_number(b, min, 4);
    put_number(b, preferred, 4);
    put_number(b, max, 4);
}

static inline void
put_info_string(struct bytes *b, uint32_t option, uint16_t info, const char *text)
{
    put_option_reply(b, option, WIRE_REP_INFO, 2 + (uint32_t)strlen(text));
    put_number(b, info, 2);
    put(b, text, strlen(text));
}

static inline void
put_server(struct bytes *b, const char *name, const char *description)
{
    size_t len = strlen(name);

    put_option_reply(b, WIRE_OPT_LIST, WIRE_REP_SERVER,
                     (uint32_t)(4 + len + strlen(description)));
    put_number(b, len, 4);
    put(b, name, len);
    put(b, description, strlen(description));
}

static inline void
put_context(struct bytes *b, uint32_t option, uint32_t id, const char *name)
{
    put_option_reply(b, option, WIRE_REP_META_CONTEXT, 4 + (uint32_t)strlen(name));
    put_number(b, id, 4);
    put(b, name, strlen(name));
}

static inline void
put_simple(struct bytes *b, uint32_t error, uint64_t cookie)
{
    put_number(b, WIRE_SIMPLE_REPLY_MAGIC, 4);
    put_number(b, error, 4);
    put_number(b, cookie, 8);
}

static inline void
put_chunk(struct bytes *b, uint16_t flags, uint16_t type, uint64_t cookie, uint32_t len)
{
    put_number(b, WIRE_STRUCTURED_REPLY_MAGIC, 4);
    put_number(b, flags, 2);
    put_number(b, type, 2);
    put_number(b, cookie, 8);
    put_number(b, len, 4);
}

static inline void
put_extended(struct bytes *b, uint16_t flags, uint16_t type, uint64_t cookie,
             uint64_t offset, uint64_t len)
{
    put_number(b, WIRE_EXTENDED_REPLY_MAGIC, 4);
    put_number(b, flags, 2);
    put_number(b, type, 2);
    put_number(b, cookie, 8);
    put_number(b, offset, 8);
    put_number(b, len, 8);
}

static inline void
put_data_chunk(struct bytes *b, uint16_t flags, uint64_t cookie, uint64_t offset,
               uint32_t len)
{
    put_chunk(b, flags, WIRE_CHUNK_OFFSET_DATA, cookie, 8 + len);
    put_number(b, offset, 8);
    for (uint32_t i = 0; i < len; i++)
        put_number(b, (offset + i) * 7 + 3, 1);
}

static inline void
put_hole_chunk(struct bytes *b, uint16_t flags, uint64_t cookie, uint64_t offset,
               uint32_t len)
{
    put_chunk(b, flags, WIRE_CHUNK_OFFSET_HOLE, cookie, 12);
    put_number(b, offset, 8);
    put_number(b, len, 4);
}

static inline void
put_error_chunk(struct bytes *b, uint16_t flags, uint64_t cookie, uint32_t error,
                const char *text)
{
    put_chunk(b, flags, WIRE_CHUNK_ERROR, cookie, 6 + (uint32_t)strlen(text));
    put_number(b, error, 4);
    put_number(b, strlen(text), 2);
    put(b, text, strlen(text));
}

#endif /* PROTO_SERVER_H */
