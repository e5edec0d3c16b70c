/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* faulty.c - stands between a client and an NBD server, and spoils what that says
 *
 *     faulty LISTEN SERVER SEED FAULT EVERY
 *
 * Prints a line for each fault.  LISTEN and SERVER are Unix sockets.  About each EVERY
 * bytes, of what the server says after the handshake, comes one FAULT: reset (the
 * connection ends in the middle), twice (a message comes again), garbage (a message
 * with a number of another one), slow (a message comes late and in pieces).  The server
 * must have negotiated structured replies, so that a simple one is only its header.
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

enum fault { RESET, TWICE, GARBAGE, SLOW, FAULTS };
static const char *const names[FAULTS] = {"reset", "twice", "garbage", "slow"};

static enum fault fault;
static uint32_t every;
static const char *server_path;
static atomic_ulong done;

struct link {
    int client, server;
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
        link->message[next_random(link) % (link->len < 20 ? 16 : 20)] ^= 0x20;
        return send_all(link->client, link->message, link->len);
    default:
        return say_slowly(link);
    }
}

static bool
pass_message(struct link *link)
{
    link->len = 0;
    if (!take(link, 16))
        return false;
    if (number(link->message) == STRUCTURED &&
        (!take(link, 4) || !take(link, number(link->message + 16))))
        return false;
    link->left -= (int64_t)link->len;
    if (link->left > 0)
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

/* What the client says, as it is. */
static void *
pass_client(void *user_data)
{
    struct link *link = user_data;
    uint8_t bytes[65536];
    ssize_t n;

    while ((n = recv(link->client, bytes, sizeof bytes, 0)) > 0)
        if (!send_all(link->server, bytes, (size_t)n))
            break;
    shutdown(link->server, SHUT_WR);
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
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client == -1)
            return 1;
        start(client, seed++);
    }
}
