/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-io.c - a connection's I/O thread: waiting, receiving, answering
 *
 * It is the only one that changes conn->h, so it may look at that without the lock.  It
 * is the reader but for the time that it lends that role in: see conn-lead.c.
 * Commands are answered with no lock held.  It keeps a list of those in flight, to look
 * at now and then when their answers are late.
 */

#include "conn-io.h"
#include "batch.h"
#include "buffer.h"
#include "bundle.h"
#include "log.h"
#include "received.h"

#include <errno.h>
#include <libnbd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define AWAKE_MS   1000 /* after this without anything it sleeps for longer */
#define IDLE_MS    5000 /* after this the buffers that are kept are given back */
#define GOODBYE_MS 1000 /* for the server to close after NBD_CMD_DISC */
#define PACE_OF    64   /* answers, of which the pace is the mean */

_Thread_local struct conn *conn_io_of;

void
conn_wake(struct conn *conn)
{
    if (!atomic_exchange(&conn->woken, true))
        eventfd_write(conn->wake, 1);
}

void
conn_read_wake(struct conn *conn)
{
    eventfd_t n;

    eventfd_read(conn->wake, &n);
    /* Only now: who sees woken set may rely on us looking around after this. */
    atomic_store(&conn->woken, false);
}

/* What was submitted since becomes part of the list. */
static void
list_submitted(struct conn *conn, int64_t now)
{
    struct command *cmd = atomic_exchange(&conn->submitted, NULL);

    while (cmd != NULL) {
        struct command *next = cmd->late_next;
        cmd->since_ms = now;
        cmd->late_listed = true;
        cmd->late_prev = NULL;
        cmd->late_next = conn->late;
        if (conn->late != NULL)
            conn->late->late_prev = cmd;
        conn->late = cmd;
        cmd = next;
    }
}

static void
unlist(struct conn *conn, struct command *cmd)
{
    if (!cmd->late_listed)
        list_submitted(conn, conn->looked_ms);
    if (cmd->late_prev != NULL)
        cmd->late_prev->late_next = cmd->late_next;
    else
        conn->late = cmd->late_next;
    if (cmd->late_next != NULL)
        cmd->late_next->late_prev = cmd->late_prev;
}

static void
note_pace(struct conn *conn, int64_t now_ns)
{
    int64_t pace_ns = conn_pace(conn), gap_ns = now_ns - conn->small_ns;

    conn->small_ns = now_ns;
    if (gap_ns > CONN_PACE_MAX)
        gap_ns = CONN_PACE_MAX;
    atomic_store_explicit(&conn->pace_ns, pace_ns + (gap_ns - pace_ns) / PACE_OF,
                          memory_order_relaxed);
}

static void
answer(struct conn *conn, struct command *cmd, int64_t now_ns)
{
    int error = cmd->error;

    if (error == CALLBACK_NOT_CALLED || error == ESHUTDOWN)
        error = ENOTCONN;
    unlist(conn, cmd);
    conn_lead_ends();
    atomic_fetch_sub(&conn->in_flight, 1);
    if (error == 0 && command_is_small_read(cmd))
        note_pace(conn, now_ns);
    if (error != ENOTCONN) {
        traffic_answered(&conn->traffic, cmd->kind, cmd->len, now_ns - cmd->sent_ns,
                         error);
        cmd->done(cmd, error);
        return;
    }
    /* It must not come back here; but where it tells of a connection before this one,
     * or found none, this one is not to blame.  Who sends ahead waits, when that
     * failed, until the connection is made anew, whichever it was (pool-recover.c). */
    if (cmd->ahead || (cmd->made == conn->made && conn_is_live(conn))) {
        conn_set_live(conn, false);
        conn->broken = true;
    }
    conn->events->orphan(conn->owner, cmd);
}

/* False: something waits for longer than the server may take. */
static bool
look_at_late(struct conn *conn, int64_t now)
{
    int64_t timeout_ms = conn->source->timeout_ms;
    bool fine = true;

    conn->looked_ms = now;
    list_submitted(conn, now);
    for (struct command *cmd = conn->late; cmd != NULL; cmd = cmd->late_next) {
        if (timeout_ms > 0 && now - cmd->since_ms > timeout_ms)
            fine = false;
        if (cmd->look != NULL && now - cmd->since_ms >= CONN_LOOK_MS)
            cmd->look(cmd);
    }
    if (conn->events->tick(conn->owner))
        conn->busy_ms = now;
    return fine;
}

static void
answer_finished(struct conn *conn, bool together)
{
    struct command *cmd;

    /* Again and again: an answer may submit the next command, which may fail at once.
     */
    while ((cmd = atomic_exchange(&conn->finished, NULL)) != NULL) {
        struct command *ordered = NULL;
        int64_t now_ns = conn_clock_ns();
        while (cmd != NULL) { /* a stack: turn it round */
            struct command *next = cmd->next;
            cmd->next = ordered;
            ordered = cmd;
            cmd = next;
        }
        bool several = together && ordered->next != NULL;
        if (several)
            bundle_begin();
        while (ordered != NULL) {
            struct command *next = ordered->next;
            answer(conn, ordered, now_ns);
            ordered = next;
        }
        if (several)
            bundle_end();
    }
}

void
conn_answer_finished(struct conn *conn)
{
    answer_finished(conn, false);
}

/* What the kernel still has to send is thrown away: the commands will be sent again,
 * and must not be done once more after that.  TCP only. */
static void
abort_socket(struct nbd_handle *h)
{
    struct linger linger = {.l_onoff = 1, .l_linger = 0};

    setsockopt(nbd_aio_get_fd(h), SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
}

/* Takes the handle away from all and closes it: what was in flight fails. */
static void
drop(struct conn *conn)
{
    pthread_rwlock_wrlock(&conn->lock);
    struct nbd_handle *h = conn->h;
    conn_note_end(conn);
    conn->h = NULL;
    atomic_store(&conn->live, false);
    pthread_rwlock_unlock(&conn->lock);
    nbd_close(h);
    conn_answer_finished(conn);
}

void
conn_nap(struct conn *conn, int timeout_ms)
{
    struct pollfd fd = {.fd = conn->wake, .events = POLLIN};

    if (poll(&fd, 1, timeout_ms) > 0)
        conn_read_wake(conn);
    conn_answer_finished(conn);
}

/* Whether that is what a network says which has lost the server. */
static bool
is_silence(int error)
{
    return error == ETIMEDOUT || error == EHOSTUNREACH || error == ENETUNREACH ||
           error == ENETDOWN || error == EHOSTDOWN;
}

/* Receives, and sends what got stuck.  Where that fails, why, and *error: the library's
 * text is lost with the next command. */
static void
receive(struct nbd_handle *h, short ready, char *why, size_t len, int *error)
{
    int r = 0;

    if (ready & (POLLIN | POLLRDHUP | POLLHUP | POLLERR | POLLNVAL))
        r = nbd_aio_notify_read(h);
    /* The direction may have changed since; a notice that is not wanted is an error. */
    if (r == 0 && (ready & POLLOUT) &&
        (nbd_aio_get_direction(h) & LIBNBD_AIO_DIRECTION_WRITE))
        r = nbd_aio_notify_write(h);
    if (r != -1)
        return;
    snprintf(why, len, "%s", nbd_get_error());
    *error = nbd_get_errno();
}

void
conn_tell_loss(struct conn *conn, const char *why, int error)
{
    if (conn->was_lost)
        return;
    log_warning("%s: connection lost: %s", conn->source->text, why);
    conn_note_failure(conn, why);
    conn->was_lost = conn->source;
    conn->silent = is_silence(error);
}

/* Waits for the socket, and for being woken; what there is then.  Without the role not
 * for answers, but still for the end of the connection. */
static void
wait_for(struct conn *conn, struct pollfd fd[2], int timeout_ms)
{
    unsigned direction = nbd_aio_get_direction(conn->h);
    bool lent = conn_group_offer(conn) || conn_lend_role(conn);

    fd[0] = (struct pollfd){.fd = conn->wake, .events = POLLIN};
    fd[1] = (struct pollfd){.fd = nbd_aio_get_fd(conn->h)};
    if (lent)
        fd[1].events = POLLRDHUP;
    else if (direction & LIBNBD_AIO_DIRECTION_READ)
        fd[1].events |= POLLIN;
    if (direction & LIBNBD_AIO_DIRECTION_WRITE)
        fd[1].events |= POLLOUT;
    if (poll(fd, 2, timeout_ms) == 0 && timeout_ms == IDLE_MS) {
        buffer_trim();
        received_trim();
        bundle_free();
    }
    if (lent)
        conn_take_role(conn);
}

/* One turn of waiting and receiving.  False: the connection is gone. */
static bool
turn(struct conn *conn, int timeout_ms)
{
    struct nbd_handle *h = conn->h; /* only this thread changes it */
    struct pollfd fd[2];
    char said[512];
    int error = 0;

    said[0] = '\0';
    wait_for(conn, fd, timeout_ms);
    batch_note(conn_are_many_busy());
    int64_t now = conn_clock_ms();
    atomic_store_explicit(&conn->asleep, false, memory_order_relaxed);
    if (fd[1].revents != 0)
        conn->busy_ms = now;
    bool in_time = now - conn->looked_ms < CONN_LOOK_MS || look_at_late(conn, now);
    if (fd[0].revents != 0)
        conn_read_wake(conn);
    if (!nbd_aio_is_dead(h) && !nbd_aio_is_closed(h))
        receive(h, fd[1].revents, said, sizeof said, &error);
    if (!in_time)
        error = ETIMEDOUT;
    answer_finished(conn, true);
    bool ended = nbd_aio_is_dead(h) || nbd_aio_is_closed(h);
    bool gone = !in_time || conn->broken || ended;
    if (gone && said[0] == '\0')
        snprintf(said, sizeof said, "%s",
                 !in_time ? "no answer in time"
                 : ended  ? "the server closed it"
                          : "it takes no more commands"); /* broken */
    if (gone)
        conn_tell_loss(conn, said, error);
    return !gone;
}

/* Five looks a second are too many for a mount that nobody uses. */
static bool
may_sleep_long(struct conn *conn)
{
    if (conn_clock_ms() - conn->busy_ms < AWAKE_MS)
        return false;
    atomic_store(&conn->asleep, true);
    return atomic_load(&conn->in_flight) == 0;
}

static int
timeout_of(struct conn *conn)
{
    if (!atomic_load(&conn->stopping))
        return may_sleep_long(conn) ? IDLE_MS : CONN_LOOK_MS;
    int64_t left = atomic_load(&conn->deadline_ms) - conn_clock_ms();
    return left <= 0 ? 0 : left > CONN_LOOK_MS ? CONN_LOOK_MS : (int)left;
}

/* NBD_CMD_DISC with nothing in flight, and a short wait for the server to close. */
static void
say_goodbye(struct conn *conn)
{
    int64_t until = conn_clock_ms() + GOODBYE_MS;

    conn->was_lost = conn->source; /* what is expected is not worth a line */
    if (nbd_aio_disconnect(conn->h, 0) == -1)
        return;
    for (;;) {
        int64_t left = until - conn_clock_ms();
        if (left <= 0 || nbd_aio_is_dead(conn->h) || nbd_aio_is_closed(conn->h) ||
            !turn(conn, (int)left))
            return;
    }
}

void *
conn_io(void *user_data)
{
    struct conn *conn = user_data;

    conn_io_of = conn;
    for (;;) {
        bool stopping = atomic_load(&conn->stopping);
        bool late = stopping && atomic_load(&conn->deadline_ms) <= conn_clock_ms();
        if (conn->h == NULL && stopping)
            break;
        if (conn->h == NULL) {
            conn_reconnect(conn);
            continue;
        }
        if (stopping && (late || atomic_load(&conn->in_flight) == 0)) {
            if (!late)
                say_goodbye(conn);
            drop(conn);
            break;
        }
        if (atomic_load(&conn->retire) && atomic_load(&conn->in_flight) == 0) {
            say_goodbye(conn);
            drop(conn);
            conn->was_lost = NULL;
            conn->events->dropped(conn->owner, conn->index);
            continue;
        }
        bool renew = atomic_load(&conn->renew);
        if (renew || !turn(conn, timeout_of(conn))) {
            if (!renew) {
                atomic_fetch_add(&conn->losses, 1); /* before anybody is told EIO */
                conn->events->lost(conn->owner, conn->index, conn->silent);
            }
            abort_socket(conn->h);
            drop(conn);
            conn->events->dropped(conn->owner, conn->index);
        }
    }
    conn_answer_finished(conn);
    bundle_free();
    return NULL;
}
