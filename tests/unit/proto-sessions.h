/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-sessions.h - sessions for the protocol engine: honest servers, old ones, liars
 *
 * Each says what the log must look like: a pattern for fnmatch(3) over all of it.
 * Numbers are Linux's errno: 2 ENOENT, 5 EIO, 22 EINVAL, 36 ENAMETOOLONG, 71 EPROTO, 75
 * EOVERFLOW, 95 ENOTSUP, 107 ENOTCONN, 108 ESHUTDOWN.
 */

#ifndef PROTO_SESSIONS_H
#define PROTO_SESSIONS_H

#include "proto-session.h"

struct recorded {
    const char *title;
    void (*build)(struct session *s, struct bytes *b, uint64_t v);
    uint64_t v; /* which variant */
    const char *log;
};

static char *session_contexts[] = {"base:allocation", "qemu:allocation-depth", NULL};

enum { DONE = WIRE_REPLY_FLAG_DONE };

/* ---- beginnings ---- */

static inline void
all_wanted(struct session *s)
{
    s->config = (struct proto_config){
        .handshake_flags = 3,
        .request_extended_headers = true,
        .request_structured_replies = true,
        .request_meta_context = true,
        .request_block_size = true,
        .export_name = "disk",
        .contexts = session_contexts,
    };
    s->disconnect = true;
}

static inline void
wish(struct session *s, uint16_t type, uint64_t offset, uint64_t count)
{
    s->wishes[s->nr_wishes++] = (struct wish){type, 0, offset, count};
}

static inline void
ask(struct session *s, enum proto_option option)
{
    s->config.opt_mode = true;
    s->asks[s->nr_asks++] = option;
}

/* Up to the first option after structured replies. */
static inline void
begin(struct session *s, struct bytes *b)
{
    all_wanted(s);
    put_newstyle(b, 3);
    put_option_error(b, WIRE_OPT_EXTENDED_HEADERS, WIRE_REP_ERR_UNSUP, "what?");
    put_ack(b, WIRE_OPT_STRUCTURED_REPLY);
}

static inline void
contexts(struct bytes *b)
{
    put_context(b, WIRE_OPT_SET_META_CONTEXT, 7, "base:allocation");
    put_context(b, WIRE_OPT_SET_META_CONTEXT, 0x80000001, "qemu:allocation-depth");
    put_ack(b, WIRE_OPT_SET_META_CONTEXT);
}

static inline void
go(struct bytes *b)
{
    put_info_export(b, WIRE_OPT_GO, 1 << 20, 0x1ff);
    put_ack(b, WIRE_OPT_GO);
}

/* Into transmission: with simple, structured, or extended replies. */
static inline void
simple(struct session *s, struct bytes *b)
{
    all_wanted(s);
    s->config.request_structured_replies = false;
    put_newstyle(b, 3);
    go(b);
}

static inline void
structured(struct session *s, struct bytes *b)
{
    begin(s, b);
    contexts(b);
    go(b);
}

static inline void
extended(struct session *s, struct bytes *b)
{
    all_wanted(s);
    put_newstyle(b, 3);
    put_ack(b, WIRE_OPT_EXTENDED_HEADERS);
    contexts(b);
    go(b);
}

/* ---- greetings ---- */

static inline void
oldstyle(struct session *s, struct bytes *b, uint64_t v)
{
    all_wanted(s);
    s->config.tls = (int)v;
    put_oldstyle(b, 4096, 0x3);
    wish(s, WIRE_CMD_READ, 0, 4);
    put_simple(b, 0, 1);
    put(b, "abcd", 4);
}

static inline void
oldstyle_size(struct session *s, struct bytes *b, uint64_t v)
{
    all_wanted(s);
    put_oldstyle(b, v, 1);
}

static inline void
no_server(struct session *s, struct bytes *b, uint64_t v)
{
    all_wanted(s);
    if (v)
        put_number(b, WIRE_NBDMAGIC, 8);
    put(b, "SSH-2.0-OpenSSH_9.2", 19);
}

static inline void
not_fixed(struct session *s, struct bytes *b, uint64_t v)
{
    all_wanted(s);
    s->config.tls = (int)(v >> 1 & 3);
    put_newstyle(b, v & 1 ? 2 : 0);
    put_number(b, 1 << 20, 8);
    put_number(b, 0x5, 2);
    put_fill(b, 0, v & 1 ? 0 : 124);
    wish(s, WIRE_CMD_FLUSH, 0, 0);
    put_simple(b, 0, 1);
}

static inline void
not_fixed_by_hand(struct session *s, struct bytes *b, uint64_t v)
{
    not_fixed(s, b, 0);
    ask(s, PROTO_OPT_LIST);
    ask(s, v ? PROTO_OPT_ABORT : PROTO_OPT_GO);
}

static inline void
fall_back(struct session *s, struct bytes *b, uint64_t v)
{
    all_wanted(s);
    put_newstyle(b, 1);
    if (v & 1)
        put_ack(b, WIRE_OPT_EXTENDED_HEADERS);
    else
        put_option_error(b, WIRE_OPT_EXTENDED_HEADERS, WIRE_REP_ERR_UNSUP, "");
    if (!(v & 1))
        put_option_error(b, WIRE_OPT_STRUCTURED_REPLY, WIRE_REP_ERR_UNSUP, "");
    else
        put_option_error(b, WIRE_OPT_SET_META_CONTEXT, WIRE_REP_ERR_UNSUP, "");
    put_option_error(b, WIRE_OPT_GO, WIRE_REP_ERR_UNSUP, "");
    put_number(b, v & 2 ? UINT64_MAX : 1 << 20, 8);
    put_number(b, 0x5, 2);
    put_fill(b, 0, 124);
}

/* ---- refusals and ends ---- */

static inline void
go_refused(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    put_option_error(b, WIRE_OPT_SET_META_CONTEXT, WIRE_REP_ERR_UNKNOWN, "");
    put_option_error(b, WIRE_OPT_GO, (uint32_t)v, "no\nway");
}

static inline void
first_refused(struct session *s, struct bytes *b, uint64_t v)
{
    all_wanted(s);
    put_newstyle(b, 3);
    put_option_error(b, WIRE_OPT_EXTENDED_HEADERS, (uint32_t)v, "");
    put_option_error(b, WIRE_OPT_STRUCTURED_REPLY, (uint32_t)v, "");
    put_option_error(b, WIRE_OPT_GO, (uint32_t)v, "");
}

static inline void
tls(struct session *s, struct bytes *b, uint64_t v)
{
    all_wanted(s);
    s->config.tls = (int)(v >> 1);
    put_newstyle(b, 3);
    if (v & 1)
        put_ack(b, WIRE_OPT_STARTTLS);
    else
        put_option_error(b, WIRE_OPT_STARTTLS, WIRE_REP_ERR_POLICY, "not for you");
    put_option_error(b, WIRE_OPT_EXTENDED_HEADERS, WIRE_REP_ERR_UNSUP, "");
    put_ack(b, WIRE_OPT_STRUCTURED_REPLY);
    contexts(b);
    go(b);
}

static inline void
size(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    contexts(b);
    put_info_export(b, WIRE_OPT_GO, v, 1);
    put_ack(b, WIRE_OPT_GO);
}

static inline void
infos(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    s->config.request_full_info = true;
    contexts(b);
    put_info_string(b, WIRE_OPT_GO, WIRE_INFO_NAME, "the disk");
    put_info_string(b, WIRE_OPT_GO, WIRE_INFO_NAME, "the very disk");
    put_info_string(b, WIRE_OPT_GO, WIRE_INFO_DESCRIPTION, "");
    put_info_string(b, WIRE_OPT_GO, 4711, "something new");
    if (v == 0)
        put_info_block_size(b, WIRE_OPT_GO, 512, 65536, UINT32_MAX);
    else
        put_info_block_size(b, WIRE_OPT_GO, 3, 65536, UINT32_MAX);
    put_info_export(b, WIRE_OPT_GO, 1 << 20, 0x1fe);
    put_ack(b, WIRE_OPT_GO);
}

/* Lies within the handshake: the answer to GO. */
static inline void
lie(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    contexts(b);
    switch (v) {
    case 0:
        put_number(b, WIRE_OPTION_REPLY_MAGIC + 1, 8);
        put_fill(b, 0, 12);
        break;
    case 1:
        put_ack(b, WIRE_OPT_INFO);
        break;
    case 2:
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_ACK, 1);
        put_fill(b, 0, 1);
        break;
    case 3:
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_SERVER, 4);
        put_fill(b, 0, 4);
        break;
    case 4:
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_INFO, 1);
        put_fill(b, 0, 1);
        break;
    case 5:
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_INFO, 13);
        put_fill(b, 0, 13);
        break;
    case 6:
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_INFO, 15);
        put_number(b, WIRE_INFO_BLOCK_SIZE, 2);
        put_fill(b, 0, 13);
        break;
    case 7:
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_INFO, 2 + 4097);
        put_number(b, WIRE_INFO_DESCRIPTION, 2);
        put_fill(b, 'x', 4097);
        break;
    case 8:
        put_ack(b, WIRE_OPT_GO);
        break;
    case 9: /* all of a text that is far too long */
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_ERR_POLICY, 70000);
        put_fill(b, 'x', 70000);
        break;
    case 10:
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_ERR_POLICY, UINT32_MAX);
        put_fill(b, 'x', 70000);
        break;
    default: /* an unknown info as long as can be */
        put_option_reply(b, WIRE_OPT_GO, WIRE_REP_INFO, UINT32_MAX);
        put_number(b, 99, 2);
        put_fill(b, 'x', 70000);
    }
}

static inline void
context_lie(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    if (v == 0) {
        put_option_reply(b, WIRE_OPT_SET_META_CONTEXT, WIRE_REP_META_CONTEXT, 7);
        put_fill(b, 0, 7);
    } else if (v == 1) {
        put_option_reply(b, WIRE_OPT_SET_META_CONTEXT, WIRE_REP_META_CONTEXT, 3);
        put_fill(b, 0, 3);
    } else if (v == 2) {
        put_option_reply(b, WIRE_OPT_SET_META_CONTEXT, WIRE_REP_META_CONTEXT, 4101);
        put_fill(b, 'x', 4101);
    } else {
        for (uint32_t i = 0; i < 1025; i++)
            put_context(b, WIRE_OPT_SET_META_CONTEXT, i, "x");
    }
}

#endif /* PROTO_SESSIONS_H */
