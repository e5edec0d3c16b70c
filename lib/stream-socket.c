/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-socket.c - a stream that is just a descriptor
 *
 * A socket is read and written with recvmsg and sendmsg (MSG_NOSIGNAL, so that a peer
 * that went away is EPIPE and not a signal).  Any other descriptor that can be polled
 * works too, with readv and writev.  Knows nothing of TLS.
 */

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "base-cleanup.h"
#include "stream-ops.h"

struct stream_socket {
    struct stream stream;
    int fd;
    /* Found out at the first ENOTSOCK, by the reader or the writer; no order with
     * anything else is needed. */
    atomic_bool no_socket;
};

static struct stream_socket *
to_socket(struct stream *s)
{
    return (struct stream_socket *)s;
}

/* The kernel refuses more than IOV_MAX at once; a short result is always allowed. */
static int
at_most_iov_max(int n)
{
    return n < IOV_MAX ? n : IOV_MAX;
}

/* writev to a pipe whose reader is gone raises SIGPIPE, and there is no flag against
 * it: hold the signal back in this thread, and take it away if it came. */
static ssize_t
writev_no_signal(int fd, const struct iovec *iov, int n)
{
    sigset_t sigpipe, old, before;

    sigemptyset(&sigpipe);
    sigaddset(&sigpipe, SIGPIPE);
    sigpending(&before);
    pthread_sigmask(SIG_BLOCK, &sigpipe, &old);

    ssize_t r = writev(fd, iov, n);
    int saved_errno = errno;
    if (r == -1 && saved_errno == EPIPE && !sigismember(&before, SIGPIPE)) {
        struct timespec now = {0, 0};
        while (sigtimedwait(&sigpipe, NULL, &now) == -1 && errno == EINTR)
            ;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = saved_errno;
    return r;
}

static ssize_t
receive(struct stream_socket *s, const struct iovec *iov, int n)
{
    if (!atomic_load_explicit(&s->no_socket, memory_order_relaxed)) {
        struct msghdr message = {.msg_iov = (struct iovec *)iov,
                                 .msg_iovlen = (size_t)n};
        ssize_t r = recvmsg(s->fd, &message, 0);
        if (r >= 0 || errno != ENOTSOCK)
            return r;
        atomic_store_explicit(&s->no_socket, true, memory_order_relaxed);
    }
    return readv(s->fd, iov, n);
}

static ssize_t
transmit(struct stream_socket *s, const struct iovec *iov, int n)
{
    if (!atomic_load_explicit(&s->no_socket, memory_order_relaxed)) {
        struct msghdr message = {.msg_iov = (struct iovec *)iov,
                                 .msg_iovlen = (size_t)n};
        ssize_t r = sendmsg(s->fd, &message, MSG_NOSIGNAL);
        if (r >= 0 || errno != ENOTSOCK)
            return r;
        atomic_store_explicit(&s->no_socket, true, memory_order_relaxed);
    }
    return writev_no_signal(s->fd, iov, n);
}

static ssize_t
socket_readv(struct stream *stream, const struct iovec *iov, int n, struct error *e)
{
    struct stream_socket *s = to_socket(stream);
    ssize_t r;

    do
        r = receive(s, iov, at_most_iov_max(n));
    while (r == -1 && errno == EINTR);
    if (r >= 0)
        return r;
    /* EWOULDBLOCK is the same number on Linux.  No text for what is no failure: this
     * happens for most reads. */
    if (errno == EAGAIN) {
        e->number = EAGAIN;
        e->text[0] = '\0';
        return -1;
    }
    return error_set_errno(e, errno, "receiving from the server");
}

static ssize_t
socket_writev(struct stream *stream, const struct iovec *iov, int n, struct error *e)
{
    struct stream_socket *s = to_socket(stream);
    ssize_t r;

    do
        r = transmit(s, iov, at_most_iov_max(n));
    while (r == -1 && errno == EINTR);
    if (r >= 0)
        return r;
    if (errno == EAGAIN) {
        e->number = EAGAIN;
        e->text[0] = '\0';
        return -1;
    }
    return error_set_errno(e, errno, "sending to the server");
}

static bool
socket_pending(struct stream *stream)
{
    (void)stream;
    return false;
}

static unsigned
socket_read_wants(struct stream *stream)
{
    (void)stream;
    return STREAM_READ;
}

static unsigned
socket_write_wants(struct stream *stream)
{
    (void)stream;
    return STREAM_WRITE;
}

static int
socket_shutdown_write(struct stream *stream, struct error *e)
{
    /* ENOTCONN: the peer was faster.  ENOTSOCK: there are no two sides to shut. */
    if (shutdown(to_socket(stream)->fd, SHUT_WR) == -1 && errno != ENOTCONN &&
        errno != ENOTSOCK)
        return error_set_errno(e, errno, "shutting down the connection");
    return 0;
}

static int
socket_fd(const struct stream *stream)
{
    return ((const struct stream_socket *)stream)->fd;
}

static void
socket_free(struct stream *stream)
{
    struct stream_socket *s = to_socket(stream);

    close_quietly(s->fd);
    free(s);
}

static const struct stream_ops socket_ops = {
    .readv = socket_readv,
    .writev = socket_writev,
    .pending = socket_pending,
    .read_wants = socket_read_wants,
    .write_wants = socket_write_wants,
    .shutdown_write = socket_shutdown_write,
    .fd = socket_fd,
    .free = socket_free,
};

struct stream *
stream_socket_new(int fd)
{
    struct stream_socket *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->stream.ops = &socket_ops;
    s->fd = fd;
    atomic_init(&s->no_socket, false);
    return &s->stream;
}
