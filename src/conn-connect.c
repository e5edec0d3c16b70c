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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STABLE_MS      200 /* a connection that dies sooner makes the next one wait */
#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS  1000
#define CONNECT_MS     30000 /* for one attempt, the handshake included */

static void
install(struct conn *conn, struct nbd_handle *h, const struct conn_info *info)
{
    conn_keep_alive(h);
    conn->up_ms = conn->busy_ms = conn_clock_ms();
    conn->broken = conn->silent = false;
    atomic_store(&conn->renew, false);
    atomic_store(&conn->changed_ms, conn->up_ms);
    atomic_store(&conn->retire, false);
    pthread_rwlock_wrlock(&conn->lock);
    conn->h = h;
    atomic_store(&conn->simple, info->simple);
    conn->made++;
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

/* What the next attempt is to reach.  Returns until when (CLOCK_MONOTONIC). */
static int64_t
take_aim(struct conn *conn, bool *simple)
{
    struct conn_aim aim = {.source = conn->source, .limit_ms = CONNECT_MS};

    conn->events->connecting(conn->owner, conn->index, &aim);
    if (aim.source != conn->source) {
        pthread_rwlock_wrlock(&conn->lock); /* others may look */
        conn->source = aim.source;
        pthread_rwlock_unlock(&conn->lock);
    }
    conn->info.size = aim.size;
    conn->info.read_only = aim.read_only;
    conn->size_most = aim.size_most;
    *simple = aim.simple;
    return conn_clock_ms() + aim.limit_ms;
}

/* Once, and again when the reason is another one: the server may be there again, and be
 * one that is not believed.  Of several servers each once. */
static void
tell_failure(struct conn *conn, const char *why)
{
    const struct source *source = conn->source;
    unsigned bit = 1U << source->number;
    bool several = source->next != NULL || source->number > 0;
    size_t room = sizeof conn->told_why - 1;

    if (atomic_load(&conn->stopping) ||
        ((conn->told_failure & bit) &&
         (several || strncmp(why, conn->told_why, room) == 0)))
        return;
    log_warning("%s: no connection, trying on: %s", source->text, why);
    snprintf(conn->told_why, sizeof conn->told_why, "%s", why);
    conn->told_failure |= bit;
}

static void
tell_refusal(struct conn *conn, const char *why)
{
    unsigned bit = 1U << conn->source->number;

    if (!(conn->told_refusal & bit))
        log_error("%s: this is not what was mounted: %s", conn->source->text, why);
    conn->told_refusal |= bit;
}

static void
tell_success(struct conn *conn)
{
    unsigned bit = 1U << conn->source->number;

    if (conn->was_lost == conn->source ||
        ((conn->told_failure | conn->told_refusal) & bit))
        log_info("%s: connected again", conn->source->text);
    conn->was_lost = NULL;
    conn->told_failure = conn->told_refusal = 0;
}

/* One attempt.  False: it is worth another one; *at_once, with another server. */
static bool
connect_once(struct conn *conn, bool *at_once)
{
    struct conn_info info;
    char *why = NULL;
    bool simple;
    struct handshake_wait wait = {
        .deadline_ms = take_aim(conn, &simple),
        .keep_trying = keep_trying,
        .user_data = conn,
    };

    struct nbd_handle *h = handshake(conn->source, simple, &wait, &info, &why);
    bool refused =
        h != NULL && !handshake_same(&conn->info, conn->size_most, &info, &why);
    if (h != NULL && !refused) {
        tell_success(conn);
        install(conn, h, &info);
        return true;
    }
    nbd_close(h);
    const char *reason = why != NULL ? why : "out of memory";
    if (refused)
        tell_refusal(conn, reason);
    else
        tell_failure(conn, reason);
    conn_note_failure(conn, reason);
    free(why);
    *at_once = conn->events->failed(conn->owner, conn->index, refused);
    return false;
}

void
conn_reconnect(struct conn *conn)
{
    bool at_once = false;

    if (conn_clock_ms() - conn->up_ms >= STABLE_MS)
        conn->delay_ms = 0;
    else if (conn->delay_ms > 0)
        wait_before_next(conn);
    else
        conn->delay_ms = RETRY_FIRST_MS; /* at once, for the first time */
    while (!atomic_load(&conn->stopping) && !connect_once(conn, &at_once))
        if (!at_once)
            wait_before_next(conn);
}
