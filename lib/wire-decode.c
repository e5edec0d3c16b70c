/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire-decode.c - NBD messages from bytes to numbers; judges nothing but block sizes */

#include "wire.h"

#include "base-bytes.h"

void
wire_decode_oldstyle(const uint8_t *bytes, struct wire_oldstyle *m)
{
    m->size = load_be64(bytes);
    m->handshake_flags = load_be16(bytes + 8);
    m->flags = load_be16(bytes + 10);
}

void
wire_decode_option_reply(const uint8_t *bytes, struct wire_option_reply *m)
{
    m->magic = load_be64(bytes);
    m->option = load_be32(bytes + 8);
    m->type = load_be32(bytes + 12);
    m->len = load_be32(bytes + 16);
}

void
wire_decode_export(const uint8_t *bytes, struct wire_export *m)
{
    m->size = load_be64(bytes);
    m->flags = load_be16(bytes + 8);
}

void
wire_decode_block_size(const uint8_t *bytes, struct wire_block_size *m)
{
    m->min = load_be32(bytes);
    m->preferred = load_be32(bytes + 4);
    m->max = load_be32(bytes + 8);
}

/* A maximum below the preferred size is allowed, for exports that are smaller. */
bool
wire_block_size_is_valid(const struct wire_block_size *m)
{
    if (!is_power_of_2(m->min) || m->min > 65536)
        return false;
    if (!is_power_of_2(m->preferred) || m->preferred < m->min || m->preferred < 512)
        return false;
    return m->max == UINT32_MAX || (m->max >= m->min && m->max % m->min == 0);
}

size_t
wire_reply_size(const uint8_t *bytes)
{
    switch (load_be32(bytes)) {
    case WIRE_SIMPLE_REPLY_MAGIC:
        return WIRE_SIMPLE_REPLY_SIZE;
    case WIRE_STRUCTURED_REPLY_MAGIC:
        return WIRE_STRUCTURED_REPLY_SIZE;
    case WIRE_EXTENDED_REPLY_MAGIC:
        return WIRE_EXTENDED_REPLY_SIZE;
    default:
        return 0;
    }
}

void
wire_decode_reply(const uint8_t *bytes, struct wire_reply *m)
{
    *m = (struct wire_reply){.magic = load_be32(bytes), .cookie = load_be64(bytes + 8)};
    if (m->magic == WIRE_SIMPLE_REPLY_MAGIC) {
        m->error = load_be32(bytes + 4);
        return;
    }

    m->flags = load_be16(bytes + 4);
    m->type = load_be16(bytes + 6);
    if (m->magic == WIRE_STRUCTURED_REPLY_MAGIC) {
        m->len = load_be32(bytes + 16);
    } else {
        m->offset = load_be64(bytes + 16);
        m->len = load_be64(bytes + 24);
    }
}

void
wire_decode_hole(const uint8_t *bytes, struct wire_hole *m)
{
    m->offset = load_be64(bytes);
    m->len = load_be32(bytes + 8);
}

void
wire_decode_extent(const uint8_t *bytes, bool extended, struct wire_extent *m)
{
    if (extended) {
        m->len = load_be64(bytes);
        m->flags = load_be64(bytes + 8);
    } else {
        m->len = load_be32(bytes);
        m->flags = load_be32(bytes + 4);
    }
}
