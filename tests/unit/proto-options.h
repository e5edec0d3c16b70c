/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-options.h - sessions that are about options by hand; see proto-sessions.h */

#ifndef PROTO_OPTIONS_H
#define PROTO_OPTIONS_H

#include "proto-sessions.h"

static inline void
by_hand(struct session *s, struct bytes *b, uint64_t v)
{
    (void)v;
    begin(s, b);
    ask(s, PROTO_OPT_LIST);
    put_server(b, "disk", "the disk");
    put_server(b, "", "");
    put_ack(b, WIRE_OPT_LIST);
    ask(s, PROTO_OPT_LIST_META_CONTEXT);
    put_context(b, WIRE_OPT_LIST_META_CONTEXT, 0, "base:allocation");
    put_ack(b, WIRE_OPT_LIST_META_CONTEXT);
    ask(s, PROTO_OPT_SET_META_CONTEXT);
    put_context(b, WIRE_OPT_SET_META_CONTEXT, 3, "base:allocation");
    put_ack(b, WIRE_OPT_SET_META_CONTEXT);
    ask(s, PROTO_OPT_INFO);
    contexts(b);
    put_info_export(b, WIRE_OPT_INFO, 4096, 1);
    put_ack(b, WIRE_OPT_INFO);
    ask(s, PROTO_OPT_STRUCTURED_REPLY);
    put_option_error(b, WIRE_OPT_STRUCTURED_REPLY, WIRE_REP_ERR_INVALID, "again?");
    ask(s, PROTO_OPT_STARTTLS);
    put_ack(b, WIRE_OPT_STARTTLS);
    ask(s, PROTO_OPT_EXTENDED_HEADERS);
    put_ack(b, WIRE_OPT_EXTENDED_HEADERS);
    ask(s, PROTO_OPT_GO);
    contexts(b);
    go(b);
}

static inline void
go_again(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    if (v)
        s->config.export_name = NULL;
    ask(s, PROTO_OPT_GO);
    put_option_error(b, WIRE_OPT_SET_META_CONTEXT, WIRE_REP_ERR_UNKNOWN, "");
    put_option_error(b, WIRE_OPT_GO, WIRE_REP_ERR_UNKNOWN, "not here");
    ask(s, PROTO_OPT_INFO);
    contexts(b);
    put_option_error(b, WIRE_OPT_INFO, WIRE_REP_ERR_UNSUP, "");
    ask(s, PROTO_OPT_GO);
    contexts(b);
    if (v)
        go(b);
    else
        put_option_error(b, WIRE_OPT_GO, WIRE_REP_ERR_UNSUP, "");
    put_number(b, 1 << 20, 8);
    put_number(b, 0x5, 2);
}

static inline void
info(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    s->config.request_meta_context = false;
    ask(s, PROTO_OPT_INFO);
    if (v)
        put_info_export(b, WIRE_OPT_INFO, v, 1);
    put_ack(b, WIRE_OPT_INFO);
}

static inline void
abort_by_hand(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    ask(s, PROTO_OPT_ABORT);
    if (v == 1)
        put_ack(b, WIRE_OPT_ABORT);
    if (v == 2)
        put_option_error(b, WIRE_OPT_ABORT, WIRE_REP_ERR_INVALID, "never");
}

static inline void
list_shutdown(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    ask(s, v ? PROTO_OPT_GO : PROTO_OPT_LIST);
    put_option_error(b, v ? WIRE_OPT_SET_META_CONTEXT : WIRE_OPT_LIST,
                     WIRE_REP_ERR_SHUTDOWN, "night");
    put_ack(b, WIRE_OPT_ABORT);
}

static inline void
tls_twice(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    ask(s, PROTO_OPT_STARTTLS);
    put_ack(b, WIRE_OPT_STARTTLS);
    ask(s, PROTO_OPT_STARTTLS);
    if (v)
        put_ack(b, WIRE_OPT_STARTTLS);
    else
        put_option_error(b, WIRE_OPT_STARTTLS, WIRE_REP_ERR_INVALID, "");
}

static inline void
list(struct session *s, struct bytes *b, uint64_t v)
{
    begin(s, b);
    ask(s, PROTO_OPT_LIST);
    switch (v) {
    case 0: /* a name longer than its message */
        put_option_reply(b, WIRE_OPT_LIST, WIRE_REP_SERVER, 8);
        put_number(b, 5, 4);
        put(b, "disk", 4);
        break;
    case 1: /* a name longer than allowed */
        put_option_reply(b, WIRE_OPT_LIST, WIRE_REP_SERVER, 4 + 4097);
        put_number(b, 4097, 4);
        put_fill(b, 'x', 4097);
        break;
    case 2: /* a NUL */
        put_option_reply(b, WIRE_OPT_LIST, WIRE_REP_SERVER, 4 + 5);
        put_number(b, 5, 4);
        put(b, "di\0sk", 5);
        break;
    case 3: /* the longest name, and a description that is cut */
        put_option_reply(b, WIRE_OPT_LIST, WIRE_REP_SERVER, 4 + 4096 + 70000);
        put_number(b, 4096, 4);
        put_fill(b, 'n', 4096);
        put_fill(b, 'd', 70000);
        put_option_reply(b, WIRE_OPT_LIST, WIRE_REP_SERVER, 4 + 1 + 3);
        put_number(b, 1, 4);
        put(b, "xa\0b", 4);
        put_ack(b, WIRE_OPT_LIST);
        break;
    case 4:
        put_option_reply(b, WIRE_OPT_LIST, WIRE_REP_SERVER, 3);
        put_fill(b, 0, 3);
        break;
    case 5: /* CVE-2017-2630: an enormous item */
        put_option_reply(b, WIRE_OPT_LIST, WIRE_REP_SERVER, UINT32_MAX);
        put_number(b, 0x7fffffff, 4);
        put_fill(b, 'x', 70000);
        break;
    default: /* a failure in the middle */
        put_server(b, "disk", "");
        put_option_error(b, WIRE_OPT_LIST, WIRE_REP_ERR_PLATFORM, "");
    }
}

static inline void
too_long_a_name(struct session *s, struct bytes *b, uint64_t v)
{
    static char name[4098];

    memset(name, 'x', 4097);
    begin(s, b);
    s->config.export_name = name;
    s->config.request_meta_context = v & 1;
    if (v & 2) {
        ask(s, PROTO_OPT_INFO);
        ask(s, PROTO_OPT_LIST_META_CONTEXT);
    }
}

static inline void
too_long_a_context(struct session *s, struct bytes *b, uint64_t v)
{
    static char name[4098], *names[] = {name, NULL};

    (void)v;
    memset(name, 'x', 4097);
    begin(s, b);
    s->config.contexts = names;
}

#endif /* PROTO_OPTIONS_H */
