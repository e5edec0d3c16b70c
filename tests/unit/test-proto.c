/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-proto.c - what the driver of the protocol engine can rely on
 *
 * Cookies, the output queue and its claims, failures from outside; what the server
 * says is the affair of test-proto-sessions.c.
 */

#include "base-bytes.h"
#include "proto-sessions.h"
#include "tap.h"

struct driven {
    struct session s;
    struct proto *p;
    struct proto_event event;
    size_t fed;
};

/* Feeds what the server has said; the first event that is not PROTO_STEP. */
static enum proto_event_type
run(struct driven *d)
{
    for (;;) {
        enum proto_event_type type = proto_next(d->p, &d->event);
        if (type != PROTO_NEED_INPUT)
            return type;
        if (d->fed == d->s.server.len)
            return type;
        struct iovec iov[2];
        int n = proto_want(d->p, iov);
        size_t got = 0;
        for (int i = 0; i < n; i++) {
            size_t len = iov[i].iov_len;
            if (len > d->s.server.len - d->fed)
                len = d->s.server.len - d->fed;
            memcpy(iov[i].iov_base, d->s.server.items + d->fed, len);
            d->fed += len;
            got += len;
        }
        proto_fed(d->p, got);
    }
}

static size_t
send_all(struct driven *d)
{
    struct iovec iov[8];
    size_t sum = 0;
    int n;

    while ((n = proto_output(d->p, iov, 8)) > 0) {
        size_t len = 0;
        for (int i = 0; i < n; i++)
            len += iov[i].iov_len;
        proto_sent(d->p, len);
        sum += len;
    }
    return sum;
}

/* In transmission, with structured replies. */
static struct driven *
ready(void)
{
    struct driven *d = calloc(1, sizeof *d);

    if (!d)
        bail_out("no memory");
    structured(&d->s, &d->s.server);
    d->p = proto_new(&d->s.config);
    is_int(run(d), PROTO_READY, "in transmission");
    send_all(d);
    return d;
}

static void
end(struct driven *d)
{
    proto_free(d->p);
    free(d->s.server.items);
    free(d);
}

static struct proto_cmd *
submit(struct driven *d, struct proto_cmd *cmd, uint16_t type)
{
    struct error e;

    *cmd = (struct proto_cmd){.type = type};
    if (proto_submit(d->p, cmd, &e) == -1)
        bail_out("proto_submit: %s", e.text);
    return cmd;
}

static void
test_cookies(void)
{
    enum { N = 1000 };
    static struct proto_cmd cmds[N], more[N];
    struct driven *d = ready();
    size_t wrong = 0;

    for (size_t i = 0; i < N; i++)
        wrong += submit(d, &cmds[i], WIRE_CMD_FLUSH)->cookie != i + 1;
    is_int(wrong, 0, "cookies count from 1");
    is_int(send_all(d), N * WIRE_REQUEST_SIZE, "all are sent");
    is_int(proto_in_flight(d->p), N, "all are in flight");
    is_int(proto_stats(d->p)->chunks_sent, 4 + N, "and counted");

    for (size_t i = 0; i < N; i++)
        put_simple(&d->s.server, 0, N - i);
    for (size_t i = 0; i < N; i++) {
        wrong += run(d) != PROTO_REPLY_DONE || d->event.cmd != &cmds[N - 1 - i];
        if (i % 2)
            proto_retire(d->p, d->event.cmd);
    }
    is_int(wrong, 0, "each is answered, backwards");
    is_int(proto_in_flight(d->p), 0, "none is in flight");
    for (size_t i = 0; i < N; i++)
        wrong += (proto_find(d->p, i + 1) == &cmds[i]) != (i % 2 == 1);
    is_int(wrong, 0, "what is retired is forgotten, and only that");

    for (size_t i = 0; i < N; i++) {
        submit(d, &more[i], WIRE_CMD_FLUSH);
        wrong += more[i].cookie <= N || proto_find(d->p, more[i].cookie) != &more[i];
    }
    for (size_t i = 1; i < N; i++)
        wrong += more[i].cookie <= more[i - 1].cookie;
    is_int(wrong, 0, "no cookie is used twice, and they ascend");
    end(d);
}

static void
test_claims(void)
{
    static const char payload[100];
    struct driven *d = ready();
    struct proto_cmd a, b, c;
    struct iovec iov[8];
    struct error e;

    a = (struct proto_cmd){.type = WIRE_CMD_WRITE, .count = 100, .payload = payload};
    a.payload_len = 100;
    is_int(proto_submit(d->p, &a, &e), 0, "a WRITE");
    submit(d, &b, WIRE_CMD_FLUSH);
    is_int(proto_output(d->p, iov, 8), 3, "header, payload, header");
    is_int(iov[1].iov_len, 100, "the payload by pointer");
    ok(iov[1].iov_base == payload, "and not copied");
    submit(d, &c, WIRE_CMD_FLUSH);

    put_simple(&d->s.server, 5, a.cookie);
    is_int(run(d), PROTO_NEED_INPUT, "answered while the writer has it: not reported");
    proto_sent(d->p, 50);
    is_int(run(d), PROTO_NEED_INPUT, "nor before the rest of it is sent");
    is_int(proto_output(d->p, iov, 1), 1, "the rest of the payload");
    is_int(iov[0].iov_len, 78, "of the right length");
    proto_sent(d->p, 78);
    ok(proto_has_event(d->p), "an event is announced");
    is_int(run(d), PROTO_REPLY_DONE, "then it is");
    is_int(d->event.error, EIO, "with its error");

    is_int(proto_output(d->p, iov, 1), 1, "the next header");
    put_simple(&d->s.server, 0, c.cookie);
    is_int(run(d), PROTO_FAILED, "an answer to what nobody has seen is a lie");
    is_int(run(d), PROTO_REPLY_DONE, "what the writer does not have is reported");
    ok(d->event.cmd == &c && c.error == ENOTCONN, "with ENOTCONN");
    is_int(run(d), PROTO_IDLE, "what it has is not");
    is_int(proto_output(d->p, iov, 8), 0, "there is no output any more");
    proto_sent(d->p, 0);
    is_int(run(d), PROTO_REPLY_DONE, "until it lets go");
    ok(d->event.cmd == &b && b.error == ENOTCONN, "with ENOTCONN too");
    is_int(proto_in_flight(d->p), 0, "then nothing is in flight");
    is_int(proto_submit(d->p, &a, &e), -1, "and nothing more is taken");
    is_int(e.number, ENOTCONN, "for the connection is dead");
    end(d);
}

static void
test_abandon(void)
{
    struct driven *d = ready();
    struct proto_cmd a, b;
    struct iovec iov[8];

    submit(d, &a, WIRE_CMD_FLUSH);
    submit(d, &b, WIRE_CMD_FLUSH);
    is_int(proto_output(d->p, iov, 1), 1, "one is being written");
    proto_sent(d->p, 1);
    proto_disconnect(d->p, true);
    is_int(proto_phase(d->p), PROTO_CLOSING, "the phase is CLOSING");
    ok(!proto_said_goodbye(d->p), "DISC is not sent yet");
    is_int(run(d), PROTO_REPLY_DONE, "what was not begun is abandoned");
    ok(d->event.cmd == &b, "and only that");
    is_int(send_all(d), WIRE_REQUEST_SIZE - 1, "the other one is sent");
    ok(!proto_said_goodbye(d->p), "but DISC waits until it is answered");
    put_simple(&d->s.server, 0, a.cookie);
    is_int(run(d), PROTO_REPLY_DONE, "answers still come");
    is_int(a.error, 0, "as they are");
    is_int(send_all(d), WIRE_REQUEST_SIZE, "then DISC is sent");
    ok(proto_said_goodbye(d->p), "and all is said");
    proto_disconnect(d->p, false);
    is_int(proto_output(d->p, iov, 8), 0, "DISC comes only once");
    proto_fail(d->p, ECONNRESET, "reset");
    is_int(run(d), PROTO_END,
           "a server that goes without reading to the end just goes");
    proto_fail(d->p, EIO, "too late");
    is_int(run(d), PROTO_IDLE, "and that is all");
    end(d);
}

static void
test_failures(void)
{
    struct driven *d = ready();
    struct proto_cmd a;

    submit(d, &a, WIRE_CMD_FLUSH);
    ok(!proto_has_event(d->p), "no event is there");
    proto_fail(d->p, EPIPE, "the pipe broke");
    proto_fail(d->p, EIO, "and then something else");
    is_int(proto_phase(d->p), PROTO_TRANSMISSION, "a failure waits for proto_next");
    ok(proto_has_event(d->p), "and is announced");
    is_int(run(d), PROTO_FAILED, "the driver's failure");
    is_str(proto_error(d->p)->text, "the pipe broke", "the first one counts");
    is_int(proto_error(d->p)->number, EPIPE, "and its number");
    is_int(run(d), PROTO_REPLY_DONE, "the command ends");
    is_int(a.error, ENOTCONN, "with ENOTCONN");
    end(d);

    d = ready();
    proto_eof(d->p);
    ok(proto_has_event(d->p), "the end of the stream is announced");
    is_int(run(d), PROTO_FAILED, "and is a failure");
    end(d);
    proto_free(NULL);
}

static void
test_shutdown_is_soft(void)
{
    struct driven *d = ready();
    struct proto_cmd a, b, c;
    struct error e;

    submit(d, &a, WIRE_CMD_FLUSH);
    submit(d, &b, WIRE_CMD_FLUSH);
    send_all(d);
    submit(d, &c, WIRE_CMD_FLUSH);
    put_simple(&d->s.server, 108, a.cookie);
    is_int(run(d), PROTO_REPLY_DONE, "one command hears that the server shuts down");
    is_int(a.error, ESHUTDOWN, "ESHUTDOWN");
    is_int(run(d), PROTO_REPLY_DONE, "another was not sent, and will not be");
    ok(d->event.cmd == &c && c.error == ENOTCONN, "so it ends");
    is_int(proto_submit(d->p, &c, &e), -1, "nothing new is taken");
    is_int(send_all(d), 0, "DISC waits for the answers");
    ok(!proto_said_goodbye(d->p), "so that goodbye is not said");
    put_simple(&d->s.server, 0, b.cookie);
    is_int(run(d), PROTO_REPLY_DONE, "the last answer");
    is_int(send_all(d), WIRE_REQUEST_SIZE, "then DISC is sent");
    ok(proto_said_goodbye(d->p), "and goodbye is said");
    end(d);
}

/* A refusal is followed by a goodbye, if the driver still likes to write. */
static void
test_farewell(void)
{
    struct driven d = {0};
    struct iovec iov[8];
    uint8_t last[16] = {0};

    go_refused(&d.s, &d.s.server, WIRE_REP_ERR_POLICY);
    d.p = proto_new(&d.s.config);
    is_int(run(&d), PROTO_FAILED, "refused");
    int n = proto_output(d.p, iov, 8);
    ok(n > 0, "there is something to say");
    if (n > 0 && iov[n - 1].iov_len == 16)
        memcpy(last, iov[n - 1].iov_base, 16);
    is_int(load_be32(last + 8), WIRE_OPT_ABORT, "it ends with ABORT");
    proto_free(d.p);
    free(d.s.server.items);
}

/* Bytes after the ACK of STARTTLS stay in the socket, for TLS to choke on. */
static void
test_nothing_ahead_of_tls(void)
{
    struct driven d = {0};

    tls(&d.s, &d.s.server, 4 + 1);
    d.p = proto_new(&d.s.config);
    is_int(run(&d), PROTO_START_TLS, "TLS is granted");
    is_int(d.fed, 8 + 8 + 2 + 20, "and not a byte of what follows was taken");
    struct iovec iov[2];
    is_int(proto_want(d.p, iov), 0, "nor is one wanted");
    ok(!proto_tls_negotiated(d.p), "TLS is not negotiated");
    proto_fail(d.p, EPROTO, "bad handshake");
    is_int(run(&d), PROTO_FAILED, "a failing handshake is the end");
    proto_free(d.p);
    free(d.s.server.items);
}

/* What is known of one export does not show under another's name. */
static void
test_names_change(void)
{
    struct driven d = {0};
    struct error e;
    size_t nr;

    begin(&d.s, &d.s.server);
    d.s.config.opt_mode = true;
    d.p = proto_new(&d.s.config);
    is_int(run(&d), PROTO_IDLE, "negotiating");
    is_int(proto_ask(d.p, PROTO_OPT_INFO, NULL, &e), 0, "INFO");
    is_int(proto_ask(d.p, PROTO_OPT_INFO, NULL, &e), -1, "one at a time");
    contexts(&d.s.server);
    put_info_export(&d.s.server, WIRE_OPT_INFO, 4096, 1);
    put_ack(&d.s.server, WIRE_OPT_INFO);
    is_int(run(&d), PROTO_OPTION_DONE, "is answered");
    ok(proto_export(d.p)->known, "the export is known");
    proto_contexts(d.p, &nr);
    is_int(nr, 2, "and its contexts");
    d.s.config.export_name = "another";
    ok(!proto_export(d.p)->known, "another is not");
    proto_contexts(d.p, &nr);
    is_int(nr, 0, "nor its contexts");
    ok(!proto_contexts_known(d.p), "they were not even asked for");

    d.s.config.request_meta_context = false;
    is_int(proto_ask(d.p, PROTO_OPT_GO, NULL, &e), 0, "GO to the other one");
    go(&d.s.server);
    is_int(run(&d), PROTO_OPTION_DONE, "is granted");
    is_int(run(&d), PROTO_READY, "and ready");
    proto_contexts(d.p, &nr);
    is_int(nr, 0, "without the contexts of the first");
    is_int(proto_ask(d.p, PROTO_OPT_LIST, NULL, &e), -1, "no options any more");
    proto_free(d.p);
    free(d.s.server.items);
}

/* Large payloads go straight to the user's memory, in few reads. */
static void
test_reads(void)
{
    enum { SIZE = 128 * 1024 };
    struct driven *d = ready();
    struct proto_cmd cmd = {.type = WIRE_CMD_READ, .count = SIZE};
    struct iovec iov[2];
    struct error e;

    cmd.buf = malloc(SIZE);
    is_int(proto_submit(d->p, &cmd, &e), 0, "a READ");
    send_all(d);
    put_data_chunk(&d->s.server, DONE, cmd.cookie, 0, SIZE);
    is_int(proto_next(d->p, &d->event), PROTO_NEED_INPUT, "the header is awaited");
    is_int(proto_want(d->p, iov), 2, "and what may follow");
    size_t ahead = iov[1].iov_len;
    ok(ahead <= SIZE / 8, "not much of which is copied");
    memcpy(iov[0].iov_base, d->s.server.items + d->fed, 16);
    memcpy(iov[1].iov_base, d->s.server.items + d->fed + 16, ahead);
    proto_fed(d->p, 16 + ahead);
    d->fed += 16 + ahead;
    is_int(proto_next(d->p, &d->event), PROTO_NEED_INPUT, "then the payload's rest");
    is_int(proto_want(d->p, iov), 2, "with what may follow");
    ok((uint8_t *)iov[0].iov_base + iov[0].iov_len == (uint8_t *)cmd.buf + SIZE,
       "into the user's memory");
    is_int(run(d), PROTO_DATA, "comes");
    is_int(run(d), PROTO_REPLY_DONE, "and is all");
    free(cmd.buf);
    end(d);
}

/* Bytes that one read may bring now. */
static size_t
wanted(struct driven *d)
{
    struct iovec iov[2];
    size_t sum = 0;

    for (int i = proto_want(d->p, iov); i > 0; i--)
        sum += iov[i - 1].iov_len;
    return sum;
}

/* Small replies come many at once, unless a large payload may be among them. */
static void
test_small_reads(void)
{
    enum { SIZE = 4096, N = 15 };
    struct driven *d = ready();
    struct proto_cmd cmd[N], large = {.type = WIRE_CMD_READ, .count = 128 * 1024};
    uint8_t *buf = malloc(N * SIZE);
    struct error e;

    large.buf = malloc(large.count);
    for (int i = 0; i < N; i++) {
        cmd[i] = (struct proto_cmd){.type = WIRE_CMD_READ,
                                    .offset = (uint64_t)i * SIZE,
                                    .count = SIZE,
                                    .buf = buf + i * SIZE};
        is_int(proto_submit(d->p, &cmd[i], &e), 0, "a small READ");
    }
    send_all(d);
    is_int(proto_next(d->p, &d->event), PROTO_NEED_INPUT, "answers are awaited");
    ok(wanted(d) >= N * (SIZE + 64), "all of them at once");
    is_int(proto_submit(d->p, &large, &e), 0, "a large READ");
    send_all(d);
    ok(wanted(d) < N * SIZE, "and no more so while its payload may come");
    put_data_chunk(&d->s.server, DONE, large.cookie, 0, (uint32_t)large.count);
    is_int(run(d), PROTO_DATA, "it comes");
    is_int(run(d), PROTO_REPLY_DONE, "and is all");
    for (int i = 0; i < N; i++) {
        put_data_chunk(&d->s.server, DONE, cmd[i].cookie, (uint64_t)i * SIZE, SIZE);
        is_int(run(d), PROTO_DATA, "then the small ones");
        is_int(run(d), PROTO_REPLY_DONE, "and nothing of them");
        ok(wanted(d) >= N * (SIZE + 64), "with room for more again");
    }
    free(large.buf);
    free(buf);
    end(d);
}

int
main(void)
{
    test_cookies();
    test_claims();
    test_abandon();
    test_failures();
    test_shutdown_is_soft();
    test_farewell();
    test_nothing_ahead_of_tls();
    test_names_change();
    test_reads();
    test_small_reads();
    done_testing();
}
