/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* player.h - what the parts of the player share: its state, and bytes in and out */
#ifndef PEER_PLAYER_H
#define PEER_PLAYER_H

#include "play.h"
#include "value.h"

enum verdict {
    GO_ON,
    OVER,   /* closed, or cut short: the rest is not played */
    FAILED, /* result->failure says why */
};

struct player {
    int fd;
    const struct test_case *tc;
    const struct play_options *options;
    struct play_result *result;
    struct vars vars;
    struct bytes out;  /* collected until something is waited for */
    struct bytes data; /* of the last option or command */
    bool extended;     /* extended headers are in force */
    bool structured;
    bool client_gone; /* it does not take what is sent */
};

/* One statement: words[0] is its name. */
typedef enum verdict statement(struct player *p, char *const *words, size_t nr);

__attribute__((format(printf, 2, 3))) enum verdict fail(struct player *p,
                                                        const char *fmt, ...);
/* Sends what was collected. */
enum verdict flush_out(struct player *p);
/* Exactly n bytes (after flush_out); what names them in messages. */
enum verdict receive(struct player *p, void *buf, size_t n, const char *what);
/* After flush_out: waits, and tells whether the client has closed rather than sent. */
bool client_closed(struct player *p);
/* Reads and forgets until the client has closed. */
enum verdict drain(struct player *p);
/* As drain, but not one byte may come. */
enum verdict expect_eof(struct player *p);

statement do_greeting, do_oldstyle, do_client_flags, do_option, do_reply, do_info;
statement do_handshake;
statement do_request, do_simple, do_chunk, do_serve, do_disc;

/* do_option, do_reply and do_request for callers in C. */
enum verdict take_option(struct player *p);
void send_reply(struct player *p, uint32_t type, const void *data, size_t n);
enum verdict take_request(struct player *p, const char *prefix);

#endif /* PEER_PLAYER_H */
