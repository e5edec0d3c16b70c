/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-connect.c - what a connection's I/O thread does while there is no connection
 *
 * Attempts go on until one works or the mount ends; meanwhile commands are answered all
 * the same.
 */

#include "conn-io.h"
#include "handshake.h"
#include "log.h"

#include <libnbd.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define STABLE_MS      200 /* a connection that dies sooner makes the next one wait */
#define KEEPALIVE_S    10  /* TCP: three such silences, and the network is gone */
#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS  1000
#define CONNECT_MS     30000 /* for one attempt, the handshake included */

/* A network that goes away without a word is noticed by TCP itself. */
static void
keep_alive(struct nbd_handle *h)
{
    int fd = nbd_aio_get_fd(h), on = 1, seconds = KEEPALIVE_S, count = 3;
    unsigned user_ms = 3 * KEEPALIVE_S * 1000;

    /* Other sockets than TCP's refuse this, and do not need it. */
    if (setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &seconds, sizeof seconds) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &seconds, sizeof seconds) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count) == 0 &&
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_ms, sizeof user_ms) == 0)
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

static void
install(struct conn *conn, struct nbd_handle *h, const struct conn_info *info)
{
    keep_alive(h);
    conn->up_ms = conn_clock_ms();
    conn->broken = false;
    atomic_store(&conn->renew, false);
    atomic_store(&conn->changed_ms, conn->up_ms);
    atomic_store(&conn->retire, false);
    pthread_rwlock_wrlock(&conn->lock);
    conn->h = h;
    pthread_rwlock_unlock(&conn->lock);
    conn_note_failure(conn, NULL);
    if (!conn->events->connected(conn->owner, conn->index, info))
        conn_renew(conn);
}

static bool
keep_trying(void *user_data)
{
    struct conn *conn = user_data;

    conn_answer_finished(conn);
    conn->events->tick(conn->owner);
    return !atomic_load(&conn->stopping);
}

/* Waits before the next attempt: longer each time, and not all clients of a server that
 * is back at the same moment. */
static void
wait_before_next(struct conn *conn)
{
    int delay_ms = conn->delay_ms > 0 ? conn->delay_ms : RETRY_FIRST_MS;
    int64_t now = conn_clock_ms();
    int64_t until = now + delay_ms - (delay_ms / 4) * ((now ^ conn->index) & 7) / 8;

    conn->delay_ms = delay_ms * 2 < RETRY_LAST_MS ? delay_ms * 2 : RETRY_LAST_MS;
    while (!atomic_load(&conn->stopping)) {
        int64_t left = until - conn_clock_ms();
        if (left <= 0)
            break;
        conn_nap(conn, left < CONN_LOOK_MS ? (int)left : CONN_LOOK_MS);
        conn->events->tick(conn->owner);
    }
}

/* Once, and again when the reason is another one: the server may be there again, and be
 * one that is not believed. */
static void
tell_failure(struct conn *conn, const char *why)
{
    size_t room = sizeof conn->told_why - 1;

    if (atomic_load(&conn->stopping) ||
        (conn->told_failure && strncmp(why, conn->told_why, room) == 0))
        return;
    log_warning("%s: no connection, trying on: %s", conn->source->text, why);
    snprintf(conn->told_why, sizeof conn->told_why, "%s", why);
    conn->told_failure = true;
}

/* One attempt.  False: it is worth another one, later. */
static bool
connect_once(struct conn *conn)
{
    struct conn_info info;
    char *why = NULL;
    struct handshake_wait wait = {
        .deadline_ms = conn_clock_ms() + CONNECT_MS,
        .keep_trying = keep_trying,
        .user_data = conn,
    };

    conn->info.size = conn->events->connecting(conn->owner, conn->index);
    struct nbd_handle *h = handshake(conn->source, &wait, &info, &why);
    if (h != NULL && !handshake_same(&conn->info, &info, &why)) {
        nbd_close(h);
        h = NULL;
        if (!conn->told_refusal)
            log_error("%s: this is not what was mounted: %s", conn->source->text,
                      why != NULL ? why : "out of memory");
        conn->told_refusal = true;
        conn->events->refused(conn->owner, conn->index);
    } else if (h == NULL) {
        tell_failure(conn, why != NULL ? why : "out of memory");
    } else {
        if (conn->was_lost || conn->told_failure || conn->told_refusal)
            log_info("%s: connected again", conn->source->text);
        conn->was_lost = conn->told_failure = conn->told_refusal = false;
        install(conn, h, &info);
        return true;
    }
    if (why != NULL)
        conn_note_failure(conn, why);
    free(why);
    return false;
}

void
conn_reconnect(struct conn *conn)
{
    if (conn_clock_ms() - conn->up_ms >= STABLE_MS)
        conn->delay_ms = 0;
    else if (conn->delay_ms > 0)
        wait_before_next(conn);
    else
        conn->delay_ms = RETRY_FIRST_MS; /* at once, for the first time */
    while (!atomic_load(&conn->stopping) && !connect_once(conn))
        wait_before_next(conn);
}
