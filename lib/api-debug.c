/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-debug.c - debug messages, the handle's name, counters */

#include "api.h"

#include <string.h>

int
nbd_set_debug(struct nbd_handle *h, bool debug)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    h->debug = debug;
    h->config.trace = debug;
    return (int)api_done(&api, 0);
}

int
nbd_get_debug(struct nbd_handle *h)
{
    return h ? h->debug : 0;
}

static void
exchange_callback(struct nbd_handle *h, nbd_debug_callback *callback)
{
    pthread_mutex_lock(&h->debug_lock);
    nbd_debug_callback old = h->debug_callback;
    h->debug_callback = *callback;
    pthread_mutex_unlock(&h->debug_lock);
    *callback = old;
}

int
nbd_set_debug_callback(struct nbd_handle *h, nbd_debug_callback debug_callback)
{
    int result = 0;

    {
        API_CALL(h);

        if (!api_permitted(&api, STATE_ANY) ||
            !api_callback_given(&api, debug_callback.callback, "debug_callback"))
            result = -1;
        else
            exchange_callback(h, &debug_callback);
    }
    /* Of the one before, or of this one where it was refused. */
    if (debug_callback.free)
        debug_callback.free(debug_callback.user_data);
    return result;
}

int
nbd_clear_debug_callback(struct nbd_handle *h)
{
    nbd_debug_callback none = {.callback = NULL};
    int result = 0;

    {
        API_CALL(h);

        if (!api_permitted(&api, STATE_ANY))
            result = -1;
        else
            exchange_callback(h, &none);
    }
    if (none.free)
        none.free(none.user_data);
    return result;
}

int
nbd_set_handle_name(struct nbd_handle *h, const char *handle_name)
{
    API_CALL(h);
    struct error e;

    if (!api_permitted(&api, STATE_ANY) || !api_given(&api, handle_name, "handle_name"))
        return -1;
    API_TRACE("handle_name=%s", handle_name);
    pthread_mutex_lock(&h->debug_lock);
    int result = handle_set_string(&h->name, handle_name, &e);
    pthread_mutex_unlock(&h->debug_lock);
    return result == -1 ? api_fail_with(&api, &e) : (int)api_done(&api, 0);
}

char *
nbd_get_handle_name(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return NULL;
    return api_copy(&api, h->name);
}

/* ---- counters ---- */

uint64_t
nbd_stats_bytes_sent(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return 0;
    return (uint64_t)api_done(&api, (int64_t)proto_stats(h->proto)->bytes_sent);
}

uint64_t
nbd_stats_chunks_sent(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return 0;
    return (uint64_t)api_done(&api, (int64_t)proto_stats(h->proto)->chunks_sent);
}

uint64_t
nbd_stats_bytes_received(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return 0;
    return (uint64_t)api_done(&api, (int64_t)proto_stats(h->proto)->bytes_received);
}

uint64_t
nbd_stats_chunks_received(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return 0;
    return (uint64_t)api_done(&api, (int64_t)proto_stats(h->proto)->chunks_received);
}
