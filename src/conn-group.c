/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-group.c - see conn-group.h
 *
 * Where there are groups, an I/O thread offers its role to one of them whenever it goes
 * to wait, and takes it back when it has waited: five times a second it looks for what
 * is late, and at once if the connection ends.  So a group has to do with connections
 * only that are there and well.
 *
 * Sockets are watched for one event at a time, and only when there is nothing else to
 * do. An epoll descriptor, which the kernel looks at whenever something comes, had 0.95
 * of the rate: the server paid for it.
 */

#include "conn-group.h"
#include "conn-io.h"

#include <errno.h>
#include <nbdclient.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define GROUPS_MAX 4
#define WAKE_TOKEN UINT64_C(0)

struct conn_group {
    struct conn_group_waiting waiting;
    struct conn *led;
    uint64_t tokens; /* used so far */
    bool holds;      /* what is issued on their handles */
    bool watches;    /* wake */
    bool is_awake;   /* it was readable */
    int wake;        /* eventfd */
    atomic_bool closed;
    atomic_bool woken;              /* wake was written and not yet read */
    _Atomic(struct conn *) offered; /* a stack */
};

static struct {
    pthread_mutex_t lock; /* over changes of n */
    atomic_uint n;
    struct conn_group *_Atomic group[GROUPS_MAX];
} open_groups = {.lock = PTHREAD_MUTEX_INITIALIZER};

static _Thread_local struct conn_group *own;

bool
conn_group_leads(const struct conn *conn)
{
    return own != NULL &&
           atomic_load_explicit(&conn->group, memory_order_relaxed) == own;
}

/* ---- what I/O threads do */

/* NULL: there is none. */
static struct conn_group *
group_for(const struct conn *conn)
{
    unsigned n = atomic_load(&open_groups.n);

    return n > 0 ? atomic_load(&open_groups.group[conn->index % n]) : NULL;
}

static bool
is_well(const struct conn *conn)
{
    return !conn->broken && !nbd_aio_is_dead(conn->h) && !nbd_aio_is_closed(conn->h);
}

bool
conn_group_offer(struct conn *conn)
{
    struct conn_group *group = group_for(conn);

    if (group == NULL || atomic_load(&group->closed) || atomic_load(&conn->stopping) ||
        atomic_load(&conn->renew) || atomic_load(&conn->retire) ||
        !conn_is_live(conn) || !is_well(conn) ||
        (nbd_aio_get_direction(conn->h) & LIBNBD_AIO_DIRECTION_WRITE))
        return false;
    atomic_store(&conn->reader, READER_NONE);
    if (!atomic_exchange(&conn->offered, true)) {
        atomic_fetch_add(&conn->leading, 1);
        conn->asked = group;
        conn->offered_next = atomic_load(&group->offered);
        while (
            !atomic_compare_exchange_weak(&group->offered, &conn->offered_next, conn))
            ;
        conn_group_wake(group);
    }
    return true;
}

void
conn_group_want(struct conn *conn)
{
    /* Not group_for: there may be more groups now than when it was offered. */
    struct conn_group *leads = atomic_load(&conn->group);

    if (conn->asked != NULL)
        conn_group_wake(conn->asked);
    /* And the one before it may have taken the connection just now. */
    if (leads != NULL && leads != conn->asked)
        conn_group_wake(leads);
}

void
conn_group_wake(struct conn_group *group)
{
    if (!atomic_exchange(&group->woken, true))
        eventfd_write(group->wake, 1);
}

/* ---- what the group's thread does */

static void
forget(struct conn_group *group, struct conn *conn)
{
    if (conn->watched != 0)
        group->waiting.forget(group->waiting.user_data, conn->token);
    conn->watched = 0;
}

/* What the socket is watched for follows what the library waits for. */
static void
watch(struct conn_group *group, struct conn *conn)
{
    bool writes = nbd_aio_get_direction(conn->h) & LIBNBD_AIO_DIRECTION_WRITE;
    short events = writes ? POLLIN | POLLOUT : POLLIN;

    if (conn->watched == events)
        return;
    forget(group, conn);
    conn->watched = events;
    conn->token = ++group->tokens;
    group->waiting.watch(group->waiting.user_data, nbd_aio_get_fd(conn->h), events,
                         conn->token);
}

static void
take(struct conn_group *group, struct conn *conn)
{
    int nobody = READER_NONE;

    atomic_store(&conn->offered, false);
    if (atomic_load(&group->closed))
        conn_wake(conn);
    if (atomic_load(&group->closed) ||
        !atomic_compare_exchange_strong(&conn->reader, &nobody, READER_LEADER)) {
        atomic_fetch_sub(&conn->leading, 1); /* from here on it may be gone */
        return;
    }
    atomic_store_explicit(&conn->group, group, memory_order_relaxed);
    conn->watched = 0;
    conn->is_ready = false;
    conn->led_next = group->led;
    group->led = conn;
    if (group->holds)
        nbdclient_hold(conn->h);
}

/* The I/O thread goes on. */
static void
give_back(struct conn_group *group, struct conn **at)
{
    struct conn *conn = *at;

    *at = conn->led_next;
    forget(group, conn);
    atomic_store_explicit(&conn->group, NULL, memory_order_relaxed);
    atomic_store(&conn->reader, READER_NONE);
    conn_wake(conn);
    atomic_fetch_sub(&conn->leading, 1); /* from here on it may be gone */
}

static void
take_offered(struct conn_group *group)
{
    struct conn *conn, *next;
    eventfd_t n;

    eventfd_read(group->wake, &n);
    /* Only now: who sees woken set may rely on us looking around after this. */
    atomic_store(&group->woken, false);
    for (conn = atomic_exchange(&group->offered, NULL); conn != NULL; conn = next) {
        next = conn->offered_next;
        take(group, conn);
    }
}

static void
receive(struct conn *conn)
{
    struct nbd_handle *h = conn->h; /* stays while this thread has the role */

    conn->is_ready = false;
    conn->busy_ms = conn_clock_ms();
    if (!is_well(conn))
        return;
    int r = nbd_aio_notify_read(h);
    if (r == 0 && (nbd_aio_get_direction(h) & LIBNBD_AIO_DIRECTION_WRITE))
        r = nbd_aio_notify_write(h);
    if (r == -1)
        conn_tell_loss(conn, nbd_get_error(), nbd_get_errno());
}

/* Again and again: an answer may submit to any of them, which may fail at once. */
static void
answer_all(struct conn_group *group)
{
    for (bool any = true; any;) {
        any = false;
        for (struct conn *conn = group->led; conn != NULL; conn = conn->led_next)
            if (atomic_load(&conn->finished) != NULL) {
                conn_answer_finished(conn);
                any = true;
            }
    }
}

void
conn_group_hold(struct conn_group *group)
{
    group->holds = true;
    for (struct conn *conn = group->led; conn != NULL; conn = conn->led_next)
        nbdclient_hold(conn->h);
}

static void
release_all(struct conn_group *group)
{
    group->holds = false;
    for (struct conn *conn = group->led; conn != NULL; conn = conn->led_next)
        nbdclient_release(conn->h);
}

void
conn_group_ready(struct conn_group *group, uint64_t token)
{
    if (token == WAKE_TOKEN) {
        group->watches = false;
        group->is_awake = true;
        return;
    }
    for (struct conn *conn = group->led; conn != NULL; conn = conn->led_next)
        if (conn->token == token && conn->watched != 0) {
            conn->watched = 0;
            conn->is_ready = true;
        }
}

/* What is to be waited for, and who has gone. */
static void
settle(struct conn_group *group)
{
    for (struct conn **at = &group->led; *at != NULL;) {
        if (atomic_load(&(*at)->wanted) || !is_well(*at) ||
            atomic_load(&group->closed)) {
            give_back(group, at);
        } else {
            watch(group, *at);
            at = &(*at)->led_next;
        }
    }
    if (!group->watches && !atomic_load(&group->closed)) {
        group->watches = true;
        group->waiting.watch(group->waiting.user_data, group->wake, POLLIN, WAKE_TOKEN);
    }
}

unsigned
conn_group_in_flight(const struct conn_group *group)
{
    unsigned n = 0;

    for (const struct conn *conn = group->led; conn != NULL; conn = conn->led_next)
        n += conn_in_flight(conn);
    return n;
}

void
conn_group_turn(struct conn_group *group)
{
    for (struct conn *conn = group->led; conn != NULL; conn = conn->led_next)
        if (conn->is_ready)
            receive(conn);
    if (group->is_awake) {
        group->is_awake = false;
        take_offered(group);
    }
    answer_all(group);
    if (group->holds) {
        release_all(group);
        answer_all(group); /* what could not be sent */
    }
    settle(group);
}

/* ---- its life */

struct conn_group *
conn_group_new(const struct conn_group_waiting *waiting)
{
    struct conn_group *group = calloc(1, sizeof *group);

    if (group == NULL)
        return NULL;
    group->waiting = *waiting;
    group->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (group->wake == -1) {
        free(group);
        return NULL;
    }
    return group;
}

void
conn_group_open(struct conn_group *group)
{
    own = group;
    pthread_mutex_lock(&open_groups.lock);
    unsigned n = atomic_load(&open_groups.n);
    if (n < GROUPS_MAX) {
        atomic_store(&open_groups.group[n], group);
        atomic_store(&open_groups.n, n + 1);
    }
    pthread_mutex_unlock(&open_groups.lock);
}

int
conn_group_close(struct conn_group *group)
{
    atomic_store(&group->closed, true);
    group->is_awake = true; /* those that are offered just now */
    conn_group_turn(group);
    return group->wake;
}

void
conn_group_free(struct conn_group *group)
{
    if (group == NULL)
        return;
    pthread_mutex_lock(&open_groups.lock);
    atomic_store(&open_groups.n, 0); /* there is no connection that could look */
    pthread_mutex_unlock(&open_groups.lock);
    close(group->wake);
    free(group);
}
