/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-reply.c - transmission: simple, structured and extended replies
 *
 * Everything is checked before memory of the user is pointed at.  Two kinds of lies:
 * one that leaves in doubt where the next message begins, or whose answer this is, ends
 * the connection; one that does not, fails the command (EPROTO) and its bytes are
 * thrown away.
 */

#include <errno.h>
#include <string.h>

#include "base-bytes.h"
#include "proto-engine.h"

/* ---- beginning and end of a reply ---- */

static enum proto_event_type
next_reply(struct proto *p)
{
    p->cmd = NULL;
    return engine_expect(p, STEP_reply, WIRE_SIMPLE_REPLY_SIZE);
}

static void
set_error(struct proto_cmd *cmd, int number)
{
    if (!cmd->error)
        cmd->error = number;
}

/* The final reply is complete. */
static void
finish(struct proto *p)
{
    struct proto_cmd *cmd = p->cmd;

    if (cmd->type == WIRE_CMD_READ && cmd->contiguous != cmd->count)
        set_error(cmd, EPROTO);
    if (cmd->type == WIRE_CMD_BLOCK_STATUS && !cmd->data_seen)
        set_error(cmd, EPROTO);
    engine_conclude(p, cmd, 0);
    if (p->shutdown_seen)
        engine_soft_disconnect(p);
}

/* The chunk is dealt with: returns type. */
static enum proto_event_type
end_chunk(struct proto *p, enum proto_event_type type)
{
    if (p->reply.flags & WIRE_REPLY_FLAG_DONE)
        finish(p);
    next_reply(p);
    return type;
}

/* What remains of the chunk is of no use. */
static enum proto_event_type
skip_chunk(struct proto *p, int number)
{
    if (number)
        set_error(p->cmd, number);
    return engine_skip(p, STEP_chunk_skipped, p->chunk_left);
}

enum proto_event_type
on_chunk_skipped(struct proto *p, struct proto_event *event)
{
    (void)event;
    return end_chunk(p, PROTO_STEP);
}

/* A part of a READ's buffer. */
static enum proto_event_type
expect_data(struct proto *p, enum proto_step step, uint64_t start, uint64_t count)
{
    p->bulky = count > BULKY_PAYLOAD;
    return engine_expect_at(p, step, (uint8_t *)p->cmd->buf + start, (size_t)count);
}

/* ---- simple replies ---- */

static enum proto_event_type
on_simple(struct proto *p)
{
    struct proto_cmd *cmd = p->cmd;

    if (p->reply.error) {
        set_error(cmd, wire_errno(p->reply.error));
        if (cmd->error == ESHUTDOWN)
            p->shutdown_seen = true;
    } else if (cmd->type == WIRE_CMD_READ) {
        return expect_data(p, STEP_simple_data, 0, cmd->count);
    }
    p->bulky = false;
    finish(p);
    return next_reply(p);
}

/* Fills in where in the image the event's bytes are. */
static void
set_range(struct proto_event *event, struct proto_cmd *cmd, uint64_t start,
          uint64_t count)
{
    event->cmd = cmd;
    event->offset = cmd->offset + start;
    event->count = count;
}

enum proto_event_type
on_simple_data(struct proto *p, struct proto_event *event)
{
    set_range(event, p->cmd, 0, p->cmd->count);
    p->cmd->contiguous = p->cmd->count;
    finish(p);
    next_reply(p);
    return PROTO_DATA;
}

enum proto_event_type
on_reply(struct proto *p, struct proto_event *event)
{
    size_t size = wire_reply_size(p->unit);
    uint32_t magic = load_be32(p->unit);

    (void)event;
    if (size == 0)
        return engine_fail(p, EPROTO,
                           "a reply begins with the unknown magic number "
                           "0x%08x",
                           magic);
    if ((p->extended && magic != WIRE_EXTENDED_REPLY_MAGIC) ||
        (!p->extended && magic == WIRE_EXTENDED_REPLY_MAGIC) ||
        (!p->structured && magic == WIRE_STRUCTURED_REPLY_MAGIC))
        return engine_fail(p, EPROTO,
                           "a reply is of a form that was not negotiated "
                           "(magic number 0x%08x)",
                           magic);
    p->stats.chunks_received++;
    if (size > WIRE_SIMPLE_REPLY_SIZE)
        return engine_expect_at(p, STEP_chunk, p->unit + WIRE_SIMPLE_REPLY_SIZE,
                                size - WIRE_SIMPLE_REPLY_SIZE);

    wire_decode_reply(p->unit, &p->reply);
    p->cmd = engine_find_awaited(p, p->reply.cookie);
    if (!p->cmd)
        return engine_fail(p, EPROTO,
                           "a reply has the cookie %llu, of no command that "
                           "waits for one",
                           (unsigned long long)p->reply.cookie);
    if (p->structured && p->cmd->type == WIRE_CMD_READ)
        return engine_fail(p, EPROTO,
                           "a simple reply to %s, although structured "
                           "replies were negotiated",
                           wire_cmd_name(p->cmd->type));
    return on_simple(p);
}

/* ---- chunks ---- */

/* Can a chunk of this type, as an answer to this command, have this length? */
static bool
is_possible(const struct proto *p)
{
    const struct proto_cmd *cmd = p->cmd;
    uint64_t len = p->reply.len;

    if (p->reply.type & WIRE_CHUNK_ERROR_BIT)
        return len <= UINT32_MAX &&
               len >= (p->reply.type == WIRE_CHUNK_ERROR_OFFSET ? WIRE_ERROR_OFFSET_SIZE
                                                                : WIRE_ERROR_SIZE);
    switch (p->reply.type) {
    case WIRE_CHUNK_NONE:
        return len == 0 && p->reply.flags & WIRE_REPLY_FLAG_DONE;
    case WIRE_CHUNK_OFFSET_DATA:
        return cmd->type == WIRE_CMD_READ && len > WIRE_OFFSET_SIZE &&
               len - WIRE_OFFSET_SIZE <= cmd->count;
    case WIRE_CHUNK_OFFSET_HOLE:
        return cmd->type == WIRE_CMD_READ && len == WIRE_HOLE_SIZE;
    case WIRE_CHUNK_BLOCK_STATUS:
        return cmd->type == WIRE_CMD_BLOCK_STATUS && len > WIRE_STATUS_SIZE &&
               (len - WIRE_STATUS_SIZE) % WIRE_EXTENT_SIZE == 0 &&
               (len - WIRE_STATUS_SIZE) / WIRE_EXTENT_SIZE <= WIRE_MAX_EXTENTS;
    case WIRE_CHUNK_BLOCK_STATUS_EXT:
        return p->extended && cmd->type == WIRE_CMD_BLOCK_STATUS &&
               len > WIRE_STATUS_EXT_SIZE &&
               (len - WIRE_STATUS_EXT_SIZE) % WIRE_EXTENT_EXT_SIZE == 0 &&
               (len - WIRE_STATUS_EXT_SIZE) / WIRE_EXTENT_EXT_SIZE <= WIRE_MAX_EXTENTS;
    default:
        return false;
    }
}

static enum proto_event_type
expect_part(struct proto *p, enum proto_step step, size_t len)
{
    p->chunk_left -= len;
    return engine_expect(p, step, len);
}

enum proto_event_type
on_chunk(struct proto *p, struct proto_event *event)
{
    struct wire_reply *m = &p->reply;

    (void)event;
    wire_decode_reply(p->unit, m);
    p->cmd = engine_find_awaited(p, m->cookie);
    if (!p->cmd)
        return engine_fail(p, EPROTO,
                           "a reply has the cookie %llu, of no command that "
                           "waits for one",
                           (unsigned long long)m->cookie);
    if (p->extended && m->offset != p->cmd->offset)
        return engine_fail(p, EPROTO, "the reply to %s is for another offset",
                           wire_cmd_name(p->cmd->type));
    if (!is_possible(p))
        return engine_fail(p, EPROTO,
                           "the reply to %s has an impossible chunk: type "
                           "%u (%s), length %llu",
                           wire_cmd_name(p->cmd->type), m->type,
                           wire_chunk_name(m->type), (unsigned long long)m->len);

    p->chunk_left = m->len;
    if (m->type != WIRE_CHUNK_OFFSET_DATA)
        p->bulky = false;
    if (m->type & WIRE_CHUNK_ERROR_BIT)
        return expect_part(p, STEP_chunk_error, WIRE_ERROR_SIZE);
    switch (m->type) {
    case WIRE_CHUNK_OFFSET_DATA:
        return expect_part(p, STEP_chunk_offset, WIRE_OFFSET_SIZE);
    case WIRE_CHUNK_OFFSET_HOLE:
        return expect_part(p, STEP_chunk_hole, WIRE_HOLE_SIZE);
    case WIRE_CHUNK_BLOCK_STATUS:
    case WIRE_CHUNK_BLOCK_STATUS_EXT:
        return engine_expect_payload(p, STEP_chunk_status, (size_t)m->len);
    default: /* NONE */
        return end_chunk(p, PROTO_STEP);
    }
}

/* ---- READ ---- */

/* Is this part of the image inside the command and new?  0 or an errno; then the chunk
 * is noted as answered. */
static int
claim_range(struct proto *p, uint64_t offset, uint64_t len)
{
    struct proto_cmd *cmd = p->cmd;

    if (len == 0 || offset < cmd->offset ||
        !range_is_inside(offset - cmd->offset, len, cmd->count))
        return EPROTO;
    p->chunk_offset = offset - cmd->offset;
    p->chunk_len = len;
    return ranges_add(p, cmd, p->chunk_offset, len);
}

enum proto_event_type
on_chunk_offset(struct proto *p, struct proto_event *event)
{
    (void)event;
    int number = claim_range(p, load_be64(p->unit), p->chunk_left);
    if (number)
        return skip_chunk(p, number);
    return expect_data(p, STEP_chunk_data, p->chunk_offset, p->chunk_len);
}

enum proto_event_type
on_chunk_data(struct proto *p, struct proto_event *event)
{
    set_range(event, p->cmd, p->chunk_offset, p->chunk_len);
    return end_chunk(p, PROTO_DATA);
}

enum proto_event_type
on_chunk_hole(struct proto *p, struct proto_event *event)
{
    struct wire_hole m;

    wire_decode_hole(p->unit, &m);
    int number = claim_range(p, m.offset, m.len);
    if (number)
        return skip_chunk(p, number);
    set_range(event, p->cmd, p->chunk_offset, p->chunk_len);
    return end_chunk(p, PROTO_HOLE);
}

/* ---- BLOCK_STATUS ---- */

/* The chunk's n descriptors to p->extents: 0 or an errno. */
static int
take_extents(struct proto *p, const uint8_t *bytes, size_t n, bool wide)
{
    uint64_t room = p->cmd->offset < INT64_MAX ? INT64_MAX - p->cmd->offset : 0;

    p->extents.len = 0;
    if (array_reserve(&p->extents, n) == -1)
        return ENOMEM;
    for (size_t i = 0; i < n; i++) {
        struct wire_extent m;
        wire_decode_extent(bytes, wide, &m);
        bytes += wide ? WIRE_EXTENT_EXT_SIZE : WIRE_EXTENT_SIZE;
        /* The last one may run past the request, but not past all images. */
        if (m.len > room && i == n - 1)
            m.len = room;
        if (m.len == 0 || m.len > room)
            return EPROTO;
        room -= m.len;
        p->extents.items[p->extents.len++] =
            (struct proto_extent){.length = m.len, .flags = m.flags};
    }
    return 0;
}

static const struct proto_context *
find_context(const struct proto *p, uint32_t id)
{
    for (size_t i = 0; i < p->contexts.len; i++)
        if (p->contexts.items[i].id == id)
            return &p->contexts.items[i];
    return NULL;
}

enum proto_event_type
on_chunk_status(struct proto *p, struct proto_event *event)
{
    bool wide = p->reply.type == WIRE_CHUNK_BLOCK_STATUS_EXT;
    size_t head = wide ? WIRE_STATUS_EXT_SIZE : WIRE_STATUS_SIZE;
    size_t n =
        (p->payload.len - head) / (wide ? WIRE_EXTENT_EXT_SIZE : WIRE_EXTENT_SIZE);
    const struct proto_context *context = find_context(p, load_be32(p->payload.items));
    int number = 0;

    p->chunk_left = 0;
    if (!context || (wide && load_be32(p->payload.items + 4) != n) ||
        (p->cmd->flags & WIRE_CMD_FLAG_REQ_ONE && n != 1))
        number = EPROTO;
    if (number == 0)
        number = take_extents(p, p->payload.items + head, n, wide);
    if (number)
        return skip_chunk(p, number);

    p->cmd->data_seen = true;
    event->cmd = p->cmd;
    event->name = context->name;
    event->offset = p->cmd->offset;
    event->extents = p->extents.items;
    event->nr_extents = n;
    return end_chunk(p, PROTO_EXTENTS);
}

/* ---- errors ---- */

/* Types that are not known begin like the known ones. */
enum proto_event_type
on_chunk_error(struct proto *p, struct proto_event *event)
{
    uint32_t error = load_be32(p->unit);
    uint32_t text = load_be16(p->unit + 4);
    uint64_t tail = p->reply.type == WIRE_CHUNK_ERROR_OFFSET ? WIRE_OFFSET_SIZE : 0;

    (void)event;
    p->chunk_error = error ? wire_errno(error) : EPROTO;
    if (p->chunk_error == ESHUTDOWN)
        p->shutdown_seen = true;
    set_error(p->cmd, p->chunk_error);
    if (text > p->chunk_left - tail)
        return skip_chunk(p, 0);
    p->chunk_left -= text;
    p->chunk_text_left = text > WIRE_MAX_STRING ? text - WIRE_MAX_STRING : 0;
    return engine_expect_payload(p, STEP_chunk_error_text, text - p->chunk_text_left);
}

enum proto_event_type
on_chunk_error_text(struct proto *p, struct proto_event *event)
{
    (void)event;
    engine_keep_text(p, p->payload.items, p->payload.len);
    return engine_skip(p, STEP_chunk_error_tail, p->chunk_text_left);
}

enum proto_event_type
on_chunk_error_tail(struct proto *p, struct proto_event *event)
{
    (void)event;
    if (p->reply.type == WIRE_CHUNK_ERROR_OFFSET)
        return expect_part(p, STEP_chunk_error_offset, WIRE_OFFSET_SIZE);
    return skip_chunk(p, 0);
}

enum proto_event_type
on_chunk_error_offset(struct proto *p, struct proto_event *event)
{
    uint64_t offset = load_be64(p->unit);
    struct proto_cmd *cmd = p->cmd;

    skip_chunk(p, 0);
    if (cmd->type != WIRE_CMD_READ || offset < cmd->offset ||
        offset - cmd->offset >= cmd->count)
        return PROTO_STEP;
    set_range(event, cmd, offset - cmd->offset, 0);
    event->error = p->chunk_error;
    event->text = p->server_text;
    return PROTO_CHUNK_ERROR;
}
