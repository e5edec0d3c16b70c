/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-answer.c - option haggling, the server's half: answers, and what follows
 *
 * An option ends with ACK or an error; before that come as many items as the server
 * likes.  Nothing is believed about lengths, and nothing is kept that nobody asked for.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base-bytes.h"
#include "proto-engine.h"

static enum proto_event_type
next_reply(struct proto *p)
{
    return engine_expect(p, STEP_option_reply, WIRE_OPTION_REPLY_SIZE);
}

static bool
queue_abort(struct proto *p)
{
    uint8_t *bytes = engine_message(p, WIRE_OPTION_SIZE);

    if (bytes) {
        wire_encode_option(bytes, WIRE_OPT_ABORT, 0);
        p->stats.chunks_sent++;
    }
    return bytes;
}

/* ---- the end of an option ---- */

static enum proto_event_type
option_done(struct proto *p, struct proto_event *event, int number)
{
    p->asking = false;
    p->option = 0;
    engine_rest(p, STEP_negotiating);
    event->error = number;
    event->text = p->server_text;
    switch (p->asked) {
    case PROTO_OPT_STARTTLS:
        event->negotiated = p->tls;
        break;
    case PROTO_OPT_STRUCTURED_REPLY:
        event->negotiated = p->structured;
        break;
    case PROTO_OPT_EXTENDED_HEADERS:
        event->negotiated = p->extended;
        break;
    default:
        break;
    }

    if (number == ESHUTDOWN && queue_abort(p)) {
        p->closing = true;
        p->option = WIRE_OPT_ABORT;
        next_reply(p);
    }
    return PROTO_OPTION_DONE;
}

/* The connection cannot be used: says good-bye if there is memory for it, and fails. */
static enum proto_event_type
give_up(struct proto *p, uint32_t type)
{
    const char *name = p->config->export_name ? p->config->export_name : "";
    bool named = p->option == WIRE_OPT_GO;

    p->farewell = queue_abort(p);
    return engine_fail(p, wire_option_errno(type), "%s%.128s%s%s: %s (%s)%s%s",
                       named ? "export \"" : "", named ? name : "", named ? "\": " : "",
                       wire_option_name(p->option), wire_option_error_text(type),
                       wire_option_reply_name(type), p->server_text[0] ? ": " : "",
                       p->server_text);
}

static enum proto_event_type
violation(struct proto *p, const char *what)
{
    return engine_fail(p, EPROTO, "%s: %s", wire_option_name(p->option), what);
}

static enum proto_event_type
tls_granted(struct proto *p)
{
    if (p->tls)
        return violation(p, "granted twice");
    /* Everything from before is void: it may come from somebody in between. */
    p->structured = p->extended = false;
    engine_clear_export(p);
    engine_clear_contexts(p);
    engine_rest(p, STEP_tls);
    return PROTO_START_TLS;
}

enum proto_event_type
on_tls_done(struct proto *p, struct proto_event *event)
{
    p->tls = true;
    return p->asking ? option_done(p, event, 0) : engine_request_extended(p);
}

/* The answer is ACK. */
static enum proto_event_type
granted(struct proto *p, struct proto_event *event)
{
    switch (p->option) {
    case WIRE_OPT_ABORT:
        return engine_end(p);
    case WIRE_OPT_STARTTLS:
        return tls_granted(p);
    case WIRE_OPT_EXTENDED_HEADERS:
        p->extended = true;
        __attribute__((fallthrough));
    case WIRE_OPT_STRUCTURED_REPLY:
        p->structured = true;
        return p->asking ? option_done(p, event, 0) : engine_choose_export(p);
    case WIRE_OPT_SET_META_CONTEXT:
        p->contexts_granted = true;
        if (p->asking && p->asked == PROTO_OPT_SET_META_CONTEXT)
            return option_done(p, event, 0);
        return engine_request_info(p);
    case WIRE_OPT_INFO:
        return option_done(p, event,
                           p->info_error     ? p->info_error
                           : p->export.known ? 0
                                             : EPROTO);
    case WIRE_OPT_GO:
        if (!p->export.known)
            return violation(p, "granted without saying how large the export is");
        return on_export_zeroes(p, event);
    default: /* LIST, LIST_META_CONTEXT */
        return option_done(p, event, 0);
    }
}

/* Another error than ERR_SHUTDOWN, in the automatic sequence. */
static enum proto_event_type
refused_in_sequence(struct proto *p, uint32_t type)
{
    switch (p->option) {
    case WIRE_OPT_STARTTLS:
        return p->config->tls == TLS_REQUIRE ? give_up(p, type)
                                             : engine_request_extended(p);
    case WIRE_OPT_EXTENDED_HEADERS:
        return engine_request_structured(p);
    case WIRE_OPT_STRUCTURED_REPLY:
        return engine_choose_export(p);
    default:
        return give_up(p, type);
    }
}

enum proto_event_type
on_option_refused(struct proto *p, struct proto_event *event)
{
    uint32_t type = p->option_reply.type;

    if (p->option == WIRE_OPT_ABORT)
        return engine_end(p);
    if (type == WIRE_REP_ERR_SHUTDOWN && !p->asking)
        return give_up(p, type);

    if (p->option == WIRE_OPT_SET_META_CONTEXT) {
        /* Partial results do not count. */
        engine_clear_contexts(p);
        if (!(p->asking && p->asked == PROTO_OPT_SET_META_CONTEXT) &&
            type != WIRE_REP_ERR_SHUTDOWN)
            return engine_request_info(p);
    }
    if (p->option == WIRE_OPT_GO && type == WIRE_REP_ERR_UNSUP && !p->extended)
        return engine_request_export_name(p);
    if (p->option == WIRE_OPT_GO || p->option == WIRE_OPT_INFO)
        engine_clear_export(p);
    return p->asking ? option_done(p, event, wire_option_errno(type))
                     : refused_in_sequence(p, type);
}

/* ---- answers ---- */

enum proto_event_type
on_option_skipped(struct proto *p, struct proto_event *event)
{
    (void)event;
    return next_reply(p);
}

/* Does this kind of answer, other than ACK and errors, belong to the option? */
static bool
belongs(uint32_t option, uint32_t type)
{
    switch (type) {
    case WIRE_REP_SERVER:
        return option == WIRE_OPT_LIST;
    case WIRE_REP_INFO:
        return option == WIRE_OPT_INFO || option == WIRE_OPT_GO;
    case WIRE_REP_META_CONTEXT:
        return option == WIRE_OPT_LIST_META_CONTEXT ||
               option == WIRE_OPT_SET_META_CONTEXT;
    default:
        return false;
    }
}

static size_t
at_most(uint32_t len, size_t max)
{
    return len < max ? len : max;
}

enum proto_event_type
on_option_reply(struct proto *p, struct proto_event *event)
{
    struct wire_option_reply *m = &p->option_reply;

    wire_decode_option_reply(p->unit, m);
    if (m->magic != WIRE_OPTION_REPLY_MAGIC)
        return violation(p, "the answer begins with a wrong magic number");
    if (m->option != p->option)
        return violation(p, "the answer is for another option");
    p->stats.chunks_received++;

    if (m->type & WIRE_REP_ERROR_BIT)
        return engine_expect_payload(p, STEP_option_error,
                                     at_most(m->len, WIRE_MAX_STRING));
    if (m->type == WIRE_REP_ACK)
        return m->len == 0 ? granted(p, event) : violation(p, "ACK has a payload");
    if (!belongs(p->option, m->type))
        return violation(p, "the answer is of a type that does not belong to it");

    switch (m->type) {
    case WIRE_REP_SERVER:
        if (m->len < 4)
            break;
        return engine_expect_payload(p, STEP_list_item,
                                     at_most(m->len, 4 + 2 * WIRE_MAX_STRING));
    case WIRE_REP_META_CONTEXT:
        if (m->len < 4 || m->len > 4 + WIRE_MAX_STRING)
            break;
        return engine_expect_payload(p, STEP_context, m->len);
    default:
        if (m->len < WIRE_INFO_TYPE_SIZE)
            break;
        return engine_expect(p, STEP_info, WIRE_INFO_TYPE_SIZE);
    }
    return violation(p, "the answer has an impossible length");
}

enum proto_event_type
on_option_error(struct proto *p, struct proto_event *event)
{
    (void)event;
    engine_keep_text(p, p->payload.items, p->payload.len);
    return engine_skip(p, STEP_option_refused, p->option_reply.len - p->payload.len);
}

/* Ends len bytes of the payload at start with a NUL, over the byte that follows (there
 * is one), and returns them; NULL where there is a NUL in it already. */
static const char *
payload_string(struct proto *p, size_t start, size_t len)
{
    char *s = (char *)p->payload.items + start;

    s[len] = '\0';
    return memchr(s, '\0', len) ? NULL : s;
}

enum proto_event_type
on_list_item(struct proto *p, struct proto_event *event)
{
    size_t rest = p->payload.len - 4;
    uint32_t len = load_be32(p->payload.items);

    if (len > rest || len > WIRE_MAX_STRING)
        return violation(p, "the length of an export's name is impossible");
    /* The name moves to the front of its length, to have place for its NUL. */
    memmove(p->payload.items, p->payload.items + 4, len);
    const char *description =
        payload_string(p, 4 + len, at_most(rest - len, WIRE_MAX_STRING));
    const char *name = payload_string(p, 0, len);
    if (!name)
        return violation(p, "there is a NUL in an export's name");
    event->name = name;
    event->description = description ? description : "";
    engine_skip(p, STEP_option_skipped, p->option_reply.len - p->payload.len);
    return PROTO_LIST_ITEM;
}

enum proto_event_type
on_context(struct proto *p, struct proto_event *event)
{
    uint32_t id = load_be32(p->payload.items);

    if (array_reserve(&p->contexts, 1) == -1)
        return engine_no_memory(p);
    const char *name = payload_string(p, 4, p->payload.len - 4);
    if (!name)
        return violation(p, "there is a NUL in a meta context's name");

    if (p->option == WIRE_OPT_SET_META_CONTEXT) {
        if (p->contexts.len == MAX_CONTEXTS)
            return violation(p, "too many meta contexts are granted");
        char *copy = strdup(name);
        if (!copy)
            return engine_no_memory(p);
        p->contexts.items[p->contexts.len++] =
            (struct proto_context){.name = copy, .id = id};
    }
    next_reply(p);
    if (!p->asking || p->asked == PROTO_OPT_GO || p->asked == PROTO_OPT_INFO)
        return PROTO_STEP;
    event->name = name;
    return PROTO_CONTEXT;
}

enum proto_event_type
on_info(struct proto *p, struct proto_event *event)
{
    uint16_t info = load_be16(p->unit);
    uint32_t rest = p->option_reply.len - WIRE_INFO_TYPE_SIZE;

    (void)event;
    switch (info) {
    case WIRE_INFO_EXPORT:
        if (p->option_reply.len != WIRE_INFO_EXPORT_SIZE)
            break;
        return engine_expect(p, STEP_info_export, rest);
    case WIRE_INFO_BLOCK_SIZE:
        if (p->option_reply.len != WIRE_INFO_BLOCK_SIZE_SIZE)
            break;
        return engine_expect(p, STEP_info_block_size, rest);
    case WIRE_INFO_NAME:
    case WIRE_INFO_DESCRIPTION:
        if (rest > WIRE_MAX_STRING)
            break;
        return engine_expect_payload(
            p, info == WIRE_INFO_NAME ? STEP_info_name : STEP_info_description, rest);
    default:
        return engine_skip(p, STEP_option_skipped, rest);
    }
    return violation(p, "an information about the export has an impossible length");
}

enum proto_event_type
on_info_export(struct proto *p, struct proto_event *event)
{
    struct wire_export m;

    (void)event;
    wire_decode_export(p->unit, &m);
    int number = engine_set_export(p, &m);
    /* After GO the server is in transmission, and there is no way back. */
    if (number && p->option == WIRE_OPT_GO)
        return engine_fail(p, number,
                           "the export is too large: the server says %llu bytes",
                           (unsigned long long)m.size);
    p->info_error = number;
    return next_reply(p);
}

/* Numbers that make no sense are as good as none. */
enum proto_event_type
on_info_block_size(struct proto *p, struct proto_event *event)
{
    struct wire_block_size m;

    (void)event;
    wire_decode_block_size(p->unit, &m);
    bool valid = wire_block_size_is_valid(&m);
    p->export.block_min = valid ? m.min : 0;
    p->export.block_preferred = valid ? m.preferred : 0;
    p->export.block_max = valid ? m.max : 0;
    return next_reply(p);
}

static enum proto_event_type
keep_string(struct proto *p, char **slot)
{
    char *copy = strndup((const char *)p->payload.items, p->payload.len);

    if (!copy)
        return engine_no_memory(p);
    free(*slot);
    *slot = copy;
    return next_reply(p);
}

enum proto_event_type
on_info_name(struct proto *p, struct proto_event *event)
{
    (void)event;
    return keep_string(p, &p->export.canonical_name);
}

enum proto_event_type
on_info_description(struct proto *p, struct proto_event *event)
{
    (void)event;
    return keep_string(p, &p->export.description);
}
