/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-client.c - the whole client against a peer that spoils a real session
 *
 * The input is what the client wants (client-run.h), how the messages of the session
 * are spoilt (client-frames.h), and the session: what a server once said to such a
 * client, as record-client.c writes it down.  Whatever comes of that: each callback is
 * called once, there is an end, and what a read that succeeded gave was said by the
 * peer, for that command and that place.
 */

#include "client-frames.h"
#include "client-run.h"

#include "base-bytes.h"
#include "wire.h"

#include <string.h>
#include <sys/socket.h>

#define STREAM_MAX 16384
#define MUTATIONS  4

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
/* libFuzzer's own; not there where replay.c takes its place. */
__attribute__((weak)) size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

struct spoiler {
    struct client_peer peer; /* first */
    struct frames frames;
    size_t next, pieces; /* pieces: bytes at a time, 0: a message */
    size_t used;         /* of the next one */
    uint8_t *stream;     /* all that was said */
    size_t room;
};

static size_t
say(struct client_peer *peer)
{
    struct spoiler *s = (struct spoiler *)peer;

    while (s->next < s->frames.n && s->used == s->frames.v[s->next].len) {
        s->next++;
        s->used = 0;
    }
    if (s->next == s->frames.n)
        return 0;
    const struct frame *f = &s->frames.v[s->next];
    size_t n = f->len - s->used;
    if (s->pieces > 0 && n > s->pieces)
        n = s->pieces;
    ssize_t sent = send(peer->fd, f->bytes + s->used, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent <= 0) /* the client has closed its end */
        return 0;
    if (peer->said + (size_t)sent > s->room) {
        s->room = 2 * (peer->said + (size_t)sent);
        s->stream = realloc(s->stream, s->room);
        PROMISE(s->stream != NULL);
    }
    memcpy(s->stream + peer->said, f->bytes + s->used, (size_t)sent);
    s->used += (size_t)sent;
    return (size_t)sent;
}

/* ---- what the peer has said, read by a few lines that share nothing with the library
 */

struct said {
    const uint8_t *at; /* a chunk or a simple reply's data */
    size_t len;
    uint64_t cookie, off;
    bool hole;
    uint64_t hole_len;
};

/* One message of transmission at at: its length, or 0: it is none, so that nothing
 * after it counts. */
static size_t
read_message(const struct client *client, const uint8_t *at, size_t left,
             struct said *said)
{
    memset(said, 0, sizeof *said);
    if (!client->structured && !client->extended) {
        if (left < 16 || load_be32(at) != WIRE_SIMPLE_REPLY_MAGIC)
            return 0;
        said->cookie = load_be64(at + 8);
        for (size_t i = 0; i < client->n; i++) {
            const struct client_command *c = &client->command[i];
            if ((uint64_t)c->cookie != said->cookie || load_be32(at + 4) != 0 ||
                c->kind > CLIENT_READ_CHUNKS)
                continue;
            said->at = at + 16;
            said->off = c->off;
            said->len = c->len < left - 16 ? c->len : left - 16;
        }
        return 16 + said->len;
    }
    if (!client->extended && left >= 16 && load_be32(at) == WIRE_SIMPLE_REPLY_MAGIC)
        return 16;
    size_t header = client->extended ? 32 : 20;
    if (left < header ||
        load_be32(at) != (client->extended ? WIRE_EXTENDED_REPLY_MAGIC
                                           : WIRE_STRUCTURED_REPLY_MAGIC))
        return 0;
    uint64_t len = client->extended ? load_be64(at + 24) : load_be32(at + 16);
    if (len > left - header)
        len = left - header;
    unsigned type = load_be16(at + 6);
    said->cookie = load_be64(at + 8);
    if (type == WIRE_CHUNK_OFFSET_DATA && len >= 8) {
        said->off = load_be64(at + header);
        said->at = at + header + 8;
        said->len = (size_t)len - 8;
    } else if (type == WIRE_CHUNK_OFFSET_HOLE && len == 12) {
        said->off = load_be64(at + header);
        said->hole = true;
        said->hole_len = load_be32(at + header + 8);
    }
    return header + (size_t)len;
}

/* Whether all bytes of a read were said, if transmission begins at start. */
static bool
was_said(const struct client *client, const struct client_command *c,
         const struct spoiler *s, size_t start)
{
    uint8_t *covered = calloc(1, c->len);
    struct said said;
    bool all = true;

    PROMISE(covered != NULL);
    for (size_t at = start, n; at < s->peer.said; at += n) {
        n = read_message(client, s->stream + at, s->peer.said - at, &said);
        if (n == 0)
            break;
        if (said.cookie != (uint64_t)c->cookie)
            continue;
        for (uint64_t i = 0; i < c->len; i++) {
            uint64_t in = c->off + i - said.off; /* wraps where it is before */
            covered[i] |= said.hole ? in < said.hole_len && c->buf[i] == 0
                                    : in < said.len && c->buf[i] == said.at[in];
        }
    }
    for (size_t i = 0; i < c->len; i++)
        all = all && covered[i];
    free(covered);
    return all;
}

static bool
is_read_well(const struct client_command *c)
{
    return c->kind <= CLIENT_READ_CHUNKS && c->cookie != -1 && c->done && c->error == 0;
}

static void
check(const struct client *client, const struct spoiler *s)
{
    for (size_t i = 0; i < client->submitted; i++) {
        bool said = false;
        if (!is_read_well(&client->command[i]))
            continue;
        for (size_t start = s->peer.ready_from; start <= s->peer.ready_end && !said;
             start++)
            said = was_said(client, &client->command[i], s, start);
        PROMISE(said);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct client client;
    struct spoiler s = {.peer = {.say = say}};

    size_t spoilt = client_parse(&client, data, size);
    size_t at = spoilt + 1 + MUTATIONS * MUTATION_BYTES;
    if (size <= at || size - at > STREAM_MAX)
        return 0;
    s.pieces = data[spoilt] < 128 ? 0 : (size_t)(data[spoilt] - 127);
    frames_split(&s.frames, data + at, size - at);
    for (size_t i = 0; i < MUTATIONS; i++)
        frames_mutate(&s.frames, data + spoilt + 1 + i * MUTATION_BYTES);
    client_run(&client, &s.peer, 1000 + 8 * size + 4096 * MUTATIONS);
    check(&client, &s);
    /* What a seed is for: see record-client.c. */
    const char *wanted = getenv("CLIENT_MUST_FINISH");
    PROMISE(wanted == NULL || client.finished >= strtoul(wanted, NULL, 10));
    frames_clear(&s.frames);
    client_clear(&client);
    free(s.stream);
    return 0;
}

/* Every second time the session is spoilt in another way, and nothing else changes. */
size_t
LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed)
{
    struct client client;
    size_t at = client_parse(&client, data, size);

    if (seed % 2 || size < at + 1 + MUTATIONS * MUTATION_BYTES)
        return LLVMFuzzerMutate(data, size, max);
    uint32_t random = seed * 2654435761U;
    uint8_t *m = data + at + 1 + (random >> 16) % MUTATIONS * MUTATION_BYTES;
    for (size_t i = 0; i < MUTATION_BYTES; i++) {
        random = random * 1664525 + 1013904223;
        m[i] = (uint8_t)(random >> 24);
    }
    random = random * 1664525 + 1013904223;
    if (random >> 31) /* a little more or less */
        m[2] = (uint8_t)((random >> 16) % 5 - 2);
    return size;
}
