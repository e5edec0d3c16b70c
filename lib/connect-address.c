/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-address.c - connecting to an address, or to the first of several that answers
 *
 * Knows sockets and the resolver, nothing of NBD.
 */

#include "config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/un.h>
#ifdef HAVE_LINUX_VM_SOCKETS_H
#include <linux/vm_sockets.h>
#endif

#include "base-array.h"
#include "base-cleanup.h"
#include "base-text.h"
#include "connect.h"

/* How long a Unix server whose queue of connections is full is waited for. */
#define QUEUE_WAIT_SECONDS 10

struct address {
    struct sockaddr_storage addr;
    socklen_t len;
};

struct connector {
    ARRAY_OF(struct address) addresses;
    size_t next;   /* the address to try when fd is -1 */
    int fd;        /* the socket that is connecting, or connected; or -1 */
    bool answered; /* fd is connected */
    char *name;    /* what the caller asked for, printable */
    /* The addresses that did not answer and why, when there is more than one; and the
     * number of the last failure. */
    struct text failures;
    int last_errno;
};

static struct connector *
connector_new(struct error *e)
{
    struct connector *c = calloc(1, sizeof *c);

    if (!c) {
        error_set_errno(e, ENOMEM, "connecting");
        return NULL;
    }
    c->fd = -1;
    return c;
}

/* NULL, after an error that is in e. */
static struct connector *
give_up(struct connector *c)
{
    connector_free(c);
    return NULL;
}

static int
add_address(struct connector *c, const void *addr, socklen_t len, struct error *e)
{
    if (array_reserve(&c->addresses, 1) == -1)
        return error_set_errno(e, ENOMEM, "connecting");
    struct address *a = &c->addresses.items[c->addresses.len++];
    memset(a, 0, sizeof *a);
    memcpy(&a->addr, addr, len);
    a->len = len;
    return 0;
}

/* The printable form of one address; for a Unix socket its name, "@" first where it is
 * abstract.  NULL where there is no memory. */
static char *
describe_address(const struct address *a)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];
    const struct sockaddr *addr = (const struct sockaddr *)&a->addr;
    struct text t = {0};

    switch (addr->sa_family) {
    case AF_UNIX: {
        const char *path = ((const struct sockaddr_un *)addr)->sun_path;
        size_t len = a->len - offsetof(struct sockaddr_un, sun_path);
        bool abstract = len > 0 && path[0] == '\0';
        char *name CLEANUP_FREE = abstract
                                      ? text_printable(path + 1, len - 1, 256)
                                      : text_printable(path, strnlen(path, len), 256);
        text_printf(&t, "%s%s", abstract ? "@" : "", name ? name : "");
        break;
    }
#ifdef HAVE_LINUX_VM_SOCKETS_H
    case AF_VSOCK: {
        const struct sockaddr_vm *vm = (const struct sockaddr_vm *)addr;
        text_printf(&t, "vsock CID %u port %u", vm->svm_cid, vm->svm_port);
        break;
    }
#endif
    default:
        if (getnameinfo(addr, a->len, host, sizeof host, port, sizeof port,
                        NI_NUMERICHOST | NI_NUMERICSERV) != 0)
            text_printf(&t, "an address of family %d", addr->sa_family);
        else
            text_printf(&t, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
    }
    return text_steal(&t);
}

struct connector *
connector_new_sockaddr(const struct sockaddr *addr, socklen_t len, struct error *e)
{
    if (!addr || len < sizeof addr->sa_family ||
        len > sizeof(struct sockaddr_storage)) {
        error_set(e, EINVAL, "the socket address has an invalid length of %lu bytes",
                  (unsigned long)len);
        return NULL;
    }
    struct connector *c = connector_new(e);
    if (!c)
        return NULL;
    if (add_address(c, addr, len, e) == -1)
        return give_up(c);
    c->name = describe_address(&c->addresses.items[0]);
    if (!c->name) {
        error_set_errno(e, ENOMEM, "connecting");
        return give_up(c);
    }
    return c;
}

struct connector *
connector_new_unix(const char *path, size_t len, struct error *e)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    bool abstract = len > 0 && path[0] == '\0';
    /* A path needs its NUL, an abstract name has none. */
    size_t max = sizeof addr.sun_path - (abstract ? 0 : 1);

    if (len == 0 || (abstract && len == 1)) {
        error_set(e, EINVAL, "the name of the Unix socket is empty");
        return NULL;
    }
    if (!abstract && memchr(path, '\0', len)) {
        error_set(e, EINVAL, "the name of the Unix socket contains a NUL");
        return NULL;
    }
    if (len > max) {
        error_set(e, ENAMETOOLONG,
                  "the name of the Unix socket is too long: %zu bytes, at most %zu are "
                  "possible: %.200s",
                  len, max, abstract ? path + 1 : path);
        return NULL;
    }
    memcpy(addr.sun_path, path, len);
    return connector_new_sockaddr(
        (struct sockaddr *)&addr,
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + (abstract ? 0 : 1)),
        e);
}

/* What getaddrinfo says, as an errno; never EAGAIN, which means "call again" here. */
static int
resolver_errno(int code)
{
    switch (code) {
    case EAI_SYSTEM:
        return errno && errno != EAGAIN ? errno : EIO;
    case EAI_MEMORY:
        return ENOMEM;
    case EAI_SERVICE:
    case EAI_SOCKTYPE:
    case EAI_BADFLAGS:
        return EINVAL;
    case EAI_FAMILY:
        return EAFNOSUPPORT;
    default:
        return EHOSTUNREACH;
    }
}

struct connector *
connector_new_tcp(const char *host, const char *port, struct error *e)
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    struct text name = {0};

    errno = 0;
    int code = getaddrinfo(host, port, &hints, &found);
    if (code != 0) {
        int number = resolver_errno(code);
        error_set(e, number, "looking up %.200s port %.50s: %s", host, port,
                  code == EAI_SYSTEM ? strerror(number) : gai_strerror(code));
        return NULL;
    }

    struct connector *c = connector_new(e);
    int r = c ? 0 : -1;
    for (struct addrinfo *a = found; a && r == 0; a = a->ai_next)
        r = add_address(c, a->ai_addr, a->ai_addrlen, e);
    freeaddrinfo(found);
    if (r == -1)
        return give_up(c);
    text_printf(&name, "%s port %s", host, port);
    c->name = text_steal(&name);
    if (!c->name) {
        error_set_errno(e, ENOMEM, "connecting");
        return give_up(c);
    }
    return c;
}

struct connector *
connector_new_vsock(uint32_t cid, uint32_t port, struct error *e)
{
#ifdef HAVE_LINUX_VM_SOCKETS_H
    struct sockaddr_vm addr = {
        .svm_family = AF_VSOCK,
        .svm_cid = cid,
        .svm_port = port,
    };
    return connector_new_sockaddr((struct sockaddr *)&addr, sizeof addr, e);
#else
    error_set(e, ENOTSUP, "vsock CID %u port %u: built without AF_VSOCK", cid, port);
    return NULL;
#endif
}

/* A small request must not wait for the answer to the one before it, and a server that
 * vanished must be noticed at last.  Not all kinds of sockets know these options. */
static void
set_tcp_options(int fd)
{
    int on = 1, domain = 0;
    socklen_t len = sizeof domain;

    if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == -1 ||
        (domain != AF_INET && domain != AF_INET6))
        return;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* A Unix socket cannot be polled for a free place in the server's queue.  Waits for it
 * in the kernel instead, for a limited time: 0, or an errno. */
static int
connect_to_full_queue(int fd, const struct address *a)
{
    struct timeval limit = {.tv_sec = QUEUE_WAIT_SECONDS}, none = {0};
    int flags = fcntl(fd, F_GETFL), result = 0;

    if (flags == -1 || fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) == -1 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == -1)
        return errno;
    while (connect(fd, (const struct sockaddr *)&a->addr, a->len) == -1) {
        if (errno == EINTR)
            continue;
        result = errno == EAGAIN ? ETIMEDOUT : errno;
        break;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &none, sizeof none);
    if (fcntl(fd, F_SETFL, flags) == -1 && result == 0)
        result = errno;
    return result;
}

/* Begins to connect: 0 when connected at once, EINPROGRESS, or what is wrong. */
static int
begin(struct connector *c, const struct address *a)
{
    int family = a->addr.ss_family;

    c->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (c->fd == -1)
        return errno;
    set_tcp_options(c->fd);
    if (connect(c->fd, (const struct sockaddr *)&a->addr, a->len) == 0)
        return 0;
    /* An interrupted connect goes on in the background. */
    if (errno == EINTR)
        return EINPROGRESS;
    if (errno == EAGAIN && family == AF_UNIX)
        return connect_to_full_queue(c->fd, a);
    return errno;
}

/* How far is the socket that was begun?  As begin. */
static int
look(const struct connector *c)
{
    struct pollfd poll_fd = {.fd = c->fd, .events = POLLOUT};
    int number = 0;
    socklen_t len = sizeof number;

    int r = poll(&poll_fd, 1, 0);
    if (r == 0 || (r == -1 && errno == EINTR))
        return EINPROGRESS;
    if (r == -1 || getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &number, &len) == -1)
        return errno;
    return number;
}

static void
note_failure(struct connector *c, const struct address *a, int number)
{
    char reason[128];
    char *address CLEANUP_FREE = describe_address(a);

    c->last_errno = number;
    text_printf(&c->failures, "%s%s: %s", c->failures.len > 0 ? "; " : "",
                address ? address : "?", strerror_r(number, reason, sizeof reason));
}

static int
nobody_answered(struct connector *c, struct error *e)
{
    int number = c->last_errno ? c->last_errno : ENOTCONN;

    if (c->addresses.len <= 1 || !c->failures.text)
        return error_set_errno(e, number, "connecting to %.300s", c->name);
    return error_set(e, number, "connecting to %.200s: %s", c->name, c->failures.text);
}

int
connector_step(struct connector *c, struct error *e)
{
    if (c->answered)
        return 0;
    for (;;) {
        bool begun = c->fd >= 0;
        if (!begun && c->next == c->addresses.len)
            return nobody_answered(c, e);

        const struct address *a = &c->addresses.items[c->next];
        int number = begun ? look(c) : begin(c, a);
        if (number == 0) {
            c->answered = true;
            return 0;
        }
        if (number == EINPROGRESS)
            return 1;
        note_failure(c, a, number);
        close_quietly(steal_fd(&c->fd));
        c->next++;
    }
}

int
connector_fd(const struct connector *c)
{
    return c->fd;
}

int
connector_take(struct connector *c)
{
    return c->answered ? steal_fd(&c->fd) : -1;
}

void
connector_free(struct connector *c)
{
    if (!c)
        return;
    close_quietly(c->fd);
    array_clear(&c->addresses);
    text_clear(&c->failures);
    free(c->name);
    free(c);
}

int
connect_adopt(int fd, struct error *e)
{
    int flags = fcntl(fd, F_GETFL);
    int fd_flags = fcntl(fd, F_GETFD);

    if (flags == -1 || fd_flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1 ||
        fcntl(fd, F_SETFD, fd_flags | FD_CLOEXEC) == -1)
        return error_set_errno(e, errno, "using file descriptor %d", fd);
    set_tcp_options(fd);
    return 0;
}
