/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle.c - life of a handle, its lock, its state as others see it, and debug messages
 *
 * It does no input or output on the connection; that is handle-run.c.
 */

#include "handle.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base-cleanup.h"
#include "base-text.h"

_Thread_local const char *handle_function = "nbd";
static _Atomic unsigned handles_made;

static int
fill_in_defaults(struct nbd_handle *h)
{
    const char *debug = getenv("LIBNBD_DEBUG");
    struct error e;
    char name[32];

    snprintf(name, sizeof name, "nbd%u", atomic_fetch_add(&handles_made, 1) + 1);
    h->debug = debug && strcmp(debug, "1") == 0;
    h->config.handshake_flags = LIBNBD_HANDSHAKE_FLAG_MASK;
    h->config.tls = LIBNBD_TLS_DISABLE;
    h->config.request_extended_headers = true;
    h->config.request_structured_replies = true;
    h->config.request_meta_context = true;
    h->config.request_block_size = true;
    h->config.trace = h->debug;
    h->tls_verify_peer = true;
    h->strict = LIBNBD_STRICT_MASK;
    h->uri_allow_transports = LIBNBD_ALLOW_TRANSPORT_MASK;
    h->uri_allow_tls = LIBNBD_TLS_ALLOW;
    h->pread_initialize = true;
    h->fd = h->wake_fd = -1;
    h->read_wants = STREAM_READ;
    h->write_wants = STREAM_WRITE;
    h->last_waiter = &h->waiters;
    h->last_finished = &h->finished;
    if (handle_set_string(&h->name, name, &e) == -1 ||
        handle_set_string(&h->export_name, "", &e) == -1 ||
        handle_set_string(&h->activation_name, "", &e) == -1 ||
        array_reserve(&h->contexts, 1) == -1)
        return -1;
    h->contexts.items[0] = NULL;
    h->config.export_name = h->export_name;
    h->config.contexts = h->contexts.items;
    h->proto = proto_new(&h->config);
    return h->proto ? 0 : -1;
}

struct nbd_handle *
handle_new(struct error *e)
{
    struct nbd_handle *h = calloc(1, sizeof *h);

    if (!h) {
        error_set_errno(e, ENOMEM, "a new handle");
        return NULL;
    }
    pthread_mutex_init(&h->lock, NULL);
    pthread_mutex_init(&h->debug_lock, NULL);
    if (fill_in_defaults(h) == -1) {
        error_set_errno(e, ENOMEM, "a new handle");
        handle_free(h);
        return NULL;
    }
    handle_lock(h);
    handle_unlock(h);
    return h;
}

void
handle_forget_address(struct nbd_handle *h)
{
    if (h->address)
        uri_clear(h->address);
    free(h->address);
    h->address = NULL;
    free(h->hostname);
    h->hostname = NULL;
}

static void
free_settings(struct nbd_handle *h)
{
    for (size_t i = 0; i < h->contexts.len; i++)
        free(h->contexts.items[i]);
    array_clear(&h->contexts);
    array_clear(&h->entries);
    free(h->export_name);
    free(h->tls_certificates);
    free(h->tls_username);
    free(h->tls_psk_file);
    free(h->tls_hostname);
    free(h->tls_priority);
    free(h->activation_name);
    free(h->name);
    handle_forget_address(h);
}

static void
free_finished_commands(struct nbd_handle *h)
{
    for (struct command *cmd; (cmd = h->finished) != NULL;) {
        h->finished = cmd->next;
        proto_retire(h->proto, &cmd->wire);
        callbacks_free(&cmd->callbacks);
        free(cmd->payload);
        free(cmd);
    }
}

void
handle_free(struct nbd_handle *h)
{
    if (h->proto) {
        handle_lock(h);
        if (h->started)
            run_fail(h, ENOTCONN, "the handle was closed");
        handle_unlock(h);
        free_finished_commands(h);
    }
    commands_free_spare(h);
    connector_free(h->connector);
    stream_free(h->stream);
    proto_free(h->proto);
    /* After the socket was closed: most servers end by themselves then. */
    subprocess_end(&h->sub);
    close_quietly(h->wake_fd);
    if (h->debug_callback.free)
        h->debug_callback.free(h->debug_callback.user_data);
    free_settings(h);
    pthread_mutex_destroy(&h->debug_lock);
    pthread_mutex_destroy(&h->lock);
    free(h);
}

void
handle_rewind(struct nbd_handle *h)
{
    struct proto *fresh;

    if (h->stream || h->connector || h->in_flight || h->rx != RX_FREE ||
        !(fresh = proto_new(&h->config)))
        return;
    proto_free(h->proto);
    h->proto = fresh;
    h->error = (struct error){.number = 0};
    h->started = false;
    handle_forget_address(h);
    waiters_wake_all(h);
}

enum handle_state
handle_state(const struct nbd_handle *h)
{
    if (!h->started)
        return STATE_CREATED;
    switch (proto_phase(h->proto)) {
    case PROTO_HANDSHAKE:
        return STATE_CONNECTING;
    case PROTO_NEGOTIATING:
        /* Until the last option's completion callback has returned. */
        return h->option_active ? STATE_CONNECTING : STATE_NEGOTIATING;
    case PROTO_TRANSMISSION:
        return h->tx_blocked ? STATE_PROCESSING : STATE_READY;
    case PROTO_CLOSING:
        if (h->aborting)
            return STATE_CONNECTING;
        return h->tx_blocked ? STATE_PROCESSING : STATE_READY;
    case PROTO_CLOSED:
        return STATE_CLOSED;
    case PROTO_DEAD:
        return STATE_DEAD;
    }
    return STATE_DEAD;
}

unsigned
handle_direction(const struct nbd_handle *h)
{
    if (h->connector)
        return STREAM_WRITE;
    if (!h->stream)
        return 0;
    switch (handle_state(h)) {
    case STATE_CREATED:
    case STATE_NEGOTIATING:
    case STATE_CLOSED:
    case STATE_DEAD:
        return 0;
    default:
        return h->read_wants | (h->tx_blocked ? h->write_wants : 0);
    }
}

const char *
handle_state_name(enum handle_state state)
{
    switch (state) {
    case STATE_CREATED:
        return "newly created";
    case STATE_CONNECTING:
        return "connecting";
    case STATE_NEGOTIATING:
        return "negotiating";
    case STATE_READY:
        return "ready";
    case STATE_PROCESSING:
        return "processing";
    case STATE_CLOSED:
        return "closed";
    case STATE_DEAD:
        return "dead";
    }
    return "unknown";
}

void
handle_publish(struct nbd_handle *h)
{
    uint32_t now = (uint32_t)handle_state(h) | handle_direction(h)
                                                   << PUBLISHED_DIRECTION_SHIFT;

    /* Release: who sees that the connection is closed sees all that led to it. */
    if (atomic_load_explicit(&h->published, memory_order_relaxed) != now)
        atomic_store_explicit(&h->published, now, memory_order_release);
}

void
handle_lock(struct nbd_handle *h)
{
    pthread_mutex_lock(&h->lock);
}

void
handle_unlock(struct nbd_handle *h)
{
    handle_publish(h);
    pthread_mutex_unlock(&h->lock);
}

void
handle_debug(struct nbd_handle *h, const char *function, const char *format, ...)
{
    char *message = NULL;
    va_list args;

    va_start(args, format);
    if (vasprintf(&message, format, args) == -1)
        message = NULL;
    va_end(args);
    if (!message)
        return;

    pthread_mutex_lock(&h->debug_lock);
    if (h->debug_callback.callback)
        h->debug_callback.callback(h->debug_callback.user_data, function, message);
    else
        fprintf(stderr, "libnbd: debug: %s: %s: %s\n", h->name, function, message);
    pthread_mutex_unlock(&h->debug_lock);
    free(message);
}

int
handle_set_string(char **slot, const char *value, struct error *e)
{
    char *copy = strdup(value);

    if (!copy)
        return error_set_errno(e, ENOMEM, "a setting of the handle");
    free(*slot);
    *slot = copy;
    return 0;
}
