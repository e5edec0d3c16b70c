/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-look.c - how a connection goes, for people who look */

#include "conn-io.h"

#include <libnbd.h>
#include <stdio.h>

_Static_assert(COMMAND_STATUS + 1 == TRAFFIC_KINDS, "each kind of command is counted");

/* Under the lock: what went through the handle, the handshake included. */
static void
add_bytes(struct nbd_handle *h, uint64_t *sent, uint64_t *received)
{
#ifdef LIBNBD_HAVE_NBD_STATS_BYTES_SENT
    *sent += nbd_stats_bytes_sent(h);
    *received += nbd_stats_bytes_received(h);
#else
    (void)h;
    (void)sent;
    (void)received;
#endif
}

void
conn_note_failure(struct conn *conn, const char *why)
{
    pthread_rwlock_wrlock(&conn->lock);
    snprintf(conn->failure, sizeof conn->failure, "%s", why != NULL ? why : "");
    pthread_rwlock_unlock(&conn->lock);
}

void
conn_note_end(struct conn *conn)
{
    uint64_t sent = 0, received = 0;

    add_bytes(conn->h, &sent, &received);
    counter_add(&conn->sent, sent);
    counter_add(&conn->received, received);
    atomic_store(&conn->changed_ms, conn_clock_ms());
}

void
conn_look(struct conn *conn, struct conn_report *report, struct traffic_sum *sum)
{
    *report = (struct conn_report){
        .in_flight = conn_in_flight(conn),
        .losses = conn_losses(conn),
        .read = counter_get(&conn->traffic.kind[COMMAND_READ].bytes),
        .written = counter_get(&conn->traffic.kind[COMMAND_WRITE].bytes),
    };
    if (sum != NULL)
        traffic_sum(sum, &conn->traffic);
    pthread_rwlock_rdlock(&conn->lock);
    report->source = conn->source;
    report->since_ms = atomic_load(&conn->changed_ms);
    report->sent = counter_get(&conn->sent);
    report->received = counter_get(&conn->received);
    if (conn->h != NULL) {
        report->state = conn_is_live(conn) ? CONN_LIVE : CONN_WAITING;
        report->tls = nbd_get_tls_negotiated(conn->h) == 1;
        add_bytes(conn->h, &report->sent, &report->received);
    }
    snprintf(report->failure, sizeof report->failure, "%s", conn->failure);
    pthread_rwlock_unlock(&conn->lock);
}
