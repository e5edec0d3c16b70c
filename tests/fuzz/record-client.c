/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* record-client.c - writes down a session with a real server, as a seed of fuzz-client
 *
 *     record-client SOCKET SETTINGS [KIND,OFFSET,LENGTH]... >SEED
 *
 * The numbers are the bytes of client-run.h: KIND 0 to 7, the offset in 4096, the
 * length in 512 less one.  Status 1: not all commands succeeded.
 */

#include "client-run.h"

#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SESSION_MAX 16000

struct relay {
    struct client_peer peer; /* first */
    int server;
    uint8_t stream[SESSION_MAX];
    size_t len;
};

static size_t
say(struct client_peer *peer)
{
    struct relay *relay = (struct relay *)peer;
    struct pollfd fd = {.fd = relay->server, .events = POLLIN};
    uint8_t *at = relay->stream + relay->len;

    if (poll(&fd, 1, 1000) != 1)
        return 0;
    ssize_t n = recv(relay->server, at, sizeof relay->stream - relay->len, 0);
    if (n <= 0)
        return 0;
    PROMISE(send(peer->fd, at, (size_t)n, MSG_NOSIGNAL) == n);
    relay->len += (size_t)n;
    return (size_t)n;
}

static void
heard(struct client_peer *peer, const uint8_t *bytes, size_t len)
{
    struct relay *relay = (struct relay *)peer;

    PROMISE(send(relay->server, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
}

static size_t
parse_arguments(int argc, char **argv, uint8_t *bytes)
{
    size_t at = 2;

    bytes[0] = (uint8_t)strtoul(argv[2], NULL, 0);
    bytes[1] = (uint8_t)(argc - 3);
    for (int i = 3; i < argc; i++) {
        char *end = argv[i];
        for (int part = 0; part < 3; part++)
            bytes[at++] = (uint8_t)strtoul(end + (part > 0), &end, 0);
    }
    return at;
}

int
main(int argc, char **argv)
{
    static struct relay relay = {.peer = {.say = say, .heard = heard}};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    uint8_t bytes[2 + 3 * COMMANDS_MAX];
    struct client client;

    if (argc < 3 || argc - 3 > COMMANDS_MAX ||
        strlen(argv[1]) >= sizeof address.sun_path)
        return 2;
    memcpy(address.sun_path, argv[1], strlen(argv[1]) + 1);
    relay.server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(relay.server, (struct sockaddr *)&address, sizeof address) == -1) {
        perror(argv[1]);
        return 2;
    }
    size_t len = parse_arguments(argc, argv, bytes);
    client_parse(&client, bytes, len);
    client_run(&client, &relay.peer, 100000);
    /* Whole messages, and none spoilt: see fuzz-client.c. */
    fwrite(bytes, 1, len, stdout);
    for (int i = 0; i < 21; i++)
        putchar(0);
    fwrite(relay.stream, 1, relay.len, stdout);
    bool fine = client.n > 0 && client.finished == client.n;
    if (!fine)
        fprintf(stderr, "record-client: %zu of %zu commands succeeded\n",
                client.finished, client.n);
    client_clear(&client);
    return fine && fflush(stdout) == 0 ? 0 : 1;
}
