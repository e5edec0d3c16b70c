/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn.c - one connection: submitting commands, and what the library calls
 *
 * The library may run a completion callback in any thread and with the handle's lock
 * held, so all that it does here is to put the command on a list.  The I/O thread
 * (conn-io.c) takes that list when the library has returned, and calls done.
 */

#include "conn-io.h"
#include "handshake.h"
#include "log.h"

#include <errno.h>
#include <libnbd.h>
#include <nbdclient.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEEPALIVE_S 10 /* TCP: three such silences, and the network is gone */

int64_t
conn_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t
conn_clock_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

const char *
source_meta_context(const struct source *source)
{
    return source->meta_context != NULL ? source->meta_context
                                        : LIBNBD_CONTEXT_BASE_ALLOCATION;
}

/* ---- what the library calls */

static void
let_go(struct command *cmd)
{
    struct conn *conn = cmd->conn;

    if (atomic_fetch_sub(&cmd->hold, 1) != 1)
        return;
    struct command *head = atomic_load(&conn->finished);
    do
        cmd->next = head;
    while (!atomic_compare_exchange_weak(&conn->finished, &head, cmd));
    if (conn != conn_io_of && !conn_group_leads(conn))
        conn_wake(conn);
}

static int
on_completion(void *user_data, int *error)
{
    struct command *cmd = user_data;

    cmd->error = *error;
    return 1; /* retire it */
}

static void
on_free(void *user_data)
{
    let_go(user_data);
}

static int
on_extents(void *user_data, const char *metacontext, uint64_t off, uint32_t *entries,
           size_t n, int *error)
{
    struct command *cmd = user_data;

    (void)error;
    if (strcmp(metacontext, source_meta_context(cmd->conn->source)) != 0)
        return 0;
    for (size_t i = 0; i + 1 < n; i += 2) {
        cmd->extent(cmd, off, entries[i], entries[i + 1]);
        off += entries[i];
    }
    return 0;
}

#ifdef LIBNBD_HAVE_NBD_AIO_BLOCK_STATUS_64
static int
on_extents_64(void *user_data, const char *metacontext, uint64_t off,
              nbd_extent *entries, size_t n, int *error)
{
    struct command *cmd = user_data;

    (void)error;
    if (strcmp(metacontext, source_meta_context(cmd->conn->source)) != 0)
        return 0;
    for (size_t i = 0; i < n; i++) {
        cmd->extent(cmd, off, entries[i].length, (uint32_t)entries[i].flags);
        off += entries[i].length;
    }
    return 0;
}
#endif

/* ---- submitting */

static int64_t
submit_status(struct nbd_handle *h, struct command *cmd, bool extended,
              nbd_completion_callback completion)
{
#ifdef LIBNBD_HAVE_NBD_AIO_BLOCK_STATUS_64
    if (extended) {
        nbd_extent64_callback extent64 = {.callback = on_extents_64, .user_data = cmd};
        return nbd_aio_block_status_64(h, cmd->len, cmd->off, extent64, completion,
                                       cmd->flags);
    }
#else
    (void)extended;
#endif
    nbd_extent_callback extent = {.callback = on_extents, .user_data = cmd};
    return nbd_aio_block_status(h, cmd->len, cmd->off, extent, completion, cmd->flags);
}

static int64_t
submit_to(struct nbd_handle *h, struct command *cmd, bool extended)
{
    nbd_completion_callback completion = {on_completion, cmd, on_free};

    switch (cmd->kind) {
    case COMMAND_READ:
        return nbd_aio_pread(h, cmd->buf, cmd->len, cmd->off, completion, cmd->flags);
    case COMMAND_WRITE:
        return nbd_aio_pwrite(h, cmd->buf, cmd->len, cmd->off, completion, cmd->flags);
    case COMMAND_FLUSH:
        return nbd_aio_flush(h, completion, cmd->flags);
    case COMMAND_TRIM:
        return nbd_aio_trim(h, cmd->len, cmd->off, completion, cmd->flags);
    case COMMAND_ZERO:
        return nbd_aio_zero(h, cmd->len, cmd->off, completion, cmd->flags);
    case COMMAND_STATUS:
        return submit_status(h, cmd, extended, completion);
    }
    abort();
}

/* With the lock held.  The library's part of the command is let go where the library
 * does not get it. */
static void
give_to_library(struct conn *conn, struct command *cmd)
{
    if (conn->h == NULL || (!atomic_load(&conn->live) && !cmd->ahead) ||
        (cmd->kind == COMMAND_STATUS && conn_is_simple(conn))) {
        cmd->error = ENOTCONN;
        let_go(cmd);
        return;
    }
    cmd->made = conn->made;
    int64_t cookie = submit_to(conn->h, cmd, conn->info.extended);
    if (cookie == -1 && cmd->error == CALLBACK_NOT_CALLED) {
        int error = nbd_get_errno();
        log_debug("%s: a command was refused: %s", conn->source->text, nbd_get_error());
        cmd->error = nbd_aio_is_dead(conn->h) || nbd_aio_is_closed(conn->h) ? ENOTCONN
                     : error > 0                                            ? error
                                                                            : EIO;
    }
}

/* With the lock held: whether the I/O thread has to look at the handle. */
static bool
needs_its_thread(struct conn *conn)
{
    if (conn->h == NULL || conn_group_leads(conn))
        return false;
    /* The output got stuck: it has to wait for POLLOUT too. */
    return (nbd_aio_get_direction(conn->h) & LIBNBD_AIO_DIRECTION_WRITE) ||
           nbd_aio_is_dead(conn->h); /* and it may not have noticed that */
}

void
conn_hand_over(struct conn *conn, struct command *const *cmd, unsigned n)
{
    pthread_rwlock_rdlock(&conn->lock);
    bool held = n > 1 && conn->h != NULL && nbdclient_hold(conn->h) == 0;
    for (unsigned i = 0; i < n; i++)
        give_to_library(conn, cmd[i]);
    if (held)
        nbdclient_release(conn->h);
    bool must_wake = needs_its_thread(conn);
    pthread_rwlock_unlock(&conn->lock);
    for (unsigned i = 0; i < n; i++)
        let_go(cmd[i]);
    if (must_wake || atomic_load(&conn->asleep))
        conn_wake(conn);
    conn_lead_submitted(conn);
}

void
conn_submit(struct conn *conn, struct command *cmd)
{
    cmd->conn = conn;
    cmd->sent_ns = conn_clock_ns();
    cmd->error = CALLBACK_NOT_CALLED;
    atomic_init(&cmd->hold, 2);
    conn_lead_begins(!cmd->behind);
    atomic_fetch_add(&conn->in_flight, 1);
    cmd->late_listed = false;
    cmd->made = 0;
    cmd->late_next = atomic_load_explicit(&conn->submitted, memory_order_relaxed);
    while (!atomic_compare_exchange_weak(&conn->submitted, &cmd->late_next, cmd))
        ;
    if (!conn_gather_takes(conn, cmd))
        conn_hand_over(conn, &cmd, 1);
}

bool
conn_is_live(const struct conn *conn)
{
    return atomic_load_explicit(&conn->live, memory_order_relaxed);
}

bool
conn_is_simple(const struct conn *conn)
{
    return atomic_load_explicit(&conn->simple, memory_order_relaxed);
}

int64_t
conn_pace(const struct conn *conn)
{
    return atomic_load_explicit(&conn->pace_ns, memory_order_relaxed);
}

void
conn_set_live(struct conn *conn, bool live)
{
    pthread_rwlock_wrlock(&conn->lock);
    atomic_store(&conn->live, live && conn->h != NULL);
    pthread_rwlock_unlock(&conn->lock);
}

void
conn_renew(struct conn *conn)
{
    atomic_store(&conn->renew, true);
    conn_wake(conn);
}

void
conn_retire(struct conn *conn)
{
    atomic_store(&conn->retire, true);
    conn_wake(conn);
}

unsigned
conn_in_flight(const struct conn *conn)
{
    return atomic_load_explicit(&conn->in_flight, memory_order_relaxed);
}

unsigned
conn_losses(const struct conn *conn)
{
    return atomic_load(&conn->losses);
}

/* ---- its life */

void
conn_keep_alive(struct nbd_handle *h)
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

/* Signals are for the main thread. */
static int
start_thread(struct conn *conn)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&conn->thread, NULL, conn_io, conn);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

static struct conn *
conn_new(const struct source *source, const struct conn_events *events, void *owner,
         unsigned index, const struct conn_info *info, struct nbd_handle *h)
{
    struct conn *conn = calloc(1, sizeof *conn);

    if (conn == NULL)
        return NULL;
    conn->source = source;
    conn->events = events;
    conn->owner = owner;
    conn->index = index;
    conn->info = *info;
    conn->h = h;
    conn->made = 1;
    conn->up_ms = conn_clock_ms();
    atomic_init(&conn->changed_ms, conn->up_ms);
    atomic_init(&conn->live, h != NULL);
    atomic_init(&conn->pace_ns, CONN_PACE_MAX);
    pthread_rwlock_init(&conn->lock, NULL);
    conn->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (conn->wake == -1 || start_thread(conn) != 0) {
        if (conn->wake != -1)
            close(conn->wake);
        pthread_rwlock_destroy(&conn->lock);
        free(conn);
        return NULL;
    }
    return conn;
}

static bool
keep_trying(void *user_data)
{
    const struct source *source = user_data;

    return source->keep_trying == NULL || source->keep_trying();
}

struct conn *
conn_open(const struct source *source, const struct conn_events *events, void *owner,
          unsigned index, int64_t deadline_ms, struct conn_info *info, char **why)
{
    struct handshake_wait wait = {
        .deadline_ms = deadline_ms,
        .keep_trying = keep_trying,
        .user_data = (void *)(uintptr_t)source,
    };
    struct nbd_handle *h = handshake(source, false, &wait, info, why);

    if (h == NULL)
        return NULL;
    conn_keep_alive(h);
    struct conn *conn = conn_new(source, events, owner, index, info, h);
    if (conn == NULL) {
        nbd_close(h);
        *why = strdup("the I/O thread cannot be started");
    }
    return conn;
}

struct conn *
conn_start(const struct source *source, const struct conn_events *events, void *owner,
           unsigned index, const struct conn_info *info)
{
    return conn_new(source, events, owner, index, info, NULL);
}

void
conn_stop(struct conn *conn, int64_t deadline_ms)
{
    atomic_store(&conn->deadline_ms, deadline_ms);
    atomic_store(&conn->stopping, true);
    conn_wake(conn);
}

void
conn_join(struct conn *conn)
{
    pthread_join(conn->thread, NULL);
}

bool
conn_answer(struct conn *conn)
{
    bool any = atomic_load(&conn->finished) != NULL;

    conn_answer_finished(conn);
    return any;
}

void
conn_free(struct conn *conn)
{
    conn_wait_for_leader(conn);
    close(conn->wake);
    pthread_rwlock_destroy(&conn->lock);
    free(conn);
}
