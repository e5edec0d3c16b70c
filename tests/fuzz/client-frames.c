/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-frames.c - see client-frames.h */

#include "client-frames.h"

#include "base-bytes.h"
#include "wire.h"

#include <stdlib.h>
#include <string.h>

#define GREETING   18
#define OPTION     20 /* the sizes of headers */
#define SIMPLE     16
#define STRUCTURED 20
#define EXTENDED   32

enum { OTHER, OPTION_REPLY, SIMPLE_REPLY, STRUCTURED_REPLY, EXTENDED_REPLY };

static int
kind_of(const uint8_t *at, size_t left)
{
    if (left >= OPTION && load_be64(at) == WIRE_OPTION_REPLY_MAGIC)
        return OPTION_REPLY;
    if (left >= SIMPLE && load_be32(at) == WIRE_SIMPLE_REPLY_MAGIC)
        return SIMPLE_REPLY;
    if (left >= STRUCTURED && load_be32(at) == WIRE_STRUCTURED_REPLY_MAGIC)
        return STRUCTURED_REPLY;
    if (left >= EXTENDED && load_be32(at) == WIRE_EXTENDED_REPLY_MAGIC)
        return EXTENDED_REPLY;
    return OTHER;
}

/* A simple reply does not tell whether data follow: up to what looks like the next. */
static size_t
frame_length(const uint8_t *at, size_t left)
{
    uint64_t len = 0;

    switch (kind_of(at, left)) {
    case OPTION_REPLY:
        len = OPTION + (uint64_t)load_be32(at + 16);
        break;
    case STRUCTURED_REPLY:
        len = STRUCTURED + (uint64_t)load_be32(at + 16);
        break;
    case EXTENDED_REPLY:
        len = load_be64(at + 24) < left ? EXTENDED + load_be64(at + 24) : left;
        break;
    default:
        for (len = 1; len < left && kind_of(at + len, left - len) == OTHER;)
            len++;
    }
    return len < left ? (size_t)len : left;
}

static void
insert(struct frames *frames, size_t at, const uint8_t *bytes, size_t len)
{
    if (frames->n == FRAMES_MAX)
        return;
    uint8_t *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL)
        abort();
    if (len > 0)
        memcpy(copy, bytes, len);
    memmove(&frames->v[at + 1], &frames->v[at],
            (frames->n - at) * sizeof(struct frame));
    frames->v[at] = (struct frame){copy, len};
    frames->n++;
}

static void
take_out(struct frames *frames, size_t at)
{
    free(frames->v[at].bytes);
    frames->n--;
    memmove(&frames->v[at], &frames->v[at + 1],
            (frames->n - at) * sizeof(struct frame));
}

void
frames_split(struct frames *frames, const uint8_t *stream, size_t len)
{
    frames->n = 0;
    size_t at = len < GREETING ? len : GREETING;
    if (len > 0)
        insert(frames, 0, stream, at);
    while (at < len && frames->n < FRAMES_MAX) {
        size_t n = frame_length(stream + at, len - at);
        insert(frames, frames->n, stream + at, n);
        at += n;
    }
}

/* Header fields by name; NULL where this message has none. */
static uint8_t *
length_field(const struct frame *f)
{
    int kind = kind_of(f->bytes, f->len);

    if (kind == OPTION_REPLY || kind == STRUCTURED_REPLY)
        return f->bytes + 16;
    return kind == EXTENDED_REPLY ? f->bytes + 28 : NULL; /* its lower half */
}

static uint8_t *
field(const struct frame *f, bool want_type)
{
    switch (kind_of(f->bytes, f->len)) {
    case OPTION_REPLY:
        return f->bytes + (want_type ? 14 : 10);
    case STRUCTURED_REPLY:
    case EXTENDED_REPLY:
        return f->bytes + (want_type ? 6 : 4);
    case SIMPLE_REPLY:
        return f->bytes + (want_type ? 6 : 4); /* the error */
    default:
        return f->len >= 18 ? f->bytes + 16 : NULL; /* the greeting's flags */
    }
}

static uint8_t *
cookie_field(const struct frame *f)
{
    return kind_of(f->bytes, f->len) > OPTION_REPLY ? f->bytes + 8 : NULL;
}

static size_t
header_length(const struct frame *f)
{
    static const uint8_t lengths[] = {0, OPTION, SIMPLE, STRUCTURED, EXTENDED};

    return lengths[kind_of(f->bytes, f->len)];
}

static void
add_to_length(const struct frame *f, uint32_t n)
{
    uint8_t *field_at = length_field(f);

    if (field_at != NULL)
        store_be32(field_at, load_be32(field_at) + n);
}

/* Another length of what follows the header, told or not. */
static void
resize(struct frame *f, size_t len, uint8_t fill, bool tell)
{
    size_t before = f->len;
    uint8_t *grown = realloc(f->bytes, len > 0 ? len : 1);

    if (grown == NULL)
        abort();
    if (len > before)
        memset(grown + before, fill, len - before);
    *f = (struct frame){grown, len};
    if (tell)
        add_to_length(f, (uint32_t)(len - before));
}

static void
mutate_payload(struct frame *f, const uint8_t *m)
{
    size_t header = header_length(f), at = header + m[2] % 16;

    if (f->len >= header + 8 && m[4] & 0x80) /* the offset of data and holes */
        store_be64(f->bytes + header, m[4] & 0x40 ? load_be64(f->bytes + header) + m[3]
                                                  : (uint64_t)m[3] << (m[4] & 63));
    else if (at < f->len)
        f->bytes[at] ^= m[3];
}

void
frames_mutate(struct frames *frames, const uint8_t m[MUTATION_BYTES])
{
    static const uint32_t lengths[] = {0,          1,          8,         0xffff,
                                       0x7fffffff, 0xffffffff, 0x2000001, 0x80000000};
    if (frames->n == 0)
        return;
    size_t i = m[1] % frames->n, other = m[2] % frames->n;
    struct frame *f = &frames->v[i];
    uint8_t *p;

    switch (m[0] % 15) {
    case 0:
        break;
    case 14: /* the server ends in the middle */
        resize(f, f->len * m[2] / 256, 0, false);
        while (frames->n > i + 1)
            take_out(frames, frames->n - 1);
        break;
    case 1:
        take_out(frames, i);
        break;
    case 2: /* says it again, now or later */
        insert(frames, m[3] & 1 ? i : other, f->bytes, f->len);
        break;
    case 3: {
        struct frame kept = *f;
        *f = frames->v[other];
        frames->v[other] = kept;
        break;
    }
    case 4:
        if ((p = length_field(f)) != NULL)
            store_be32(p, lengths[m[2] % 8]);
        break;
    case 5:
        add_to_length(f, (uint32_t)(int8_t)m[2]);
        break;
    case 6:
    case 7:
        if ((p = field(f, m[0] % 15 == 6)) != NULL)
            store_be16(p, m[4] & 1 ? (uint16_t)(m[2] << 8 | m[3])
                                   : load_be16(p) ^ (uint16_t)(1U << (m[3] & 15)));
        break;
    case 8: /* another command's answer */
        if ((p = cookie_field(f)) != NULL)
            store_be64(p, load_be64(p) + (uint64_t)(int64_t)(int8_t)m[2]);
        break;
    case 9:
        mutate_payload(f, m);
        break;
    case 10:
        resize(f, f->len + m[2], m[3], m[4] & 1);
        break;
    case 11:
        if (f->len > header_length(f))
            resize(f, f->len - 1 - m[2] % (f->len - header_length(f)), 0, m[4] & 1);
        break;
    case 12: /* anything at all */
        insert(frames, i, m, MUTATION_BYTES);
        break;
    case 13: /* not before all others */
        insert(frames, frames->n, f->bytes, f->len);
        take_out(frames, i);
        break;
    }
}

void
frames_clear(struct frames *frames)
{
    while (frames->n > 0)
        take_out(frames, frames->n - 1);
}
