/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-stream.c - streams over sockets and over other descriptors, without TLS */

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base-cleanup.h"
#include "stream.h"

static struct stream *
new_pair(int *peer)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == -1)
        bail_out("socketpair");
    *peer = pair[1];
    struct stream *s = stream_socket_new(pair[0]);
    if (!s || stream_fd(s) != pair[0])
        bail_out("stream_socket_new");
    return s;
}

static ssize_t
read_one(struct stream *s, void *buffer, size_t len, struct error *e)
{
    struct iovec iov = {.iov_base = buffer, .iov_len = len};
    return stream_readv(s, &iov, 1, e);
}

static ssize_t
write_one(struct stream *s, const void *bytes, size_t len, struct error *e)
{
    struct iovec iov = {.iov_base = (void *)bytes, .iov_len = len};
    return stream_writev(s, &iov, 1, e);
}

static void
test_bytes(void)
{
    int peer;
    struct error e = {0};
    char a[3], b[10];
    struct stream *s = new_pair(&peer);

    ok(read_one(s, a, sizeof a, &e) == -1 && e.number == EAGAIN,
       "reading where nothing is there gives EAGAIN");
    is_int(stream_read_wants(s), STREAM_READ, "the reader waits for input");
    is_int(stream_write_wants(s), STREAM_WRITE, "the writer waits for room");
    struct iovec out[3] = {{"ab", 2}, {NULL, 0}, {"cdef", 4}};
    is_int(stream_writev(s, out, 3, &e), 6, "the pieces are written together");
    is_int(read(peer, b, sizeof b), 6, "they arrive");
    ok(memcmp(b, "abcdef", 6) == 0, "in order");
    is_int(write(peer, "0123456", 7), 7, "the peer writes");
    ok(!stream_pending(s), "nothing is pending that poll does not tell of");
    struct iovec in[2] = {{a, 3}, {b, 10}};
    is_int(stream_readv(s, in, 2, &e), 7, "a read takes what is there");
    ok(memcmp(a, "012", 3) == 0 && memcmp(b, "3456", 4) == 0, "into the pieces");
    is_int(stream_shutdown_write(s, &e), 0, "the writing side is closed");
    is_int(read(peer, b, 1), 0, "the peer sees the end");
    is_int(write(peer, "x", 1), 1, "the peer can still write");
    is_int(read_one(s, a, 1, &e), 1, "and be read");
    close(peer);
    is_int(read_one(s, a, 1, &e), 0, "the end of the stream is 0");
    stream_free(s);
    stream_free(NULL);
}

static void
test_errors(void)
{
    int peer;
    struct error e = {0};
    char *big CLEANUP_FREE = calloc(1, 1 << 20);
    struct stream *s = new_pair(&peer);
    ssize_t n, total = 0;

    while ((n = write_one(s, big, 1 << 20, &e)) > 0)
        total += n;
    ok(total > 0 && e.number == EAGAIN, "a full socket gives EAGAIN");
    close(peer);
    /* No handler and no SIG_IGN: a signal would end this program. */
    ok(write_one(s, "x", 1, &e) == -1 && e.number == EPIPE && strstr(e.text, "sending"),
       "a peer that is gone is an error and no signal");
    stream_free(s);
}

static void
test_many_pieces(void)
{
    enum { N = 3000 };
    static struct iovec iov[N];
    int peer;
    struct error e = {0};
    struct stream *s = new_pair(&peer);

    for (int i = 0; i < N; i++)
        iov[i] = (struct iovec){"x", 1};
    ssize_t n = stream_writev(s, iov, N, &e);
    ok(n > 0 && n <= N, "more pieces than the kernel takes are no error");
    stream_free(s);
    close(peer);
}

static void
test_pipe(void)
{
    int in[2], out[2];
    struct error e = {0};
    char buffer[10];

    if (pipe2(in, O_NONBLOCK) == -1 || pipe2(out, O_NONBLOCK) == -1)
        bail_out("pipe2");
    struct stream *reader = stream_socket_new(in[0]);
    struct stream *writer = stream_socket_new(out[1]);
    ok(read_one(reader, buffer, 1, &e) == -1 && e.number == EAGAIN,
       "an empty pipe gives EAGAIN");
    is_int(write(in[1], "abc", 3), 3, "the peer writes into the pipe");
    is_int(read_one(reader, buffer, sizeof buffer, &e), 3, "a pipe can be read");
    is_int(write_one(writer, "hello", 5, &e), 5, "a pipe can be written");
    is_int(read(out[0], buffer, sizeof buffer), 5, "it arrives");
    is_int(stream_shutdown_write(writer, &e), 0, "a pipe cannot be shut down half");
    close(out[0]);
    ok(write_one(writer, "x", 1, &e) == -1 && e.number == EPIPE,
       "a pipe without a reader is an error and no signal");
    close(in[1]);
    is_int(read_one(reader, buffer, 1, &e), 0, "a pipe without a writer has ended");
    stream_free(reader);
    stream_free(writer);
}

static void
test_bad_descriptor(void)
{
    int peer;
    struct error e = {0};
    char c;
    struct stream *s = new_pair(&peer);

    close(stream_fd(s));
    ok(read_one(s, &c, 1, &e) == -1 && e.number == EBADF && strstr(e.text, "receiving"),
       "an error of the socket is reported");
    ok(stream_shutdown_write(s, &e) == -1 && e.number == EBADF,
       "and when shutting down");
    stream_free(s);
    close(peer);
}

int
main(void)
{
    test_bytes();
    test_errors();
    test_many_pieces();
    test_pipe();
    test_bad_descriptor();
    done_testing();
}
