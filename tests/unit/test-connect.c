/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-connect.c - addresses that answer and that do not */

#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/un.h>
#include <unistd.h>

#include "base-cleanup.h"
#include "connect.h"

#define DEADLINE_MS 20000

static char directory[] = "/tmp/test-connect-XXXXXX";

/* Drives c to the end: what connector_step says at last. */
static int
finish(struct connector *c, struct error *e)
{
    int r;

    while ((r = connector_step(c, e)) == 1) {
        struct pollfd poll_fd = {.fd = connector_fd(c), .events = POLLOUT};
        if (poll(&poll_fd, 1, DEADLINE_MS) != 1)
            bail_out("the connector does not get on");
    }
    return r;
}

static bool
is_fit(int fd)
{
    return fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK &&
           fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

static int
listen_unix(const char *path, size_t len, int backlog)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    memcpy(addr.sun_path, path, len);
    if (fd == -1 ||
        bind(fd, (struct sockaddr *)&addr,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) == -1 ||
        listen(fd, backlog) == -1)
        bail_out("listening on %s: %s", path, strerror(errno));
    return fd;
}

/* On 127.0.0.1; the port is in *port. */
static int
listen_tcp(char *port, size_t size)
{
    struct sockaddr_in addr = {.sin_family = AF_INET};
    socklen_t len = sizeof addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd == -1 || bind(fd, (struct sockaddr *)&addr, len) == -1 ||
        listen(fd, 5) == -1 || getsockname(fd, (struct sockaddr *)&addr, &len) == -1)
        bail_out("listening on 127.0.0.1: %s", strerror(errno));
    snprintf(port, size, "%u", ntohs(addr.sin_port));
    return fd;
}

/* ---- addresses ---- */

static void
test_unix(void)
{
    char path[108], abstract[108] = "";
    struct error e;

    snprintf(path, sizeof path, "%s/listening", directory);
    int listener CLEANUP_CLOSE = listen_unix(path, strlen(path) + 1, 5);
    struct connector *c = connector_new_unix(path, strlen(path), &e);
    ok(c && connector_fd(c) == -1, "a new connector has no descriptor");
    is_int(finish(c, &e), 0, "a Unix socket that listens answers");
    is_int(connector_step(c, &e), 0, "a connector stays connected");
    int fd CLEANUP_CLOSE = connector_take(c);
    ok(is_fit(fd), "the socket is non-blocking and closed on exec");
    is_int(connector_take(c), -1, "the socket can be taken once");
    connector_free(c);

    int len = snprintf(abstract + 1, sizeof abstract - 1, "%s", directory) + 1;
    int second CLEANUP_CLOSE = listen_unix(abstract, (size_t)len, 5);
    c = connector_new_unix(abstract, (size_t)len, &e);
    is_int(finish(c, &e), 0, "an abstract socket answers");
    connector_free(c);

    snprintf(path, sizeof path, "%s/missing", directory);
    c = connector_new_unix(path, strlen(path), &e);
    ok(finish(c, &e) == -1 && e.number == ENOENT && strstr(e.text, path) &&
           strstr(e.text, "No such file"),
       "a socket that is missing is named with the reason");
    ok(connector_step(c, &e) == -1 && e.number == ENOENT,
       "a connector that failed fails again");
    connector_free(c);
}

static void
test_unix_names(void)
{
    char name[200];
    struct error e;

    memset(name, 'x', sizeof name);
    ok(!connector_new_unix(name, 108, &e) && e.number == ENAMETOOLONG,
       "a path of 108 bytes is too long");
    struct connector *c = connector_new_unix(name, 107, &e);
    ok(c != NULL, "a path of 107 bytes is possible");
    connector_free(c);
    ok(!connector_new_unix("", 0, &e) && e.number == EINVAL,
       "a path must not be empty");
    ok(!connector_new_unix("a\0b", 3, &e) && e.number == EINVAL,
       "a path contains no NUL");
    ok(!connector_new_unix("", 1, &e) && e.number == EINVAL,
       "an abstract name must not be empty");
    ok(!connector_new_sockaddr((struct sockaddr *)name, 1, &e) && e.number == EINVAL,
       "an address that is too short is refused");
}

/* One connection fills a queue of length 0; taking it off lets the next one in. */
static void *
accept_later(void *pointer)
{
    int listener = *(int *)pointer;
    static _Thread_local int taken[3];

    for (int i = 0; i < 2; i++) {
        struct pollfd poll_fd = {.fd = listener, .events = POLLIN};
        poll(&poll_fd, 1, DEADLINE_MS);
        taken[i] = accept(listener, NULL, NULL);
    }
    close_quietly(taken[0]);
    close_quietly(taken[1]);
    return NULL;
}

static void
test_full_queue(void)
{
    char path[108];
    struct error e;
    pthread_t thread;

    snprintf(path, sizeof path, "%s/full", directory);
    int listener CLEANUP_CLOSE = listen_unix(path, strlen(path) + 1, 0);
    struct connector *first = connector_new_unix(path, strlen(path), &e);
    struct connector *second = connector_new_unix(path, strlen(path), &e);
    is_int(finish(first, &e), 0, "the first connection fills the queue");
    pthread_create(&thread, NULL, accept_later, &listener);
    is_int(finish(second, &e), 0, "a server with a full queue is waited for");
    ok(is_fit(connector_fd(second)), "the socket is non-blocking again after that");
    pthread_join(thread, NULL);
    connector_free(first);
    connector_free(second);
}

static void
test_tcp(void)
{
    char port[10], want[60];
    struct error e;
    int on = 0;
    socklen_t len = sizeof on;

    int listener = listen_tcp(port, sizeof port);
    struct connector *c = connector_new_tcp("127.0.0.1", port, &e);
    is_int(finish(c, &e), 0, "a TCP server answers");
    int fd CLEANUP_CLOSE = connector_take(c);
    connector_free(c);
    ok(is_fit(fd), "the TCP socket is non-blocking and closed on exec");
    ok(getsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, &len) == 0 && on,
       "TCP_NODELAY is set");
    on = 0;
    ok(getsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, &len) == 0 && on,
       "SO_KEEPALIVE is set");

    /* Both [::1] and 127.0.0.1 where the machine has both: only one of them listens. */
    c = connector_new_tcp("localhost", port, &e);
    if (c == NULL)
        bail_out("this machine does not know its own name: %s", e.text);
    is_int(finish(c, &e), 0, "an address that refuses leads to the next one");
    connector_free(c);

    close(listener);
    c = connector_new_tcp("127.0.0.1", port, &e);
    snprintf(want, sizeof want, "127.0.0.1 port %s", port);
    ok(finish(c, &e) == -1 && e.number == ECONNREFUSED && strstr(e.text, want) &&
           strstr(e.text, "refused"),
       "the message names host, port and reason");
    diag("%s", e.text);
    connector_free(c);
    c = connector_new_tcp("localhost", port, &e);
    ok(finish(c, &e) == -1 && e.number == ECONNREFUSED && strstr(e.text, "localhost"),
       "the message names the host that has several addresses");
    diag("%s", e.text);
    connector_free(c);

    ok(!connector_new_tcp("256.1.1.1.invalid", "1", &e) && e.number != 0 &&
           e.number != EAGAIN && strstr(e.text, "256.1.1.1.invalid"),
       "a host that does not exist is named");
    ok(!connector_new_tcp("127.0.0.1", "no-such-service", &e) &&
           strstr(e.text, "no-such-service"),
       "a service that does not exist is named");
}

static void
test_vsock(void)
{
    struct error e;
    struct connector *c = connector_new_vsock(4000000000U, 7, &e);

    if (c)
        ok(finish(c, &e) == -1 && strstr(e.text, "CID 4000000000 port 7"),
           "a vsock address that does not answer is named");
    else
        ok(e.number == ENOTSUP, "vsock may be left out");
    diag("%s", e.text);
    connector_free(c);
}

static void
test_adopt(void)
{
    int pair[2];
    struct error e;

    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == -1)
        bail_out("socketpair");
    ok(connect_adopt(pair[0], &e) == 0 && is_fit(pair[0]),
       "a descriptor of the caller's is made fit");
    close(pair[0]);
    close(pair[1]);
    ok(connect_adopt(pair[0], &e) == -1 && e.number == EBADF,
       "a closed descriptor is refused");
}

static void
remove_files(void)
{
    static const char *const names[] = {"listening", "full"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[200];
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        unlink(path);
    }
    rmdir(directory);
}

int
main(void)
{
    if (!mkdtemp(directory))
        bail_out("mkdtemp");
    test_unix();
    test_unix_names();
    test_full_queue();
    test_tcp();
    test_vsock();
    test_adopt();
    remove_files();
    done_testing();
}
