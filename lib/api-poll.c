/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-poll.c - the main loop, and the state of the handle */

#include "api.h"

int
nbd_poll(struct nbd_handle *h, int timeout)
{
    API_CALL(h);
    struct error e;

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    int result = run_poll(h, -1, timeout, &e);
    return result == -1 ? api_fail_with(&api, &e) : (int)api_done(&api, result);
}

int
nbd_poll2(struct nbd_handle *h, int fd, int timeout)
{
    API_CALL(h);
    struct error e;

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    int result = run_poll(h, fd < 0 ? -1 : fd, timeout, &e);
    return result == -1 ? api_fail_with(&api, &e) : (int)api_done(&api, result);
}

int
nbd_aio_get_fd(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    if (h->fd == -1 || handle_state(h) & (STATE_CLOSED | STATE_DEAD))
        return api_fail(&api, EINVAL, "there is no connection");
    return (int)api_done(&api, h->fd);
}

int
nbd_aio_notify_read(struct nbd_handle *h)
{
    API_CALL(h);
    struct error e;

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    if (run_readable(h, &e) == -1)
        return api_fail_with(&api, &e);
    return (int)api_done(&api, 0);
}

int
nbd_aio_notify_write(struct nbd_handle *h)
{
    API_CALL(h);
    struct error e;

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    if (run_writable(h, &e) == -1)
        return api_fail_with(&api, &e);
    return (int)api_done(&api, 0);
}

/* ---- without the lock: main loops ask often ---- */

static uint32_t
published(struct nbd_handle *h)
{
    /* Acquire: what led to the state is seen by who has seen the state. */
    return h ? atomic_load_explicit(&h->published, memory_order_acquire) : 0;
}

unsigned
nbd_aio_get_direction(struct nbd_handle *h)
{
    return published(h) >> PUBLISHED_DIRECTION_SHIFT;
}

int
nbd_aio_is_created(struct nbd_handle *h)
{
    return (published(h) & STATE_CREATED) != 0;
}

int
nbd_aio_is_connecting(struct nbd_handle *h)
{
    return (published(h) & STATE_CONNECTING) != 0;
}

int
nbd_aio_is_negotiating(struct nbd_handle *h)
{
    return (published(h) & STATE_NEGOTIATING) != 0;
}

int
nbd_aio_is_ready(struct nbd_handle *h)
{
    return (published(h) & STATE_READY) != 0;
}

int
nbd_aio_is_processing(struct nbd_handle *h)
{
    return (published(h) & STATE_PROCESSING) != 0;
}

int
nbd_aio_is_dead(struct nbd_handle *h)
{
    return (published(h) & STATE_DEAD) != 0;
}

int
nbd_aio_is_closed(struct nbd_handle *h)
{
    return (published(h) & STATE_CLOSED) != 0;
}

const char *
nbd_connection_state(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return NULL;
    return api_done_text(&api, handle_state_name(handle_state(h)));
}
