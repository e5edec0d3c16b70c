/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* play-io.c - the player's bytes in and out: pieces, cuts and deadlines
 *
 * Knows nothing of NBD.
 */

#include "player.h"

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include <linux/sockios.h>

enum verdict
fail(struct player *p, const char *fmt, ...)
{
    char *text = NULL;
    va_list ap;
    va_start(ap, fmt);
    if (vasprintf(&text, fmt, ap) < 0)
        text = NULL;
    va_end(ap);
    if (!p->result->failure && asprintf(&p->result->failure, "line %d: %s",
                                        p->vars.line, text ? text : "") < 0)
        p->result->failure = NULL;
    free(text);
    return FAILED;
}

static int64_t
now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Are all bytes sent so far in the client's hands?  Waits for it, up to the deadline.
 */
static void
wait_until_taken(struct player *p)
{
    int64_t end = now_ms() + p->options->deadline_ms;
    for (unsigned i = 0; !p->client_gone; i++) {
        int left = 0;
        if (ioctl(p->fd, SIOCOUTQ, &left) < 0 || left == 0)
            return;
        struct pollfd pfd = {.fd = p->fd, .events = POLLRDHUP};
        /* A client that has what it wants may let the rest lie. */
        if (poll(&pfd, 1, 0) == 1 && pfd.revents & (POLLHUP | POLLRDHUP | POLLERR))
            return;
        if (i >= 200 && now_ms() > end)
            return;
        sched_yield();
    }
}

static enum verdict
send_some(struct player *p, const uint8_t *v, size_t n, size_t *sent)
{
    struct pollfd pfd = {.fd = p->fd, .events = POLLOUT};
    for (;;) {
        ssize_t r = send(p->fd, v, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (r >= 0) {
            *sent = (size_t)r;
            return GO_ON;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN) {
            p->client_gone = true;
            *sent = n;
            return GO_ON;
        }
        if (poll(&pfd, 1, p->options->deadline_ms) == 0)
            return fail(p, "the client does not read");
    }
}

static enum verdict
cut_off(struct player *p)
{
    p->result->was_cut = true;
    shutdown(p->fd, p->options->half_close ? SHUT_WR : SHUT_RDWR);
    if (p->options->half_close)
        drain(p);
    return OVER;
}

enum verdict
flush_out(struct player *p)
{
    size_t done = 0;
    enum verdict v = GO_ON;
    while (v == GO_ON && done < p->out.n && !p->client_gone) {
        size_t n = p->out.n - done;
        uint64_t left = p->options->cut - p->result->sent;
        if (left == 0)
            break;
        if (n > left)
            n = left;
        if (p->options->pieces && n > p->options->pieces)
            n = p->options->pieces;
        v = send_some(p, p->out.v + done, n, &n);
        done += n;
        p->result->sent += n;
        if (p->options->pieces)
            wait_until_taken(p);
    }
    bytes_clear(&p->out);
    if (v == GO_ON && p->result->sent >= p->options->cut)
        return cut_off(p);
    return v;
}

/* 1: something came (n bytes), 0: the end, -1: failed */
static int
receive_some(struct player *p, void *buf, size_t *n, const char *what)
{
    struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
    for (;;) {
        int r = poll(&pfd, 1, p->options->deadline_ms);
        if (r < 0 && errno == EINTR)
            continue;
        if (r == 0) {
            fail(p, "the client neither sends nor closes where %s is expected", what);
            return -1;
        }
        ssize_t got = recv(p->fd, buf, *n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        *n = got > 0 ? (size_t)got : 0;
        return got > 0;
    }
}

enum verdict
receive(struct player *p, void *buf, size_t n, const char *what)
{
    enum verdict v = flush_out(p);
    if (v != GO_ON)
        return v;
    uint8_t *at = buf;
    while (n > 0) {
        size_t got = n;
        int r = receive_some(p, at, &got, what);
        if (r < 0)
            return FAILED;
        if (r == 0)
            return fail(p, "the client closed where %s is expected", what);
        at += got;
        n -= got;
    }
    return GO_ON;
}

bool
client_closed(struct player *p)
{
    struct pollfd pfd = {.fd = p->fd, .events = POLLIN};
    char c;
    return flush_out(p) == GO_ON && poll(&pfd, 1, p->options->deadline_ms) == 1 &&
           recv(p->fd, &c, 1, MSG_PEEK) <= 0;
}

enum verdict
drain(struct player *p)
{
    char buf[4096];
    for (;;) {
        size_t n = sizeof buf;
        int r = receive_some(p, buf, &n, "the end");
        if (r <= 0)
            return r < 0 ? FAILED : OVER;
    }
}

enum verdict
expect_eof(struct player *p)
{
    uint8_t c;
    size_t n = 1;
    int r = receive_some(p, &c, &n, "the end");
    if (r > 0)
        return fail(p, "the client sends (0x%02x...) where it should only close", c);
    return r < 0 ? FAILED : OVER;
}
