/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-run.h - a client at work in one thread, with a peer that says anything
 *
 * The client is the library through its public header, driven by hand.  The peer's
 * words are given when the client has nothing left to read.  What the library promises
 * is asserted while it runs; fuzz-client.c and record-client.c share this.
 */

#ifndef FUZZ_CLIENT_RUN_H
#define FUZZ_CLIENT_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define PROMISE(condition)                                                     \
    do {                                                                       \
        if (!(condition)) {                                                    \
            fprintf(stderr, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, \
                    #condition);                                               \
            abort();                                                           \
        }                                                                      \
    } while (0)

#define COMMANDS_MAX 16
#define UNIT         512 /* of lengths; offsets are in 4096 */

enum {
    CLIENT_STRUCTURED = 1,
    CLIENT_EXTENDED = 2,
    CLIENT_CONTEXT = 4,
    CLIENT_OPTIONS = 8, /* asks for the list and for info before it goes */
    CLIENT_ONE = 16,    /* one command at a time; otherwise all at once */
};

enum client_kind {
    CLIENT_READ,
    CLIENT_READ_CHUNKS, /* nbd_aio_pread_structured */
    CLIENT_WRITE,
    CLIENT_STATUS,
    CLIENT_ZERO,
    CLIENT_TRIM,
    CLIENT_FLUSH,
    CLIENT_CACHE,
    CLIENT_KINDS
};

struct client_command {
    enum client_kind kind;
    uint64_t off, len;

    uint8_t *buf, *seen; /* seen: by a chunk callback */
    int64_t cookie;      /* -1: refused before it was sent */
    unsigned done, freed, chunks_freed;
    int error;
};

/* What it wants: parsed from bytes, so that a fuzzer can choose. */
struct client {
    uint8_t settings;
    size_t n;
    struct client_command command[COMMANDS_MAX];

    /* found out */
    bool ready, structured, extended;
    size_t submitted, finished;
};

/* What the client is connected to.  say sends something through fd and returns how many
 * bytes, or 0 and the stream has ended; heard gets what the client sends. */
struct client_peer {
    int fd;
    size_t (*say)(struct client_peer *peer);
    void (*heard)(struct client_peer *peer, const uint8_t *bytes, size_t len);
    size_t said;                  /* bytes in all */
    size_t ready_from, ready_end; /* transmission begins within these */
};

/* Takes the client from bytes: how many it used. */
size_t client_parse(struct client *client, const uint8_t *bytes, size_t len);

/* Runs it to its end, which comes after at most so many turns. */
void client_run(struct client *client, struct client_peer *peer, size_t turns);

void client_clear(struct client *client);

#endif
