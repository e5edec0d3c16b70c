/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto.c - the protocol engine: life, input, expectations, and what is known
 *
 * Knows that units are filled and steps are made, not what is in them.
 */

#include "proto.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base-text.h"
#include "proto-engine.h"

static const struct {
    const char *name;
    enum proto_phase phase;
    proto_step_function *function; /* NULL: nothing is expected */
} steps[PROTO_STEPS] = {
#define UNIT_STEP(step, phase, name) [STEP_##step] = {name, phase, on_##step},
#define IDLE_STEP(step, phase, name) [STEP_##step] = {name, phase, NULL},
    PROTO_UNIT_STEPS(UNIT_STEP) PROTO_IDLE_STEPS(IDLE_STEP)};

/* ---- life ---- */

struct proto *
proto_new(const struct proto_config *config)
{
    struct proto *p = calloc(1, sizeof *p);
    if (!p)
        return NULL;

    p->look = malloc(LOOK_AHEAD_SIZE);
    if (!p->look) {
        free(p);
        return NULL;
    }
    p->config = config;
    p->messages_end = &p->messages;
    p->next_cookie = 1;
    engine_start(p);
    return p;
}

void
proto_free(struct proto *p)
{
    if (!p)
        return;
    for (struct message *m = p->messages, *next; m; m = next) {
        next = m->next;
        free(m);
    }
    engine_clear_export(p);
    engine_clear_contexts(p);
    array_clear(&p->contexts);
    array_clear(&p->payload);
    array_clear(&p->extents);
    ranges_free_all(p);
    free(p->slots);
    free(p->look);
    free(p);
}

/* ---- expectations ---- */

enum proto_event_type
engine_expect_at(struct proto *p, enum proto_step step, void *dest, size_t len)
{
    p->step = step;
    p->dest = dest;
    p->left = len;
    return PROTO_STEP;
}

enum proto_event_type
engine_expect(struct proto *p, enum proto_step step, size_t len)
{
    assert(len <= sizeof p->unit);
    return engine_expect_at(p, step, p->unit, len);
}

enum proto_event_type
engine_expect_payload(struct proto *p, enum proto_step step, size_t len)
{
    p->payload.len = 0;
    if (array_reserve(&p->payload, len + 1) == -1)
        return engine_no_memory(p);
    p->payload.len = len;
    return engine_expect_at(p, step, p->payload.items, len);
}

enum proto_event_type
engine_skip(struct proto *p, enum proto_step step, uint64_t len)
{
    p->step = step;
    p->left = 0;
    p->skip = len;
    return PROTO_STEP;
}

enum proto_event_type
engine_rest(struct proto *p, enum proto_step idle_step)
{
    return engine_expect_at(p, idle_step, NULL, 0);
}

static bool
is_at_end(const struct proto *p)
{
    return p->step == STEP_closed || p->step == STEP_dead;
}

/* ---- the ends ---- */

enum proto_event_type
engine_fail(struct proto *p, int number, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_vset(&p->error, number, format, args);
    va_end(args);

    engine_skip(p, STEP_dead, 0);
    engine_conclude_all(p);
    return PROTO_FAILED;
}

enum proto_event_type
engine_no_memory(struct proto *p)
{
    return engine_fail(p, ENOMEM, "out of memory");
}

enum proto_event_type
engine_end(struct proto *p)
{
    engine_skip(p, STEP_closed, 0);
    engine_conclude_all(p);
    return PROTO_END;
}

static enum proto_event_type
on_eof(struct proto *p)
{
    if (p->closing)
        return engine_end(p);
    if (p->option && steps[p->step].phase == PROTO_HANDSHAKE)
        return engine_fail(p, ENOTCONN,
                           "the server closed the connection instead of answering %s",
                           wire_option_name(p->option));
    return engine_fail(p, ENOTCONN, "the server closed the connection unexpectedly%s",
                       steps[p->step].phase == PROTO_HANDSHAKE ? " in the handshake"
                                                               : "");
}

void
proto_fail(struct proto *p, int number, const char *text)
{
    if (!is_at_end(p) && !p->failure.number)
        error_set(&p->failure, number ? number : EIO, "%s", text);
}

static enum proto_event_type
on_failure(struct proto *p)
{
    /* A server that was told to go may go without reading to the end. */
    bool gone = p->failure.number == ECONNRESET || p->failure.number == EPIPE;

    if (p->closing && gone)
        return engine_end(p);
    return engine_fail(p, p->failure.number, "%s", p->failure.text);
}

void
engine_keep_text(struct proto *p, const void *bytes, size_t len)
{
    char *printable = text_printable(bytes, len, MAX_SERVER_TEXT);

    p->server_text[0] = '\0';
    if (printable)
        strncat(p->server_text, printable, sizeof p->server_text - 1);
    free(printable);
}

/* ---- receiving ---- */

/* The next n bytes of the unit are there, or (from not NULL) must be copied. */
static void
take_unit(struct proto *p, size_t n, const uint8_t *from)
{
    if (n == 0)
        return; /* dest may be NULL */
    if (from)
        memcpy(p->dest, from, n);
    p->dest += n;
    p->left -= n;
}

/* Moves what was read ahead to where it belongs.  Is the unit complete? */
static bool
fill_unit(struct proto *p)
{
    size_t ahead = p->look_end - p->look_start;

    if (ahead > 0) {
        size_t n = ahead;
        if (p->skip > 0) {
            n = n < p->skip ? n : (size_t)p->skip;
            p->skip -= n;
        } else {
            n = n < p->left ? n : p->left;
            take_unit(p, n, p->look + p->look_start);
        }
        p->look_start += n;
    }
    return p->left == 0 && p->skip == 0;
}

static enum proto_event_type
next_event(struct proto *p, struct proto_event *event)
{
    for (;;) {
        if (p->done_head) {
            engine_report_done(p, event);
            return PROTO_REPLY_DONE;
        }
        if (is_at_end(p))
            return PROTO_IDLE;
        if (p->failure.number)
            return on_failure(p);
        if (!steps[p->step].function)
            return p->eof ? on_eof(p) : PROTO_IDLE;
        if (!fill_unit(p))
            return p->eof ? on_eof(p) : PROTO_NEED_INPUT;

        enum proto_event_type type = steps[p->step].function(p, event);
        p->step_made = p->config->trace;
        if (type != PROTO_STEP || p->step_made)
            return type;
    }
}

enum proto_event_type
proto_next(struct proto *p, struct proto_event *event)
{
    *event = (struct proto_event){.name = "", .description = "", .text = ""};
    if (p->step_made)
        event->type = PROTO_STEP;
    else
        event->type = next_event(p, event);
    if (event->type == PROTO_STEP)
        p->step_made = false;
    return event->type;
}

bool
proto_has_event(const struct proto *p)
{
    if (p->done_head || p->step_made)
        return true;
    if (is_at_end(p))
        return false;
    return p->failure.number || p->eof ||
           (steps[p->step].function &&
            (p->look_end > p->look_start || (p->left == 0 && p->skip == 0)));
}

static size_t
look_ahead(const struct proto *p)
{
    if (p->bulky)
        return LOOK_AHEAD_HEADER;
    return p->bulky_in_flight > 0 ? LOOK_AHEAD_MIXED : LOOK_AHEAD_SIZE;
}

int
proto_want(struct proto *p, struct iovec iov[2])
{
    bool ahead = p->step >= STEP_start && p->step <= STEP_chunk_skipped;
    int n = 0;

    if (!steps[p->step].function)
        return 0;
    if (p->skip > 0) {
        size_t len = p->skip < LOOK_AHEAD_SIZE ? (size_t)p->skip : LOOK_AHEAD_SIZE;
        iov[0] = (struct iovec){p->look, ahead ? LOOK_AHEAD_SIZE : len};
        return 1;
    }
    if (p->left > 0)
        iov[n++] = (struct iovec){p->dest, p->left};
    if (ahead)
        iov[n++] = (struct iovec){p->look, look_ahead(p)};
    return n;
}

void
proto_fed(struct proto *p, size_t n)
{
    p->stats.bytes_received += n;
    if (p->skip == 0) {
        size_t unit = n < p->left ? n : p->left;
        take_unit(p, unit, NULL);
        n -= unit;
    }
    assert(n <= LOOK_AHEAD_SIZE);
    p->look_start = 0;
    p->look_end = n;
}

void
proto_eof(struct proto *p)
{
    p->eof = true;
}

void
proto_tls_done(struct proto *p)
{
    if (p->step == STEP_tls)
        engine_expect(p, STEP_tls_done, 0);
}

/* ---- what is known ---- */

enum proto_phase
proto_phase(const struct proto *p)
{
    return p->closing && !is_at_end(p) ? PROTO_CLOSING : steps[p->step].phase;
}

const struct error *
proto_error(const struct proto *p)
{
    return &p->error;
}

const char *
proto_step_name(const struct proto *p)
{
    return steps[p->step].name;
}

const char *
proto_protocol(const struct proto *p)
{
    if (p->fixed)
        return "newstyle-fixed";
    if (p->newstyle)
        return "newstyle";
    return p->oldstyle ? "oldstyle" : NULL;
}

uint32_t
proto_handshake_flags(const struct proto *p)
{
    return (p->fixed ? WIRE_HANDSHAKE_FIXED_NEWSTYLE : 0U) |
           (p->no_zeroes ? WIRE_HANDSHAKE_NO_ZEROES : 0U);
}

bool
proto_tls_negotiated(const struct proto *p)
{
    return p->tls;
}

bool
proto_structured_replies(const struct proto *p)
{
    return p->structured;
}

bool
proto_extended_headers(const struct proto *p)
{
    return p->extended;
}

/* While negotiating, the export's name may change under what was known of it. */
static bool
is_current(const struct proto *p, const char *name)
{
    const char *now = p->config->export_name ? p->config->export_name : "";

    return name && (p->step != STEP_negotiating || strcmp(name, now) == 0);
}

const struct proto_export *
proto_export(const struct proto *p)
{
    static const struct proto_export nothing;

    return is_current(p, p->export_for) ? &p->export : &nothing;
}

const struct proto_context *
proto_contexts(const struct proto *p, size_t *nr)
{
    *nr = is_current(p, p->contexts_for) ? p->contexts.len : 0;
    return p->contexts.items;
}

bool
proto_contexts_known(const struct proto *p)
{
    return p->contexts_granted && is_current(p, p->contexts_for);
}

const struct proto_stats *
proto_stats(const struct proto *p)
{
    return &p->stats;
}
