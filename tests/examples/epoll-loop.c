/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* epoll-loop.c - several connections in one main loop of one's own
 *
 *     epoll-loop URI FILE [CONNECTIONS]
 *
 * Copies an export into a file over as many connections as the server allows and the
 * user wants (default 4).  One thread waits with epoll(7) for all of them.
 */

#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <libnbd.h>

enum {
    MAX_CONNECTIONS = 16,
    BLOCKS_PER_CONNECTION = 8,
    BLOCK_SIZE = 64 * 1024,
};

struct block {
    struct copy *copy;
    bool busy;
    uint64_t offset; /* in the export, in bytes */
    size_t length;
    unsigned char data[BLOCK_SIZE];
};

struct connection {
    struct nbd_handle *h;
    int fd; /* as epoll knows it; -1: it does not */
    struct block *blocks;
};

struct copy {
    int epoll, file;
    uint64_t size, next; /* what is there, and what comes next, in bytes */
    int nr_connections;
    struct connection connections[MAX_CONNECTIONS];
};

static void
check(int64_t r)
{
    if (r == -1)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
}

/* Tells epoll what the handle waits for now.  Both the descriptor and the direction
 * change: the former while connecting, the latter with each command. */
static void
watch(struct copy *copy, struct connection *c)
{
    unsigned direction = nbd_aio_get_direction(c->h);
    int fd = direction != 0 ? nbd_aio_get_fd(c->h) : -1;
    struct epoll_event event = {.data.ptr = c};

    if (direction & LIBNBD_AIO_DIRECTION_READ)
        event.events |= EPOLLIN;
    if (direction & LIBNBD_AIO_DIRECTION_WRITE)
        event.events |= EPOLLOUT;

    if (c->fd != -1 && fd != c->fd)
        /* It may be closed already, and then epoll has forgotten it. */
        epoll_ctl(copy->epoll, EPOLL_CTL_DEL, c->fd, NULL);
    /* A new socket may have got the number of the one before. */
    if (fd != -1 && epoll_ctl(copy->epoll, EPOLL_CTL_MOD, fd, &event) == -1 &&
        (errno != ENOENT || epoll_ctl(copy->epoll, EPOLL_CTL_ADD, fd, &event) == -1))
        err(EXIT_FAILURE, "epoll_ctl");
    c->fd = fd;
}

/* One round of the main loop: waits until something can go on, and lets it go on. */
static void
run_once(struct copy *copy)
{
    struct epoll_event events[MAX_CONNECTIONS];
    int n;

    for (int i = 0; i < copy->nr_connections; i++)
        watch(copy, &copy->connections[i]);
    n = epoll_wait(copy->epoll, events, MAX_CONNECTIONS, -1);
    if (n == -1 && errno != EINTR)
        err(EXIT_FAILURE, "epoll_wait");
    for (int i = 0; i < n; i++) {
        struct connection *c = events[i].data.ptr;

        if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            check(nbd_aio_notify_read(c->h));
        else
            check(nbd_aio_notify_write(c->h));
    }
}

static void
add_connection(struct copy *copy, const char *uri)
{
    struct connection *c = &copy->connections[copy->nr_connections++];

    c->fd = -1;
    c->h = nbd_create();
    c->blocks = calloc(BLOCKS_PER_CONNECTION, sizeof *c->blocks);
    if (c->h == NULL || c->blocks == NULL)
        err(EXIT_FAILURE, "no memory");
    check(nbd_aio_connect_uri(c->h, uri));
}

static bool
is_connecting(const struct copy *copy)
{
    for (int i = 0; i < copy->nr_connections; i++)
        if (nbd_aio_is_connecting(copy->connections[i].h))
            return true;
    return false;
}

static int
on_read(void *user_data, int *error)
{
    struct block *block = user_data;

    if (*error != 0)
        errx(EXIT_FAILURE, "read at %llu: %s", (unsigned long long)block->offset,
             strerror(*error));
    if (pwrite(block->copy->file, block->data, block->length, (off_t)block->offset) !=
        (ssize_t)block->length)
        err(EXIT_FAILURE, "write");
    block->busy = false;
    return 1;
}

/* Issues reads until all blocks of the connection are busy or nothing is left. */
static void
read_more(struct copy *copy, struct connection *c)
{
    for (int i = 0; i < BLOCKS_PER_CONNECTION && copy->next < copy->size; i++) {
        struct block *block = &c->blocks[i];
        nbd_completion_callback callback = {.callback = on_read, .user_data = block};

        if (block->busy)
            continue;
        block->copy = copy;
        block->busy = true;
        block->offset = copy->next;
        block->length = BLOCK_SIZE;
        if (block->length > copy->size - copy->next)
            block->length = (size_t)(copy->size - copy->next);
        copy->next += block->length;
        check(nbd_aio_pread(c->h, block->data, block->length, block->offset, callback,
                            0));
    }
}

static bool
is_busy(const struct copy *copy)
{
    for (int i = 0; i < copy->nr_connections; i++)
        if (nbd_aio_in_flight(copy->connections[i].h) > 0)
            return true;
    return false;
}

static void
connect_all(struct copy *copy, const char *uri, int wanted)
{
    int64_t size;

    add_connection(copy, uri);
    while (is_connecting(copy))
        run_once(copy);
    /* Nothing is written, so that more connections are safe anyway; but a server that
     * does not say so may serve one client at a time. */
    if (nbd_can_multi_conn(copy->connections[0].h) == 1)
        while (copy->nr_connections < wanted)
            add_connection(copy, uri);
    while (is_connecting(copy))
        run_once(copy);

    size = nbd_get_size(copy->connections[0].h);
    check(size);
    copy->size = (uint64_t)size;
}

int
main(int argc, char *argv[])
{
    static struct copy copy;
    long wanted = argc == 4 ? strtol(argv[3], NULL, 10) : 4;

    if (argc < 3 || argc > 4 || wanted < 1 || wanted > MAX_CONNECTIONS)
        errx(EXIT_FAILURE, "usage: %s URI FILE [CONNECTIONS, up to %d]", argv[0],
             MAX_CONNECTIONS);
    copy.file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    copy.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (copy.file == -1 || copy.epoll == -1)
        err(EXIT_FAILURE, "%s", argv[2]);

    connect_all(&copy, argv[1], (int)wanted);
    do {
        for (int i = 0; i < copy.nr_connections; i++)
            read_more(&copy, &copy.connections[i]);
        if (is_busy(&copy))
            run_once(&copy);
    } while (is_busy(&copy) || copy.next < copy.size);

    printf("%llu bytes over %d connections\n", (unsigned long long)copy.size,
           copy.nr_connections);
    for (int i = 0; i < copy.nr_connections; i++) {
        nbd_close(copy.connections[i].h);
        free(copy.connections[i].blocks);
    }
    close(copy.epoll);
    if (close(copy.file) == -1)
        err(EXIT_FAILURE, "%s", argv[2]);
    return EXIT_SUCCESS;
}
