/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle-option.c - options one at a time, and waiting for the connection's phases
 *
 * What is sent, and what the answers mean, is the engine's.
 */

#include "handle.h"

#include <errno.h>

int
option_start(struct nbd_handle *h, enum proto_option option, char *const *queries,
             struct callbacks *callbacks, struct option_result *result, struct error *e)
{
    if (result && run_may_wait(h, e) == -1)
        return -1;
    if (proto_ask(h->proto, option, queries, e) == -1)
        return -1;
    if (option == PROTO_OPT_ABORT) {
        h->aborting = true;
    } else {
        h->option_active = true;
        h->option_count = 0;
        h->option_result = result;
        h->option_callbacks = *callbacks;
        *callbacks = (struct callbacks){.kind = CALLBACK_NONE};
    }
    run_output(h);
    return 0;
}

void
option_finish(struct nbd_handle *h, int number, const char *text)
{
    struct callbacks callbacks = h->option_callbacks;
    struct option_result *result = h->option_result;
    int seen = number;

    h->option_callbacks = (struct callbacks){.kind = CALLBACK_NONE};
    h->option_result = NULL;
    handle_unlock(h);
    if (callbacks.completion.callback)
        callbacks.completion.callback(callbacks.completion.user_data, &seen);
    callbacks_free(&callbacks);
    handle_lock(h);

    h->option_active = false;
    if (!result)
        return;
    result->count = h->option_count;
    result->error.number = 0;
    if (number)
        error_set(&result->error, number, "%s", text && *text ? text : "refused");
    result->done = true;
    waiters_wake_all(h);
}

/* The phase follows the answer to GO in a step of its own. */
static bool
option_is_done(const struct nbd_handle *h, const void *arg)
{
    const struct option_result *result = arg;

    return result->done && proto_phase(h->proto) != PROTO_HANDSHAKE;
}

int
option_wait(struct nbd_handle *h, struct option_result *result, struct error *e)
{
    if (run_wait(h, option_is_done, result, NULL, e) == -1 && !result->done) {
        /* Nobody may write to what is on our stack once we have left. */
        h->option_result = NULL;
        return -1;
    }
    if (proto_phase(h->proto) == PROTO_DEAD) {
        *e = h->error;
        return -1;
    }
    if (proto_phase(h->proto) == PROTO_CLOSED)
        return error_set(e, ENOTCONN, "the server has closed the connection");
    return 0;
}

static bool
connection_is_made(const struct nbd_handle *h, const void *arg)
{
    (void)arg;
    return handle_state(h) != STATE_CONNECTING;
}

int
connection_wait(struct nbd_handle *h, struct error *e)
{
    if (run_wait(h, connection_is_made, NULL, NULL, e) == -1)
        return -1;
    if (handle_state(h) == STATE_DEAD) {
        *e = h->error;
        return -1;
    }
    if (handle_state(h) == STATE_CLOSED)
        return error_set(e, ENOTCONN, "the server has closed the connection");
    return 0;
}

static bool
connection_is_closed(const struct nbd_handle *h, const void *arg)
{
    (void)arg;
    return handle_state(h) & (STATE_CLOSED | STATE_DEAD) && h->in_flight == 0;
}

void
connection_disconnect(struct nbd_handle *h, bool abandon)
{
    proto_disconnect(h->proto, abandon);
    run_output(h);
}

int
connection_wait_closed(struct nbd_handle *h, struct error *e)
{
    return run_wait(h, connection_is_closed, NULL, NULL, e);
}
