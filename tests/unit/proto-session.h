/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-session.h - plays a session with the protocol engine and writes down what
 * happens
 *
 * A session is what the server says (bytes, however wrong) and what the user wants. It
 * can be played in any pieces and must always give the same log.  While it
 * is played the player keeps its own account of what the engine promises, and
 * aborts where a promise is broken; so the fuzz target can use it too.
 */

#ifndef PROTO_SESSION_H
#define PROTO_SESSION_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base-text.h"
#include "proto-server.h"
#include "proto.h"
#include "wire.h"

#define SESSION_MAX_COMMANDS 16
#define SESSION_MAX_ASKS     8
#define SESSION_MAX_LIST     100 /* items of one list that are logged */

struct wish {
    uint16_t type, flags;
    uint64_t offset, count;
};

struct session {
    const char *title;
    struct proto_config config;
    struct bytes server; /* what it says; then it closes */
    struct wish wishes[SESSION_MAX_COMMANDS];
    size_t nr_wishes;
    size_t window; /* commands in flight; 0: all */
    enum proto_option asks[SESSION_MAX_ASKS];
    size_t nr_asks;
    bool disconnect; /* when all is done */
    bool abandon;    /* disconnect at once, and abandon */
};

/* How to cut what the server says: so many bytes at a time; 0: at random. */
struct cut {
    size_t size;
    uint32_t seed;
    size_t limit; /* the server closes after so many bytes */
};
#define CUT_WHOLE             \
    (struct cut)              \
    {                         \
        SIZE_MAX, 0, SIZE_MAX \
    }

struct played {
    struct proto_cmd cmd; /* first */
    uint8_t *seen;        /* READ: for each byte, was it answered? */
    bool submitted, done;
    char wire_ids[16];
};

struct player {
    const struct session *s;
    struct proto *p;
    struct cut cut;
    size_t fed;
    struct text log;
    struct played commands[SESSION_MAX_COMMANDS];
    size_t submitted, done, asked, items;
    bool disconnected, ended, tls;
    void (*on_step)(const char *name);
};

#define PROMISE(condition)                                                     \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, \
                    #condition);                                               \
            abort();                                                           \
        }                                                                      \
    } while (0)

static inline uint32_t
player_random(struct player *r)
{
    r->cut.seed = r->cut.seed * 1664525 + 1013904223;
    return r->cut.seed >> 8;
}

static inline uint32_t
checksum(const uint8_t *bytes, uint64_t len)
{
    uint32_t sum = 1;

    for (uint64_t i = 0; i < len; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

/* Sends all there is, in pieces where the input is cut too. */
static inline void
player_write(struct player *r)
{
    struct iovec iov[5];
    int n;

    while ((n = proto_output(r->p, iov, r->cut.size == SIZE_MAX ? 5 : 2)) > 0) {
        size_t len = 0;
        PROMISE(n <= 5);
        for (int i = 0; i < n; i++) {
            len += iov[i].iov_len;
            PROMISE(iov[i].iov_len > 0);
            (void)checksum(iov[i].iov_base, iov[i].iov_len);
        }
        if (r->cut.size == 0)
            len = 1 + player_random(r) % len;
        proto_sent(r->p, len);
    }
}

static inline void
player_read(struct player *r)
{
    struct iovec iov[2];
    int n = proto_want(r->p, iov);
    size_t max = r->cut.size ? r->cut.size : 1 + player_random(r) % 40;
    size_t end = r->cut.limit < r->s->server.len ? r->cut.limit : r->s->server.len;
    size_t got = 0;

    PROMISE(n >= 1 && n <= 2);
    if (proto_phase(r->p) == PROTO_HANDSHAKE)
        PROMISE(n == 1); /* nothing is read ahead */
    for (int i = 0; i < n && got < max; i++) {
        size_t len = iov[i].iov_len < max - got ? iov[i].iov_len : max - got;
        PROMISE(iov[i].iov_len > 0);
        if (len > end - r->fed)
            len = end - r->fed;
        memcpy(iov[i].iov_base, r->s->server.items + r->fed, len);
        r->fed += len;
        got += len;
    }
    if (got > 0)
        proto_fed(r->p, got);
    else
        proto_eof(r->p);
}

static inline void
player_submit(struct player *r)
{
    struct error e;

    while (r->submitted < r->s->nr_wishes &&
           (r->s->window == 0 || r->submitted - r->done < r->s->window)) {
        const struct wish *w = &r->s->wishes[r->submitted];
        struct played *c = &r->commands[r->submitted];
        c->cmd = (struct proto_cmd){
            .type = w->type, .flags = w->flags, .offset = w->offset, .count = w->count};
        if (w->type == WIRE_CMD_READ) {
            c->cmd.buf = malloc(w->count ? w->count : 1);
            c->seen = calloc(w->count ? w->count : 1, 1);
        } else if (w->type == WIRE_CMD_WRITE) {
            c->cmd.payload = calloc(w->count ? w->count : 1, 1);
            c->cmd.payload_len = w->count;
        } else if (w->type == WIRE_CMD_BLOCK_STATUS &&
                   w->flags & WIRE_CMD_FLAG_PAYLOAD_LEN) {
            c->cmd.payload = c->wire_ids;
            c->cmd.payload_len = wire_filter_size(2);
            wire_encode_filter((uint8_t *)c->wire_ids, w->count, (uint32_t[]){1, 2}, 2);
        }
        if (proto_submit(r->p, &c->cmd, &e) == -1) {
            text_printf(&r->log, "refused %d\n", e.number);
            c->done = true;
            r->done++;
        } else {
            PROMISE(proto_find(r->p, c->cmd.cookie) == &c->cmd);
            c->submitted = true;
        }
        r->submitted++;
    }
}

/* What the user does at once when a command is done, so that it does not depend on how
 * the input is cut. */
static inline void
player_act(struct player *r)
{
    if (proto_phase(r->p) == PROTO_TRANSMISSION) {
        player_submit(r);
        if (r->done == r->s->nr_wishes && r->s->disconnect)
            proto_disconnect(r->p, false);
    }
    player_write(r);
}

/* What the user does when the engine has nothing to say. */
static inline bool
player_idle(struct player *r)
{
    struct error e;

    if (proto_phase(r->p) == PROTO_NEGOTIATING) {
        while (r->asked < r->s->nr_asks) {
            enum proto_option option = r->s->asks[r->asked++];
            r->items = 0;
            if (proto_ask(r->p, option, NULL, &e) == 0) {
                if (r->on_step)
                    r->on_step(proto_step_name(r->p));
                return true;
            }
            text_printf(&r->log, "cannot ask %d: %d\n", (int)option, e.number);
        }
        proto_eof(r->p);
        return true;
    }
    return false;
}

static inline void
log_known(struct player *r)
{
    const struct proto_export *x = proto_export(r->p);
    size_t nr;
    const struct proto_context *contexts = proto_contexts(r->p, &nr);

    text_printf(&r->log, " [%s%s%s%s", proto_protocol(r->p),
                proto_tls_negotiated(r->p) ? " tls" : "",
                proto_structured_replies(r->p) ? " structured" : "",
                proto_extended_headers(r->p) ? " extended" : "");
    if (x->known) {
        text_printf(&r->log, " size %llu flags %x blocks %u %u %u",
                    (unsigned long long)x->size, x->flags, x->block_min,
                    x->block_preferred, x->block_max);
        text_printf(&r->log, " name %s description %s",
                    x->canonical_name ? x->canonical_name : "-",
                    x->description ? x->description : "-");
    }
    if (proto_contexts_known(r->p))
        text_append(&r->log, " contexts");
    for (size_t i = 0; i < nr; i++)
        text_printf(&r->log, " %s=%u", contexts[i].name, contexts[i].id);
    text_append(&r->log, "]\n");
}

static inline void
on_content(struct player *r, const struct proto_event *event)
{
    struct played *c = (struct played *)event->cmd;
    uint64_t start = event->offset - c->cmd.offset;
    uint8_t *bytes = (uint8_t *)c->cmd.buf + start;

    PROMISE(c->cmd.type == WIRE_CMD_READ && !c->done);
    PROMISE(start <= c->cmd.count && event->count <= c->cmd.count - start);
    for (uint64_t i = 0; i < event->count; i++)
        PROMISE(!c->seen[start + i]++);
    if (event->type == PROTO_HOLE && event->count > 0)
        memset(bytes, 0, event->count);
    text_printf(&r->log, "%s %llu: %llu+%llu %08x\n",
                event->type == PROTO_HOLE ? "hole" : "data",
                (unsigned long long)c->cmd.cookie, (unsigned long long)event->offset,
                (unsigned long long)event->count, checksum(bytes, event->count));
}

static inline void
on_done(struct player *r, const struct proto_event *event)
{
    struct played *c = (struct played *)event->cmd;

    PROMISE(c->submitted && !c->done);
    PROMISE(c->cmd.state == PROTO_CMD_DONE && c->cmd.error == event->error);
    PROMISE(proto_find(r->p, c->cmd.cookie) == &c->cmd);
    c->done = true;
    r->done++;
    if (c->cmd.type == WIRE_CMD_READ && c->cmd.error == 0)
        for (uint64_t i = 0; i < c->cmd.count; i++)
            PROMISE(c->seen[i]);
    text_printf(&r->log, "done %llu: %d\n", (unsigned long long)c->cmd.cookie,
                c->cmd.error);
    if (c->cmd.cookie % 2) /* the others stay for a while */
        proto_retire(r->p, &c->cmd);
    player_act(r);
}

static inline void
on_extents(struct player *r, const struct proto_event *event)
{
    uint64_t sum = 0;

    PROMISE(event->cmd->type == WIRE_CMD_BLOCK_STATUS && event->nr_extents > 0);
    PROMISE(event->offset == event->cmd->offset);
    text_printf(&r->log,
                "extents %llu: %s %llu:", (unsigned long long)event->cmd->cookie,
                event->name, (unsigned long long)event->offset);
    for (size_t i = 0; i < event->nr_extents; i++) {
        PROMISE(event->extents[i].length > 0 && event->extents[i].length <= INT64_MAX);
        sum += event->extents[i].length;
        PROMISE(sum <= INT64_MAX);
        if (i < SESSION_MAX_LIST)
            text_printf(&r->log, " %llu/%llx",
                        (unsigned long long)event->extents[i].length,
                        (unsigned long long)event->extents[i].flags);
    }
    text_append(&r->log, "\n");
}

static inline void
on_ready(struct player *r)
{
    text_append(&r->log, "ready");
    log_known(r);
    PROMISE(proto_phase(r->p) == PROTO_TRANSMISSION);
    PROMISE(r->s->config.tls != 2 || r->tls);
    PROMISE(proto_export(r->p)->known);
    if (r->s->abandon) {
        player_submit(r);
        proto_disconnect(r->p, true);
    }
    player_act(r);
}

static inline void
on_end(struct player *r, const struct proto_event *event)
{
    PROMISE(!r->ended);
    r->ended = true;
    if (event->type == PROTO_END) {
        PROMISE(proto_phase(r->p) == PROTO_CLOSED);
        text_append(&r->log, "end\n");
        return;
    }
    PROMISE(proto_phase(r->p) == PROTO_DEAD);
    PROMISE(proto_error(r->p)->number != 0 && proto_error(r->p)->text[0]);
    text_printf(&r->log, "failed %d: %s\n", proto_error(r->p)->number,
                proto_error(r->p)->text);
}

static inline void
on_option_event(struct player *r, const struct proto_event *event)
{
    switch (event->type) {
    case PROTO_LIST_ITEM:
        if (r->items++ < SESSION_MAX_LIST)
            text_printf(&r->log, "export '%s' '%s'\n", event->name, event->description);
        break;
    case PROTO_CONTEXT:
        if (r->items++ < SESSION_MAX_LIST)
            text_printf(&r->log, "context '%s'\n", event->name);
        break;
    default:
        text_printf(&r->log, "option done: %d%s '%s'", event->error,
                    event->negotiated ? " in force" : "", event->text);
        log_known(r);
    }
}

static inline void
on_event(struct player *r, const struct proto_event *event)
{
    PROMISE(event->text && event->name && event->description);
    switch (event->type) {
    case PROTO_STEP:
        break;
    case PROTO_START_TLS:
        PROMISE(!r->tls && r->cut.limit >= r->fed);
        r->tls = true;
        text_append(&r->log, "tls\n");
        proto_tls_done(r->p);
        break;
    case PROTO_READY:
        on_ready(r);
        break;
    case PROTO_DATA:
    case PROTO_HOLE:
        on_content(r, event);
        break;
    case PROTO_CHUNK_ERROR:
        PROMISE(event->error && event->offset - event->cmd->offset < event->cmd->count);
        text_printf(&r->log, "error %llu: %llu %d '%s'\n",
                    (unsigned long long)event->cmd->cookie,
                    (unsigned long long)event->offset, event->error, event->text);
        break;
    case PROTO_EXTENTS:
        on_extents(r, event);
        break;
    case PROTO_REPLY_DONE:
        on_done(r, event);
        break;
    case PROTO_END:
    case PROTO_FAILED:
        on_end(r, event);
        break;
    default:
        on_option_event(r, event);
    }
}

static inline void
player_clear(struct player *r)
{
    proto_free(r->p);
    for (size_t i = 0; i < SESSION_MAX_COMMANDS; i++) {
        struct played *c = &r->commands[i];
        PROMISE(!c->submitted || c->done);
        free(c->cmd.buf);
        free(c->seen);
        if (c->cmd.type == WIRE_CMD_WRITE)
            free((void *)(uintptr_t)c->cmd.payload);
    }
}

/* The log, for the caller to free. */
static inline char *
play(const struct session *s, struct cut cut, void (*on_step)(const char *name))
{
    struct session copy = *s;
    struct player r = {.s = &copy, .cut = cut, .on_step = on_step};
    struct proto_event event;

    copy.config.trace = on_step != NULL;
    r.p = proto_new(&copy.config);
    PROMISE(r.p);
    for (;;) {
        enum proto_event_type type = proto_next(r.p, &event);
        PROMISE(type == event.type);
        if (on_step)
            on_step(proto_step_name(r.p));
        if (type != PROTO_NEED_INPUT && type != PROTO_IDLE) {
            on_event(&r, &event);
            continue;
        }
        player_write(&r);
        if (proto_has_event(r.p))
            continue;
        if (type == PROTO_NEED_INPUT)
            player_read(&r);
        else if (!player_idle(&r))
            break;
    }
    PROMISE(r.ended && proto_in_flight(r.p) == 0);
    PROMISE(proto_next(r.p, &event) == PROTO_IDLE);
    player_clear(&r);
    return text_steal(&r.log);
}

#endif /* PROTO_SESSION_H */
