/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle-event.c - what the engine reports: to the user's callbacks, or to who waits
 *
 * It runs with the rx role and releases the lock over callbacks.  It does not read or
 * write the socket.
 */

#include "handle.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

_Static_assert(sizeof(nbd_extent) == sizeof(struct proto_extent) &&
                   offsetof(nbd_extent, length) ==
                       offsetof(struct proto_extent, length) &&
                   offsetof(nbd_extent, flags) == offsetof(struct proto_extent, flags),
               "the engine's extents are handed to callbacks as they are");

/* What a callback in the middle of a command has returned. */
static void
note_result(struct command *cmd, int result, int number)
{
    if (result == -1 && cmd->wire.error == 0)
        cmd->wire.error = number ? number : EPROTO;
}

/* A piece of a READ: filled, to be filled with zeros, or an error at this place. */
static void
on_chunk(struct nbd_handle *h, const struct proto_event *event, unsigned status)
{
    struct command *cmd = (struct command *)event->cmd;
    nbd_chunk_callback chunk = {.callback = NULL};
    int number = status == LIBNBD_READ_ERROR ? event->error : cmd->wire.error;
    int result = 0;

    if (cmd->wire.buf == NULL)
        return;
    if (cmd->callbacks.kind == CALLBACK_CHUNK)
        chunk = cmd->callbacks.chunk;
    if (!chunk.callback && status != LIBNBD_READ_HOLE)
        return;

    char *place = (char *)cmd->wire.buf + (event->offset - cmd->wire.offset);
    size_t count = status == LIBNBD_READ_ERROR ? 0 : (size_t)event->count;
    handle_unlock(h);
    if (status == LIBNBD_READ_HOLE)
        memset(place, 0, count);
    if (chunk.callback)
        result = chunk.callback(chunk.user_data, place, count, event->offset, status,
                                &number);
    handle_lock(h);
    note_result(cmd, result, number);
}

/* Extents as pairs of 32 bits.  A longer one is cut to a round length just below 2^32
 * and is the last then; flags that do not fit are the command's error.  The number
 * of values, or -1: no memory. */
static ssize_t
narrow_extents(struct nbd_handle *h, const struct proto_event *event, int *number)
{
    /* Aligned to any block size there may be. */
    const uint32_t longest = UINT32_MAX - LIMIT_PAYLOAD + 1;

    h->entries.len = 0;
    if (array_reserve(&h->entries, 2 * event->nr_extents) == -1)
        return -1;
    for (size_t i = 0; i < event->nr_extents; i++) {
        const struct proto_extent *extent = &event->extents[i];
        bool cut = extent->length > UINT32_MAX;

        if (extent->flags > UINT32_MAX && *number == 0)
            *number = EOVERFLOW;
        h->entries.items[h->entries.len++] = cut ? longest : (uint32_t)extent->length;
        h->entries.items[h->entries.len++] = (uint32_t)extent->flags;
        if (cut || extent->flags > UINT32_MAX)
            break;
    }
    return (ssize_t)h->entries.len;
}

static void
on_extents(struct nbd_handle *h, const struct proto_event *event)
{
    struct command *cmd = (struct command *)event->cmd;
    const struct callbacks *callbacks = &cmd->callbacks;
    int number = cmd->wire.error, result = 0;

    if (callbacks->kind == CALLBACK_EXTENT64 && callbacks->extent64.callback) {
        handle_unlock(h);
        result = callbacks->extent64.callback(
            callbacks->extent64.user_data, event->name, event->offset,
            (nbd_extent *)event->extents, event->nr_extents, &number);
        handle_lock(h);
    } else if (callbacks->kind == CALLBACK_EXTENT && callbacks->extent.callback) {
        ssize_t n = narrow_extents(h, event, &number);

        if (n == -1) {
            note_result(cmd, -1, ENOMEM);
            return;
        }
        note_result(cmd, number ? -1 : 0, number);
        handle_unlock(h);
        result = callbacks->extent.callback(callbacks->extent.user_data, event->name,
                                            event->offset, h->entries.items, (size_t)n,
                                            &number);
        handle_lock(h);
    }
    note_result(cmd, result, number);
}

static void
on_name(struct nbd_handle *h, const struct proto_event *event)
{
    struct callbacks *callbacks = &h->option_callbacks;

    if (!h->option_active)
        return;
    h->option_count++;
    handle_unlock(h);
    if (event->type == PROTO_LIST_ITEM && callbacks->list.callback)
        callbacks->list.callback(callbacks->list.user_data, event->name,
                                 event->description ? event->description : "");
    if (event->type == PROTO_CONTEXT && callbacks->context.callback)
        callbacks->context.callback(callbacks->context.user_data, event->name);
    handle_lock(h);
}

static void
on_start_tls(struct nbd_handle *h)
{
    struct stream_tls_settings settings = {
        .certificates = h->tls_certificates,
        .psk_file = h->tls_psk_file,
        .username = h->tls_username,
        .hostname = h->tls_hostname && *h->tls_hostname ? h->tls_hostname : h->hostname,
        .priority = h->tls_priority,
        .verify_peer = h->tls_verify_peer,
    };
    struct error e;

    run_wait_for_writer(h);
    struct stream *secure = stream_tls_new(h->stream, &settings, &e);
    if (!secure) {
        proto_fail(h->proto, e.number, e.text);
        return;
    }
    h->stream = secure;
    h->tls_handshake = true;
}

/* The connection is over.  The descriptor stays open until the handle is closed, for a
 * main loop may have it in its poll set, and must not find another file there; but the
 * server shall see that we have gone, and the main loop wakes up. */
static void
on_end(struct nbd_handle *h)
{
    const struct error *why = proto_error(h->proto);
    bool failed = proto_phase(h->proto) == PROTO_DEAD;

    h->tls_handshake = false;
    h->tx_blocked = false;
    if (h->stream)
        shutdown(h->fd, SHUT_RDWR);
    if (failed)
        h->error = *why;
    if (h->debug && failed)
        handle_debug(h, handle_function, "the connection failed: %s", why->text);
    if (h->option_active)
        option_finish(h, failed && why->number ? why->number : ENOTCONN,
                      failed ? why->text : "the server has closed the connection");
}

void
event_handle(struct nbd_handle *h, const struct proto_event *event)
{
    switch (event->type) {
    case PROTO_NEED_INPUT:
    case PROTO_IDLE:
    case PROTO_READY:
        break;
    case PROTO_STEP:
        if (h->debug)
            handle_debug(h, handle_function, "step: %s", proto_step_name(h->proto));
        break;
    case PROTO_START_TLS:
        on_start_tls(h);
        break;
    case PROTO_LIST_ITEM:
    case PROTO_CONTEXT:
        on_name(h, event);
        break;
    case PROTO_OPTION_DONE:
        /* The server is shutting down, and was told ABORT. */
        if (proto_phase(h->proto) == PROTO_CLOSING)
            h->aborting = true;
        if (h->option_active)
            option_finish(h, event->error, event->text);
        break;
    case PROTO_DATA:
        on_chunk(h, event, LIBNBD_READ_DATA);
        break;
    case PROTO_HOLE:
        on_chunk(h, event, LIBNBD_READ_HOLE);
        break;
    case PROTO_CHUNK_ERROR:
        on_chunk(h, event, LIBNBD_READ_ERROR);
        break;
    case PROTO_EXTENTS:
        on_extents(h, event);
        break;
    case PROTO_REPLY_DONE:
        command_finish(h, (struct command *)event->cmd);
        break;
    case PROTO_END:
    case PROTO_FAILED:
        on_end(h);
        break;
    }
}
