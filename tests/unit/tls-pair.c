/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls-pair.c - our TLS client and a TLS server, on the two ends of a socket pair */

#include "tls-pair.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base-error.h"
#include "stream-ops.h"

/* No handshake needs more steps than that, a byte at a time. */
#define MAX_STEPS 200000

/* ---- a stream that gives and takes as little as possible ---- */

struct trickle {
    struct stream stream;
    struct stream *lower;
    unsigned reads, writes;
};

static ssize_t
trickle_readv(struct stream *s, const struct iovec *iov, int n, struct error *e)
{
    struct trickle *t = (struct trickle *)s;
    struct iovec one = {.iov_base = iov[0].iov_base, .iov_len = 1};

    (void)n;
    if (t->reads++ % 2)
        return error_set(e, EAGAIN, "%s", "");
    return stream_readv(t->lower, &one, 1, e);
}

static ssize_t
trickle_writev(struct stream *s, const struct iovec *iov, int n, struct error *e)
{
    struct trickle *t = (struct trickle *)s;
    struct iovec few = {.iov_base = iov[0].iov_base,
                        .iov_len = iov[0].iov_len < 7 ? iov[0].iov_len : 7};

    (void)n;
    if (t->writes++ % 2)
        return error_set(e, EAGAIN, "%s", "");
    return stream_writev(t->lower, &few, 1, e);
}

static bool
trickle_pending(struct stream *s)
{
    return stream_pending(((struct trickle *)s)->lower);
}

static unsigned
trickle_read_wants(struct stream *s)
{
    return stream_read_wants(((struct trickle *)s)->lower);
}

static unsigned
trickle_write_wants(struct stream *s)
{
    return stream_write_wants(((struct trickle *)s)->lower);
}

static int
trickle_shutdown_write(struct stream *s, struct error *e)
{
    return stream_shutdown_write(((struct trickle *)s)->lower, e);
}

static int
trickle_fd(const struct stream *s)
{
    return stream_fd(((const struct trickle *)s)->lower);
}

static void
trickle_free(struct stream *s)
{
    stream_free(((struct trickle *)s)->lower);
    free(s);
}

static const struct stream_ops trickle_ops = {
    .readv = trickle_readv,
    .writev = trickle_writev,
    .pending = trickle_pending,
    .read_wants = trickle_read_wants,
    .write_wants = trickle_write_wants,
    .shutdown_write = trickle_shutdown_write,
    .fd = trickle_fd,
    .free = trickle_free,
};

static struct stream *
make_lower(int fd, enum transport transport)
{
    struct stream *s = stream_socket_new(fd);
    struct trickle *t = calloc(1, sizeof *t);

    if (!s || !t)
        abort();
    if (transport == PLAIN) {
        free(t);
        return s;
    }
    t->stream.ops = &trickle_ops;
    t->lower = s;
    return &t->stream;
}

/* ---- the pair ---- */

int
tls_pair_init(struct tls_pair *p, enum transport transport,
              const struct stream_tls_settings *settings,
              const struct tls_server_options *options, struct error *e)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1)
        abort();
    struct stream *lower = make_lower(pair[0], transport);
    tls_server_init(&p->server, pair[1], options);
    p->client = stream_tls_new(lower, settings, e);
    if (p->client)
        return 0;
    stream_free(lower);
    tls_server_clear(&p->server);
    return -1;
}

/* A server that gives up says why and closes, like a real one. */
static int
server_step(struct tls_pair *p)
{
    int r = gnutls_handshake(p->server.session);

    if (r < 0 && gnutls_error_is_fatal(r)) {
        gnutls_alert_send_appropriate(p->server.session, r);
        shutdown(p->server.fd, SHUT_WR);
    }
    return r;
}

int
tls_pair_handshake(struct tls_pair *p, struct error *e)
{
    int client = -1, server = GNUTLS_E_AGAIN;
    bool client_runs = true;

    for (int i = 0; i < MAX_STEPS; i++) {
        if (client_runs) {
            client = stream_tls_handshake(p->client, e);
            client_runs = client == -1 && e->number == EAGAIN;
        }
        if (server != GNUTLS_E_SUCCESS && !gnutls_error_is_fatal(server))
            server = server_step(p);
        bool server_runs = server != GNUTLS_E_SUCCESS && !gnutls_error_is_fatal(server);
        /* After a client that is done the server may still have to read its last
         * message; after a client that failed nothing more happens. */
        if (!client_runs && (!server_runs || client == -1))
            return client;
    }
    return error_set(e, ETIME, "the handshake does not get to its end");
}

void
tls_pair_clear(struct tls_pair *p)
{
    stream_free(p->client);
    tls_server_clear(&p->server);
}

/* ---- for tests of a connection that stands ---- */

static void die(const char *format, ...)
    __attribute__((format(printf, 1, 2), noreturn));

static void
die(const char *format, ...)
{
    va_list args;

    printf("Bail out! ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    exit(99);
}

void
connect_pair(struct tls_pair *p, enum transport transport,
             const struct certificate *certificate, const char *priority)
{
    struct stream_tls_settings settings = {.verify_peer = false};
    struct tls_server_options options = {.certificate = certificate,
                                         .priority = priority};
    struct error e;

    if (tls_pair_init(p, transport, &settings, &options, &e) == -1 ||
        tls_pair_handshake(p, &e) == -1)
        die("no TLS connection: %s", e.text);
}

void
wait_for(struct stream *s, unsigned wants)
{
    struct pollfd poll_fd = {.fd = stream_fd(s)};

    poll_fd.events = (short)((wants & STREAM_READ ? POLLIN : 0) |
                             (wants & STREAM_WRITE ? POLLOUT : 0));
    if (poll(&poll_fd, 1, DEADLINE_MS) != 1)
        die("the stream does not get on");
}

size_t
server_read(struct tls_pair *p, void *bytes, size_t len)
{
    uint8_t *buffer = bytes;
    size_t total = 0;

    while (total < len) {
        ssize_t n = gnutls_record_recv(p->server.session, buffer + total, len - total);
        if (n == GNUTLS_E_AGAIN || n == 0)
            break;
        if (n < 0 && n != GNUTLS_E_INTERRUPTED)
            die("server: %s", gnutls_strerror((int)n));
        total += n > 0 ? (size_t)n : 0;
    }
    return total;
}

void
server_write(struct tls_pair *p, const void *bytes, size_t len)
{
    if (gnutls_record_send(p->server.session, bytes, len) != (ssize_t)len)
        die("the server cannot write");
}

ssize_t
read_one(struct stream *s, void *buffer, size_t len, struct error *e)
{
    struct iovec iov = {.iov_base = buffer, .iov_len = len};
    return stream_readv(s, &iov, 1, e);
}

ssize_t
read_wait(struct stream *s, void *buffer, size_t len, struct error *e)
{
    ssize_t n;

    while ((n = read_one(s, buffer, len, e)) == -1 && e->number == EAGAIN)
        wait_for(s, stream_read_wants(s));
    return n;
}
