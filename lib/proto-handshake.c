/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-handshake.c - greeting, oldstyle, EXPORT_NAME, and the way into transmission
 *
 * Here is decided which dialect the server speaks.  Nothing is kept from before TLS.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base-bytes.h"
#include "proto-engine.h"

enum proto_event_type
engine_start(struct proto *p)
{
    return engine_expect(p, STEP_greeting, WIRE_GREETING_SIZE);
}

enum proto_event_type
on_greeting(struct proto *p, struct proto_event *event)
{
    (void)event;
    if (load_be64(p->unit) != WIRE_NBDMAGIC)
        return engine_fail(p, EPROTO,
                           "this is no NBD server: it does not begin with "
                           "NBDMAGIC");
    p->stats.chunks_received++;
    return engine_expect(p, STEP_style, WIRE_GREETING_SIZE);
}

enum proto_event_type
on_style(struct proto *p, struct proto_event *event)
{
    (void)event;
    switch (load_be64(p->unit)) {
    case WIRE_IHAVEOPT:
        p->newstyle = true;
        return engine_expect(p, STEP_newstyle, WIRE_HANDSHAKE_FLAGS_SIZE);
    case WIRE_OLDSTYLE_MAGIC:
        p->oldstyle = true;
        if (p->config->tls == TLS_REQUIRE)
            return engine_fail(p, ENOTSUP,
                               "TLS is required, but the server is oldstyle, which "
                               "has no TLS");
        return engine_expect(p, STEP_oldstyle, WIRE_OLDSTYLE_SIZE);
    default:
        return engine_fail(p, EPROTO,
                           "the server is neither an oldstyle nor a newstyle NBD "
                           "server");
    }
}

enum proto_event_type
on_newstyle(struct proto *p, struct proto_event *event)
{
    (void)event;
    uint32_t flags = load_be16(p->unit) & p->config->handshake_flags &
                     (WIRE_HANDSHAKE_FIXED_NEWSTYLE | WIRE_HANDSHAKE_NO_ZEROES);
    p->fixed = flags & WIRE_HANDSHAKE_FIXED_NEWSTYLE;
    p->no_zeroes = flags & WIRE_HANDSHAKE_NO_ZEROES;
    if (!p->fixed && p->config->tls == TLS_REQUIRE)
        return engine_fail(p, ENOTSUP,
                           "TLS is required, but the server is not fixed newstyle, so "
                           "that it cannot be asked for TLS");

    uint8_t *answer = engine_message(p, WIRE_CLIENT_FLAGS_SIZE);
    if (!answer)
        return engine_no_memory(p);
    store_be32(answer, flags);
    return engine_negotiate(p);
}

/* ---- exports ---- */

void
engine_clear_export(struct proto *p)
{
    free(p->export_for);
    p->export_for = NULL;
    free(p->export.canonical_name);
    free(p->export.description);
    p->export = (struct proto_export){0};
}

void
engine_clear_contexts(struct proto *p)
{
    for (size_t i = 0; i < p->contexts.len; i++)
        free(p->contexts.items[i].name);
    p->contexts.len = 0;
    p->contexts_granted = false;
    free(p->contexts_for);
    p->contexts_for = NULL;
}

int
engine_set_export(struct proto *p, const struct wire_export *m)
{
    if (m->size > INT64_MAX)
        return EOVERFLOW;
    p->export.known = true;
    p->export.size = m->size;
    p->export.flags = m->flags;
    /* Without HAS_FLAGS the others mean nothing; but to take an export for read-only
     * does no harm. */
    if (!(m->flags & WIRE_FLAG_HAS_FLAGS))
        p->export.flags &= WIRE_FLAG_READ_ONLY;
    return 0;
}

/* Takes the export that an old kind of answer describes. */
static enum proto_event_type
take_export(struct proto *p, const struct wire_export *m)
{
    const char *name = p->config->export_name ? p->config->export_name : "";

    if (!p->export_for) {
        p->export_for = strdup(name);
        if (!p->export_for)
            return engine_no_memory(p);
    }
    if (engine_set_export(p, m) != 0)
        return engine_fail(p, EOVERFLOW,
                           "the export is too large: the server says %llu bytes",
                           (unsigned long long)m->size);
    return PROTO_STEP;
}

enum proto_event_type
on_oldstyle(struct proto *p, struct proto_event *event)
{
    struct wire_oldstyle m;

    (void)event;
    wire_decode_oldstyle(p->unit, &m);
    enum proto_event_type type =
        take_export(p, &(struct wire_export){.size = m.size, .flags = m.flags});
    return type == PROTO_STEP ? engine_expect(p, STEP_start, 0) : type;
}

enum proto_event_type
on_export_name(struct proto *p, struct proto_event *event)
{
    struct wire_export m;

    (void)event;
    wire_decode_export(p->unit, &m);
    p->stats.chunks_received++;
    enum proto_event_type type = take_export(p, &m);
    if (type != PROTO_STEP)
        return type;
    return engine_skip(p, STEP_export_zeroes,
                       p->no_zeroes ? 0 : WIRE_EXPORT_NAME_ZEROES);
}

enum proto_event_type
on_export_zeroes(struct proto *p, struct proto_event *event)
{
    engine_expect(p, STEP_start, 0);
    if (!p->asking)
        return PROTO_STEP;
    p->asking = false;
    event->error = 0;
    return PROTO_OPTION_DONE;
}

/* The driver hears of OPTION_DONE first, where GO was asked for by hand. */
enum proto_event_type
on_start(struct proto *p, struct proto_event *event)
{
    (void)event;
    p->option = 0;
    engine_expect(p, STEP_reply, WIRE_SIMPLE_REPLY_SIZE);
    return PROTO_READY;
}

/* Nothing could be said to the server, so the end is here already. */
enum proto_event_type
on_aborted(struct proto *p, struct proto_event *event)
{
    (void)event;
    return engine_end(p);
}
