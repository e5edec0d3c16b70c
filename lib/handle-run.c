/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle-run.c - driving: the rx and tx roles, and what moves bytes
 *
 * It knows neither what events mean (handle-event.c) nor who waits for them, and how
 * (handle-wait.c).
 */

#include "handle.h"

#include <errno.h>
#include <sys/socket.h>

#include "base-cleanup.h"

#define MAX_IOVECS 64

/* The other side has gone, which is all that was to come after a goodbye. */
static bool
is_gone(const struct nbd_handle *h, int number)
{
    return proto_phase(h->proto) == PROTO_CLOSING &&
           (number == EPIPE || number == ECONNRESET || number == ENOTCONN);
}

static void
fail_stream(struct nbd_handle *h, const struct error *e)
{
    if (is_gone(h, e->number))
        proto_eof(h->proto);
    else
        proto_fail(h->proto, e->number, e->text);
}

/* After the goodbye nothing follows: say so to a server that waits for the end of the
 * stream.  It matters to TLS; an error does not, for the server's end comes anyway. */
static void
shut_write_side(struct nbd_handle *h)
{
    struct stream *stream = h->stream;
    struct error e;

    if (!proto_said_goodbye(h->proto) || h->write_side_shut)
        return;
    h->write_side_shut = true;
    handle_unlock(h);
    stream_shutdown_write(stream, &e);
    handle_lock(h);
}

/* Is the tx role's holder; false where there is nothing more to do for now. */
static bool
write_once(struct nbd_handle *h)
{
    struct iovec iov[MAX_IOVECS];
    struct stream *stream = h->stream;
    struct error e;
    int n = proto_output(h->proto, iov, MAX_IOVECS);

    if (n == 0)
        return false;
    handle_unlock(h);
    ssize_t written = stream_writev(stream, iov, n, &e);
    handle_lock(h);

    if (written >= 0) {
        proto_sent(h->proto, (size_t)written);
        return true;
    }
    if (e.number != EAGAIN && e.number != EINTR)
        fail_stream(h, &e);
    proto_sent(h->proto, 0);
    if (e.number == EAGAIN) {
        h->tx_blocked = true;
        h->write_wants = stream_write_wants(stream);
    }
    return e.number == EINTR;
}

static void
write_output(struct nbd_handle *h)
{
    if (h->tx_busy || h->tx_blocked || h->tls_handshake || !h->stream)
        return;
    if (!proto_has_output(h->proto))
        return;
    h->tx_busy = true;
    while (write_once(h))
        ;
    if (!proto_has_output(h->proto))
        shut_write_side(h);
    h->tx_busy = false;
    if (h->rx == RX_DRIVING)
        waiters_wake_any(h);
}

/* True where nothing more is to be had from the socket now. */
static bool
read_once(struct nbd_handle *h)
{
    struct iovec iov[2];
    struct stream *stream = h->stream;
    struct error e;
    size_t wanted = 0;
    int n = proto_want(h->proto, iov);

    if (n == 0)
        return true;
    for (int i = 0; i < n; i++)
        wanted += iov[i].iov_len;
    handle_unlock(h);
    ssize_t got = stream_readv(stream, iov, n, &e);
    bool more = got == (ssize_t)wanted || (got > 0 && stream_pending(stream));
    handle_lock(h);

    h->read_wants = STREAM_READ;
    if (got > 0) {
        h->progress++;
        proto_fed(h->proto, (size_t)got);
        return !more;
    }
    if (got == 0) {
        /* A server that leaves while nothing is asked of it does no harm. */
        if (proto_phase(h->proto) == PROTO_TRANSMISSION &&
            proto_in_flight(h->proto) == 0)
            proto_disconnect(h->proto, true);
        proto_eof(h->proto);
        return false;
    }
    if (e.number == EAGAIN) {
        h->read_wants = stream_read_wants(stream);
        return true;
    }
    if (e.number != EINTR)
        fail_stream(h, &e);
    return false;
}

/* True when the connector is done, well or not. */
static bool
step_connector(struct nbd_handle *h)
{
    struct error e;

    h->progress++;
    switch (connector_step(h->connector, &e)) {
    case 0: {
        int fd = connector_take(h->connector);

        h->stream = stream_socket_new(fd);
        if (!h->stream) {
            close_quietly(fd);
            fd = -1;
            proto_fail(h->proto, ENOMEM, "a stream");
        }
        h->fd = fd;
        break;
    }
    case 1:
        h->fd = connector_fd(h->connector);
        return false;
    default:
        h->fd = -1;
        proto_fail(h->proto, e.number, e.text);
    }
    connector_free(h->connector);
    h->connector = NULL;
    return true;
}

/* True when the handshake is done, well or not. */
static bool
step_tls(struct nbd_handle *h)
{
    struct stream *stream = h->stream;
    struct error e;

    handle_unlock(h);
    int result = stream_tls_handshake(stream, &e);
    handle_lock(h);

    h->progress++;
    if (result == -1 && e.number == EAGAIN) {
        h->read_wants = stream_read_wants(stream);
        return false;
    }
    h->tls_handshake = false;
    h->read_wants = STREAM_READ;
    if (result == 0)
        proto_tls_done(h->proto);
    else
        proto_fail(h->proto, e.number, e.text);
    return true;
}

void
run_drive(struct nbd_handle *h, bool may_read, wait_condition *enough, const void *arg)
{
    struct proto_event event;

    for (;;) {
        if (h->connector && !step_connector(h))
            return;
        /* A failure that came from elsewhere ends the handshake. */
        if (h->tls_handshake && !proto_has_event(h->proto) &&
            (!may_read || !step_tls(h)))
            return;
        enum proto_event_type type = proto_next(h->proto, &event);

        switch (type) {
        case PROTO_IDLE:
        case PROTO_NEED_INPUT:
            write_output(h);
            if (h->tls_handshake || proto_has_event(h->proto))
                continue;
            if (type == PROTO_IDLE || !may_read || !h->stream)
                return;
            if (enough && enough(h, arg) && !stream_pending(h->stream))
                return;
            /* A socket that gave less than asked for has no more: that saves
             * asking it. */
            if (read_once(h))
                may_read = false;
            break;
        default:
            h->progress++;
            event_handle(h, &event);
        }
    }
}

void
run_take_rx(struct nbd_handle *h)
{
    h->rx = RX_DRIVING;
    h->rx_thread = pthread_self();
}

void
run_release_rx(struct nbd_handle *h)
{
    uint32_t state = (uint32_t)handle_state(h);

    h->rx = RX_FREE;
    if (state != h->released_state)
        waiters_wake_all(h);
    else
        waiters_wake_any(h);
    h->released_state = state;
}

/* After output: somebody has to see to what it has led to. */
static void
see_to_news(struct nbd_handle *h)
{
    bool news = proto_has_event(h->proto);

    if (h->rx == RX_FREE && news) {
        run_take_rx(h);
        run_drive(h, false, NULL, NULL);
        run_release_rx(h);
    } else if (h->rx == RX_POLLING && (news || h->tx_blocked)) {
        run_kick(h);
    }
}

void
run_output(struct nbd_handle *h)
{
    if (h->holds == 0)
        write_output(h);
    see_to_news(h);
}

void
run_output_held(struct nbd_handle *h)
{
    if (h->holds == 0)
        return;
    write_output(h);
    see_to_news(h);
}

void
run_connect(struct nbd_handle *h)
{
    run_take_rx(h);
    run_drive(h, true, NULL, NULL);
    run_release_rx(h);
}

void
run_fail(struct nbd_handle *h, int number, const char *text)
{
    proto_fail(h->proto, number, text);
    if (h->rx == RX_FREE) {
        run_take_rx(h);
        run_drive(h, false, NULL, NULL);
        run_release_rx(h);
    } else if (h->rx == RX_POLLING) {
        run_kick(h);
    }
}
