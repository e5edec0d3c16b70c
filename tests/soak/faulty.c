/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* faulty.c - stands between a client and an NBD server, and spoils what that says
 *
 *     faulty LISTEN SERVER SEED FAULT EVERY
 *
 * Prints a line for each fault.  LISTEN and SERVER are Unix sockets.  About each EVERY
 * bytes, of what the server says after the handshake, comes one FAULT: reset (the
 * connection ends in the middle), twice (a message comes again), garbage (a message
 * with a number of another one), slow (a message comes late and in pieces).  Or FAULT
 * is told: a number on standard input ends the connection of that number, the first one
 * being 1, and each that begins or ends is told.
 *
 * The replies may be structured or simple.  In a simple one nothing tells where its
 * data belongs but the cookie: garbage makes it one that nobody has used.
 *
 * Where a connection ends, the server has first answered all that it got: it finds
 * nothing late that would undo what comes through the next connection.
 */

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define MESSAGE_MAX ((size_t)33 << 20)
#define OPTION_GO   7
#define REPLY_ACK   1
#define SIMPLE      0x67446698U
#define STRUCTURED  0x668e33efU
#define OPTION      0x49484156U /* the first half of its magic number */
#define REQUEST     0x25609513U
#define READ        0
#define WRITE       1
#define READS_MAX   1024
#define LINKS_MAX   64

enum fault { RESET, TWICE, GARBAGE, SLOW, TOLD, FAULTS };
static const char *const names[FAULTS] = {"reset", "twice", "garbage", "slow", "told"};

static enum fault fault;
static uint32_t every;
static const char *server_path;
static atomic_ulong done;

/* That the server has not answered. */
struct reads {
    pthread_mutex_t lock;
    unsigned n;
    struct {
        uint64_t cookie;
        uint32_t len;
    } read[READS_MAX];
};

struct link {
    int client, server;
    struct reads reads;
    unsigned place; /* among all, in the order in which they came */
    uint64_t random;
    int64_t left; /* bytes until the next fault */
    uint8_t *message;
    size_t len;
};

static uint32_t
next_random(struct link *link)
{
    link->random = link->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(link->random >> 33);
}

static uint32_t
number(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t
long_number(const uint8_t *at)
{
    return (uint64_t)number(at) << 32 | number(at + 4);
}

static bool
send_all(int fd, const uint8_t *bytes, size_t len)
{
    while (len > 0) {
        ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        bytes += n;
        len -= (size_t)n;
    }
    return true;
}

static void
note_read(struct reads *reads, uint64_t cookie, uint32_t len)
{
    pthread_mutex_lock(&reads->lock);
    if (reads->n == READS_MAX)
        abort();
    reads->read[reads->n].cookie = cookie;
    reads->read[reads->n++].len = len;
    pthread_mutex_unlock(&reads->lock);
}

/* Its length, once; 0: it was no read. */
static uint32_t
forget_read(struct reads *reads, uint64_t cookie)
{
    uint32_t len = 0;

    pthread_mutex_lock(&reads->lock);
    for (unsigned i = 0; i < reads->n; i++)
        if (reads->read[i].cookie == cookie) {
            len = reads->read[i].len;
            reads->read[i] = reads->read[--reads->n];
            break;
        }
    pthread_mutex_unlock(&reads->lock);
    return len;
}

/* Adds so much of what the server says to the message. */
static bool
take(struct link *link, size_t len)
{
    if (len > MESSAGE_MAX - link->len)
        return false;
    if (len > 0 &&
        recv(link->server, link->message + link->len, len, MSG_WAITALL) != (ssize_t)len)
        return false;
    link->len += len;
    return true;
}

/* The server answers what it has got, and ends; nobody hears it. */
static void
end(struct link *link)
{
    uint8_t bytes[65536];

    shutdown(link->server, SHUT_WR);
    while (recv(link->server, bytes, sizeof bytes, 0) > 0)
        ;
    shutdown(link->client, SHUT_RDWR);
}

static bool
say_slowly(struct link *link)
{
    size_t at = 0;

    while (at < link->len) {
        size_t n = 1 + next_random(link) % link->len;
        if (n > link->len - at)
            n = link->len - at;
        poll(NULL, 0, (int)(next_random(link) % 40));
        if (!send_all(link->client, link->message + at, n))
            return false;
        at += n;
    }
    return true;
}

/* False: that was the end. */
static bool
spoil(struct link *link)
{
    printf("%lu faults\n", atomic_fetch_add(&done, 1) + 1);
    fflush(stdout);
    switch (fault) {
    case RESET:
        send_all(link->client, link->message, next_random(link) % link->len);
        return false;
    case TWICE:
        return send_all(link->client, link->message, link->len) &&
               send_all(link->client, link->message, link->len);
    case GARBAGE: /* a bit of the magic number, the type, the cookie or the length */
        if (number(link->message) == SIMPLE) /* of the cookie the upper half */
            link->message[next_random(link) % 4 + (next_random(link) & 8)] ^= 0x20;
        else
            link->message[next_random(link) % 20] ^= 0x20;
        return send_all(link->client, link->message, link->len);
    default:
        return say_slowly(link);
    }
}

/* A whole message of the server. */
static bool
take_message(struct link *link)
{
    link->len = 0;
    if (!take(link, 16))
        return false;
    bool simple = number(link->message) == SIMPLE;
    bool failed = simple && number(link->message + 4) != 0;
    uint32_t len = 0;
    if (simple || link->message[5] & 1) /* its last one */
        len = forget_read(&link->reads, long_number(link->message + 8));
    if (simple)
        return take(link, failed ? 0 : len);
    return number(link->message) == STRUCTURED && take(link, 4) &&
           take(link, number(link->message + 16));
}

static bool
pass_message(struct link *link)
{
    if (!take_message(link))
        return false;
    link->left -= (int64_t)link->len;
    if (link->left > 0 || fault == TOLD)
        return send_all(link->client, link->message, link->len);
    link->left = 1 + next_random(link) % (2 * every);
    return spoil(link);
}

/* The greeting, and replies to options until the one that ends them. */
static bool
pass_handshake(struct link *link)
{
    uint32_t option = 0, type = 0;

    if (!take(link, 18) || !send_all(link->client, link->message, link->len))
        return false;
    while (option != OPTION_GO || type != REPLY_ACK) {
        link->len = 0;
        if (!take(link, 20) || !take(link, number(link->message + 16)) ||
            !send_all(link->client, link->message, link->len))
            return false;
        option = number(link->message + 8);
        type = number(link->message + 12);
    }
    return true;
}

/* So much of what the client says, after what there is in bytes already. */
static bool
pass_on(struct link *link, uint8_t *bytes, size_t already, size_t len)
{
    uint8_t more[65536];

    if (already > 0 && !send_all(link->server, bytes, already))
        return false;
    while (len > 0) {
        ssize_t n = recv(link->client, more, len < sizeof more ? len : sizeof more, 0);
        if (n <= 0 || !send_all(link->server, more, (size_t)n))
            return false;
        len -= (size_t)n;
    }
    return true;
}

/* An option or a request, as it is. */
static bool
pass_what_client_says(struct link *link)
{
    uint8_t head[28];

    if (recv(link->client, head, 16, MSG_WAITALL) != 16)
        return false;
    if (number(head) == OPTION)
        return pass_on(link, head, 16, number(head + 12));
    if (number(head) != REQUEST || recv(link->client, head + 16, 12, MSG_WAITALL) != 12)
        return false;
    uint32_t type = number(head + 4) & 0xffff, len = number(head + 24);
    if (type == READ)
        note_read(&link->reads, long_number(head + 8), len);
    return pass_on(link, head, sizeof head, type == WRITE ? len : 0);
}

static void *
pass_client(void *user_data)
{
    struct link *link = user_data;

    if (pass_on(link, NULL, 0, 4)) /* its flags */
        while (pass_what_client_says(link))
            ;
    shutdown(link->server, SHUT_WR);
    return NULL;
}

/* ---- connections that are ended when that is told */

static struct {
    pthread_mutex_t lock;
    unsigned n;
    struct link *link[LINKS_MAX]; /* NULL: it has ended */
} links = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
tell(unsigned number, const char *what)
{
    printf("connection %u %s\n", number, what);
    fflush(stdout);
}

static unsigned
enter(struct link *link)
{
    pthread_mutex_lock(&links.lock);
    unsigned place = links.n++;
    if (place < LINKS_MAX)
        links.link[place] = link;
    if (fault == TOLD)
        tell(place + 1, "begins");
    pthread_mutex_unlock(&links.lock);
    return place;
}

static void
leave(unsigned place)
{
    pthread_mutex_lock(&links.lock);
    if (place < LINKS_MAX)
        links.link[place] = NULL;
    pthread_mutex_unlock(&links.lock);
}

static void *
do_as_told(void *unused)
{
    unsigned number;

    (void)unused;
    while (scanf("%u", &number) == 1) {
        pthread_mutex_lock(&links.lock);
        struct link *link = number - 1 < LINKS_MAX ? links.link[number - 1] : NULL;
        if (link != NULL)
            shutdown(link->client, SHUT_RDWR);
        tell(number, link != NULL ? "ends" : "is not there");
        pthread_mutex_unlock(&links.lock);
    }
    return NULL;
}

static void *
pass_server(void *user_data)
{
    struct link *link = user_data;
    pthread_t client;

    if (pthread_create(&client, NULL, pass_client, link) != 0)
        abort();
    if (pass_handshake(link))
        while (pass_message(link))
            ;
    end(link);
    pthread_join(client, NULL);
    leave(link->place);
    pthread_mutex_destroy(&link->reads.lock);
    close(link->client);
    close(link->server);
    free(link->message);
    free(link);
    return NULL;
}

static int
open_socket(const char *path, bool listening)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1 || strlen(path) >= sizeof address.sun_path)
        return -1;
    memcpy(address.sun_path, path, strlen(path) + 1);
    int r = listening ? bind(fd, (struct sockaddr *)&address, sizeof address)
                      : connect(fd, (struct sockaddr *)&address, sizeof address);
    if (r == 0 && listening)
        r = listen(fd, 16);
    if (r == 0)
        return fd;
    close(fd);
    return -1;
}

static void
start(int client, uint64_t seed)
{
    struct link *link = calloc(1, sizeof *link);
    pthread_t thread;

    if (link == NULL || (link->message = malloc(MESSAGE_MAX)) == NULL)
        abort();
    pthread_mutex_init(&link->reads.lock, NULL);
    link->client = client;
    link->server = open_socket(server_path, false);
    link->random = seed;
    next_random(link);
    link->left = 1 + next_random(link) % (2 * every);
    if (link->server == -1) {
        close(client);
        free(link->message);
        free(link);
        return;
    }
    link->place = enter(link);
    if (pthread_create(&thread, NULL, pass_server, link) != 0)
        abort();
    pthread_detach(thread);
}

int
main(int argc, char **argv)
{
    if (argc != 6)
        return 2;
    uint64_t seed = strtoull(argv[3], NULL, 10);
    while (fault < FAULTS && strcmp(argv[4], names[fault]) != 0)
        fault++;
    every = (uint32_t)strtoul(argv[5], NULL, 10);
    server_path = argv[2];
    int listener = open_socket(argv[1], true);
    if (fault == FAULTS || every == 0 || listener == -1) {
        perror("faulty");
        return 2;
    }
    pthread_t told;
    if (fault == TOLD && pthread_create(&told, NULL, do_as_told, NULL) != 0)
        return 2;
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client == -1)
            return 1;
        start(client, seed++);
    }
}
