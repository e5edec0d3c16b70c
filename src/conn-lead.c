/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-lead.c - a lone command's answer is received by the thread that submitted it
 *
 * While one command at a time is under way, handing each answer to the I/O thread costs
 * two switches of threads, which is most of what such a command needs.  So the I/O
 * thread then lends its role: it goes on waiting for what it is told and for the end of
 * the connection, but not for answers.  Who submits a command to a connection whose
 * role nobody has takes it, if the command is the only one of all connections, and is
 * the I/O thread for as long as it takes, which is not long: with the first sign of
 * more load, or of trouble, the I/O thread has its role back.
 *
 * conn->reader is who has the role.  Who gives it up looks afterwards whether something
 * is in flight, and who submits looks afterwards whether somebody has the role: one of
 * both sees the other, and wakes the I/O thread.
 */

#include "conn-io.h"
#include "log.h"
#include "spin.h"

#include <libnbd.h>
#include <poll.h>
#include <sched.h>

#define ALONE_ENOUGH 4  /* commands in a row, each of which was alone */
#define LEAD_MS      20 /* for longer a thread is not kept from what it is there for */
#define TAKE_MS      200

/* Of all connections together, for the threads that submit are there for all.  Nothing
 * but the choice of the thread depends on alone. */
static atomic_uint in_flight;
static atomic_uint alone;
static atomic_bool taken; /* one thread leads, and no other one may */

static _Thread_local bool may_lead;
static _Thread_local struct conn *leads;

static bool
is_alone(void)
{
    return atomic_load_explicit(&alone, memory_order_relaxed) >= ALONE_ENOUGH;
}

void
conn_lead_begins(bool awaited)
{
    unsigned n = atomic_load_explicit(&alone, memory_order_relaxed);
    bool others = atomic_fetch_add_explicit(&in_flight, 1, memory_order_relaxed) > 0;

    /* To a thread that cannot lead the role would be lent in vain; and one that leads
     * for somebody who does not wait is missed elsewhere. */
    if (others || !may_lead || !awaited) {
        if (n > 0)
            atomic_store_explicit(&alone, 0, memory_order_relaxed);
    } else if (n < ALONE_ENOUGH) {
        atomic_store_explicit(&alone, n + 1, memory_order_relaxed);
    }
}

void
conn_lead_ends(void)
{
    atomic_fetch_sub_explicit(&in_flight, 1, memory_order_relaxed);
}

static bool
take(struct conn *conn, enum conn_reader by)
{
    int nobody = READER_NONE;

    return atomic_compare_exchange_strong(&conn->reader, &nobody, by);
}

static bool
take_lead(struct conn *conn)
{
    if (!may_lead || leads != NULL || !is_alone() || atomic_exchange(&taken, true))
        return false;
    atomic_fetch_add(&conn->leading, 1);
    if (take(conn, READER_LEADER)) {
        leads = conn;
        return true;
    }
    atomic_store(&taken, false);
    atomic_fetch_sub(&conn->leading, 1);
    return false;
}

void
conn_lead_submitted(struct conn *conn)
{
    if (atomic_load(&conn->reader) == READER_NONE && !atomic_load(&conn->offered) &&
        !take_lead(conn))
        conn_wake(conn);
}

void
conn_thread_may_lead(void)
{
    may_lead = true;
}

/* Waits once and receives.  False: it is for the I/O thread to go on. */
static bool
lead_once(struct conn *conn, int more_fd)
{
    static _Thread_local struct spin answers;
    struct nbd_handle *h = conn->h; /* stays while this thread has the role */
    struct pollfd fd[2] = {
        {.fd = nbd_aio_get_fd(h), .events = POLLIN},
        {.fd = more_fd, .events = POLLIN},
    };

    if (nbd_aio_get_direction(h) & LIBNBD_AIO_DIRECTION_WRITE)
        return false; /* the output got stuck */
    int ready = spin_poll(&answers, fd, 2);
    if (ready == 0)
        ready = poll(fd, 2, LEAD_MS);
    spin_learn(&answers);
    if (ready <= 0 || fd[0].revents == 0)
        return false;
    conn->busy_ms = conn_clock_ms();
    if (nbd_aio_notify_read(h) == -1)
        conn_tell_loss(conn, nbd_get_error(), nbd_get_errno());
    conn_answer_finished(conn);
    return atomic_load(&conn->in_flight) > 0 && is_alone() &&
           !atomic_load(&conn->wanted) && !conn->broken && !nbd_aio_is_dead(h) &&
           !nbd_aio_is_closed(h);
}

bool
conn_lead(int more_fd)
{
    struct conn *conn = leads;

    if (conn == NULL)
        return false;
    conn_gather_send();
    conn_io_of = conn;
    conn_answer_finished(conn); /* what could not be submitted */
    while (lead_once(conn, more_fd))
        ;
    bool trouble =
        conn->broken || nbd_aio_is_dead(conn->h) || nbd_aio_is_closed(conn->h);
    conn_io_of = NULL;
    leads = NULL;
    atomic_store(&taken, false);
    atomic_store(&conn->reader, READER_NONE);
    bool calm = atomic_load(&conn->in_flight) == 0 && !trouble &&
                atomic_load(&conn->finished) == NULL;
    if (!calm || atomic_load(&conn->wanted))
        conn_wake(conn);
    atomic_fetch_sub(&conn->leading, 1); /* from here on it may be gone */
    return calm;
}

bool
conn_is_any_busy(void)
{
    return atomic_load_explicit(&in_flight, memory_order_relaxed) > 0;
}

bool
conn_are_many_busy(void)
{
    return atomic_load_explicit(&in_flight, memory_order_relaxed) > 1;
}

bool
conn_lend_role(struct conn *conn)
{
    if (!is_alone() || atomic_load(&conn->in_flight) > 0 ||
        atomic_load(&conn->stopping) || atomic_load(&conn->renew))
        return false;
    atomic_store(&conn->reader, READER_NONE);
    if (atomic_load(&conn->in_flight) > 0 && take(conn, READER_IO))
        return false;
    return true;
}

void
conn_take_role(struct conn *conn)
{
    struct pollfd fd = {.fd = conn->wake, .events = POLLIN};

    while (!take(conn, READER_IO)) {
        atomic_store(&conn->wanted, true);
        if (take(conn, READER_IO))
            break;
        conn_group_want(conn);
        if (poll(&fd, 1, TAKE_MS) > 0)
            conn_read_wake(conn);
    }
    atomic_store(&conn->wanted, false);
}

void
conn_wait_for_leader(struct conn *conn)
{
    while (atomic_load(&conn->leading) > 0)
        sched_yield();
}
