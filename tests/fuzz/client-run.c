/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-run.c - see client-run.h */

#include "client-run.h"

#include <errno.h>
#include <libnbd.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define STALE 0xa5 /* in a read's buffer before it */

size_t
client_parse(struct client *client, const uint8_t *bytes, size_t len)
{
    memset(client, 0, sizeof *client);
    if (len < 2)
        return len;
    client->settings = bytes[0];
    client->n = bytes[1] % (COMMANDS_MAX + 1);
    size_t at = 2;
    for (size_t i = 0; i < client->n; i++, at += 3) {
        if (len - at < 3) {
            client->n = i;
            return len;
        }
        client->command[i].kind = (enum client_kind)(bytes[at] % CLIENT_KINDS);
        client->command[i].off = bytes[at + 1] * UINT64_C(4096);
        client->command[i].len = (bytes[at + 2] % 16 + 1U) * UNIT;
    }
    return at;
}

/* ---- callbacks */

static int
on_done(void *user_data, int *error)
{
    struct client_command *command = user_data;

    PROMISE(command->done == 0 && command->freed == 0);
    command->done = 1;
    command->error = *error;
    return 1;
}

static void
on_free(void *user_data)
{
    struct client_command *command = user_data;

    PROMISE(command->freed == 0);
    command->freed = 1;
}

static void
on_chunks_free(void *user_data)
{
    struct client_command *command = user_data;

    PROMISE(command->chunks_freed == 0);
    command->chunks_freed = 1;
}

static int
on_chunk(void *user_data, const void *subbuf, size_t count, uint64_t offset,
         unsigned status, int *error)
{
    struct client_command *command = user_data;
    size_t at = (size_t)((const uint8_t *)subbuf - command->buf);

    PROMISE(command->done == 0 && command->chunks_freed == 0);
    if (status == LIBNBD_READ_ERROR) {
        PROMISE(*error != 0);
        return 0;
    }
    PROMISE(status == LIBNBD_READ_DATA || status == LIBNBD_READ_HOLE);
    PROMISE(at <= command->len && count <= command->len - at);
    PROMISE(offset == command->off + at);
    for (size_t i = 0; i < count; i++)
        PROMISE(command->seen[at + i]++ == 0);
    return 0;
}

static int
on_extents(void *user_data, const char *context, uint64_t offset, uint32_t *entries,
           size_t n, int *error)
{
    struct client_command *command = user_data;

    (void)error;
    PROMISE(command->done == 0 && command->chunks_freed == 0);
    PROMISE(context != NULL && offset == command->off);
    PROMISE(n > 0 && n % 2 == 0);
    for (size_t i = 0; i < n; i += 2)
        PROMISE(entries[i] > 0);
    return 0;
}

static int
on_item(void *user_data, const char *name, const char *description)
{
    (void)user_data;
    PROMISE(strlen(name) <= 4096 && strlen(description) <= 4096);
    return 0;
}

/* ---- what it does */

static int64_t
submit(struct nbd_handle *h, struct client_command *c)
{
    nbd_completion_callback done = {on_done, c, on_free};

    switch (c->kind) {
    case CLIENT_READ:
        return nbd_aio_pread(h, c->buf, c->len, c->off, done, 0);
    case CLIENT_READ_CHUNKS:
        return nbd_aio_pread_structured(
            h, c->buf, c->len, c->off,
            (nbd_chunk_callback){on_chunk, c, on_chunks_free}, done, 0);
    case CLIENT_WRITE:
        return nbd_aio_pwrite(h, c->buf, c->len, c->off, done, 0);
    case CLIENT_STATUS:
        return nbd_aio_block_status(
            h, c->len, c->off, (nbd_extent_callback){on_extents, c, on_chunks_free},
            done, 0);
    case CLIENT_ZERO:
        return nbd_aio_zero(h, c->len, c->off, done, 0);
    case CLIENT_TRIM:
        return nbd_aio_trim(h, c->len, c->off, done, 0);
    case CLIENT_CACHE:
        return nbd_aio_cache(h, c->len, c->off, done, 0);
    default:
        return nbd_aio_flush(h, done, 0);
    }
}

static bool
submit_some(struct client *client, struct nbd_handle *h)
{
    size_t open = 0, before = client->submitted;

    for (size_t i = 0; i < client->submitted; i++)
        open += !client->command[i].done && client->command[i].cookie != -1;
    while (client->submitted < client->n &&
           (open == 0 || !(client->settings & CLIENT_ONE))) {
        struct client_command *c = &client->command[client->submitted++];
        c->buf = malloc(c->len);
        c->seen = calloc(1, c->len);
        PROMISE(c->buf != NULL && c->seen != NULL);
        memset(c->buf, STALE, c->len);
        c->cookie = submit(h, c);
        PROMISE(c->cookie != -1 || c->freed == 1);
        PROMISE(c->cookie != -1 || nbd_get_errno() != 0);
        open += c->cookie != -1;
    }
    return client->submitted > before;
}

/* Options by hand: a list, what the export is, and then it goes. */
static void
negotiate(struct nbd_handle *h, unsigned step)
{
    int r = -1;

    if (step == 0)
        r = nbd_aio_opt_list(h, (nbd_list_callback){.callback = on_item},
                             NBD_NULL_COMPLETION);
    else if (step == 1)
        r = nbd_aio_opt_info(h, NBD_NULL_COMPLETION);
    else if (step == 2)
        r = nbd_aio_opt_go(h, NBD_NULL_COMPLETION);
    else
        r = nbd_aio_opt_abort(h);
    PROMISE(r == 0 || nbd_get_error() != NULL);
}

static bool
is_over(struct nbd_handle *h)
{
    return nbd_aio_is_dead(h) || nbd_aio_is_closed(h);
}

static void
listen_to(struct client_peer *peer)
{
    uint8_t bytes[65536];
    ssize_t n;

    while ((n = recv(peer->fd, bytes, sizeof bytes, MSG_DONTWAIT)) > 0)
        if (peer->heard != NULL)
            peer->heard(peer, bytes, (size_t)n);
}

static void
begin(struct client *client, struct nbd_handle *h, struct client_peer *peer,
      size_t before)
{
    client->ready = true;
    client->structured = nbd_get_structured_replies_negotiated(h) == 1;
    client->extended = nbd_get_extended_headers_negotiated(h) == 1;
    peer->ready_from = before;
    peer->ready_end = peer->said;
}

static void
turn_round(struct client *client, struct nbd_handle *h, struct client_peer *peer,
           size_t turns)
{
    bool ended = false, left = false;
    unsigned options = 0;
    size_t before = 0;

    while (!is_over(h)) {
        PROMISE(turns-- > 0);
        listen_to(peer);
        unsigned direction = nbd_aio_get_direction(h);
        if (!client->ready && nbd_aio_is_ready(h))
            begin(client, h, peer, before);
        if (nbd_aio_is_negotiating(h)) {
            negotiate(h, options++);
            continue;
        }
        if (client->ready && client->submitted < client->n && submit_some(client, h))
            continue;
        if (client->ready && !left && client->submitted == client->n &&
            nbd_aio_in_flight(h) == 0 && nbd_aio_is_ready(h)) {
            left = true;
            nbd_aio_disconnect(h, 0);
            continue;
        }
        if (direction & LIBNBD_AIO_DIRECTION_WRITE) {
            nbd_aio_notify_write(h);
            continue;
        }
        if (is_over(h))
            break;
        PROMISE(nbd_aio_get_direction(h) != 0);
        before = peer->said;
        size_t n = ended ? 0 : peer->say(peer);
        peer->said += n;
        if (n == 0 && !ended)
            shutdown(peer->fd, SHUT_WR);
        ended |= n == 0;
        if (nbd_aio_get_direction(h) & LIBNBD_AIO_DIRECTION_READ)
            nbd_aio_notify_read(h);
    }
}

void
client_run(struct client *client, struct client_peer *peer, size_t turns)
{
    struct nbd_handle *h = nbd_create();
    int pair[2];

    PROMISE(h != NULL);
    PROMISE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    peer->fd = pair[1];
    nbd_set_request_structured_replies(h, client->settings & CLIENT_STRUCTURED);
    nbd_set_request_extended_headers(h, client->settings & CLIENT_EXTENDED);
    nbd_set_opt_mode(h, client->settings & CLIENT_OPTIONS);
    if (client->settings & CLIENT_CONTEXT)
        nbd_add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION);
    if (nbd_aio_connect_socket(h, pair[0]) == 0)
        turn_round(client, h, peer, turns);
    nbd_close(h);
    close(pair[1]);
    for (size_t i = 0; i < client->submitted; i++) {
        struct client_command *c = &client->command[i];
        bool has_chunks = c->kind == CLIENT_READ_CHUNKS || c->kind == CLIENT_STATUS;
        PROMISE(c->freed == 1);
        PROMISE(c->done == (c->cookie != -1));
        PROMISE(c->chunks_freed == has_chunks);
        client->finished += c->cookie != -1 && c->error == 0;
        for (size_t at = 0; c->kind == CLIENT_READ_CHUNKS && c->cookie != -1 &&
                            c->error == 0 && at < c->len;
             at++)
            PROMISE(c->seen[at] == 1);
    }
}

void
client_clear(struct client *client)
{
    for (size_t i = 0; i < client->n; i++) {
        free(client->command[i].buf);
        free(client->command[i].seen);
    }
}
