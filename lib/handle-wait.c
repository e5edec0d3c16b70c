/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle-wait.c - threads that wait: one leads and polls for all, the others follow
 *
 * It knows what to poll for, but not what the bytes mean.
 */

#include "handle.h"

#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base-cleanup.h"

/* ---- time ---- */

#define FOREVER INT64_MAX /* a deadline, in ns of CLOCK_MONOTONIC */

static int64_t
now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

/* What is left until the deadline, for poll. */
static int
left_ms(int64_t deadline)
{
    if (deadline == FOREVER)
        return -1;
    int64_t left = deadline - now_ns();
    return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

/* Without a descriptor to be woken by, look again from time to time. */
static int
bounded_ms(int timeout_ms, int wake_fd)
{
    const int often_ms = 100;

    if (wake_fd != -1 || (timeout_ms >= 0 && timeout_ms < often_ms))
        return timeout_ms;
    return often_ms;
}

/* ---- waiters ---- */

static void
waiter_add(struct nbd_handle *h, struct waiter *w, bool any)
{
    pthread_condattr_t monotonic;

    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&w->woken, &monotonic);
    pthread_condattr_destroy(&monotonic);
    w->event_fd = -1;
    w->awake = false;
    w->any = any;
    w->next = NULL;
    w->link = h->last_waiter;
    *h->last_waiter = w;
    h->last_waiter = &w->next;
}

static void
waiter_remove(struct nbd_handle *h, struct waiter *w)
{
    *w->link = w->next;
    if (w->next)
        w->next->link = w->link;
    else
        h->last_waiter = w->link;
    pthread_cond_destroy(&w->woken);
    /* The role may have been offered to this thread, which does not want it. */
    if (h->rx == RX_FREE && h->waiters)
        waiter_wake(h->waiters);
}

void
waiter_wake(struct waiter *w)
{
    if (w->awake)
        return;
    w->awake = true;
    if (w->event_fd != -1)
        eventfd_write(w->event_fd, 1);
    else
        pthread_cond_signal(&w->woken);
}

void
waiters_wake_all(struct nbd_handle *h)
{
    for (struct waiter *w = h->waiters; w; w = w->next)
        waiter_wake(w);
}

void
waiters_wake_any(struct nbd_handle *h)
{
    for (struct waiter *w = h->waiters; w; w = w->next)
        if (w->any || (w == h->waiters && h->rx == RX_FREE))
            waiter_wake(w);
}

void
run_kick(struct nbd_handle *h)
{
    if (h->wake_fd != -1)
        eventfd_write(h->wake_fd, 1);
}

/* Sleeps until the waiter is woken (1), user_fd can be read (2), or the deadline (0).
 */
static int
follow(struct nbd_handle *h, struct waiter *w, int user_fd, int64_t deadline)
{
    int result = 1;

    w->awake = false;
    if (user_fd == -1) {
        struct timespec until = {.tv_sec = deadline / 1000000000,
                                 .tv_nsec = deadline % 1000000000};
        int r = 0;

        while (!w->awake && r != ETIMEDOUT) {
            handle_publish(h);
            r = deadline == FOREVER
                    ? pthread_cond_wait(&w->woken, &h->lock)
                    : pthread_cond_timedwait(&w->woken, &h->lock, &until);
        }
        return w->awake ? 1 : 0;
    }

    /* A condition and a descriptor cannot be waited for together. */
    int event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct pollfd fds[2] = {{.fd = user_fd, .events = POLLIN},
                            {.fd = event_fd, .events = POLLIN}};
    w->event_fd = event_fd;
    handle_unlock(h);
    int r = poll(fds, 2, bounded_ms(left_ms(deadline), event_fd));
    handle_lock(h);
    w->event_fd = -1;
    close_quietly(event_fd);
    if (r <= 0)
        result = w->awake || r < 0 ? 1 : 0;
    else if (fds[0].revents)
        result = 2;
    return result;
}

/* ---- leading ---- */

struct wish {
    wait_condition *condition;
    const void *arg;
    bool orderly; /* see command_has_ended */
};

/* Polls once and drives what is to be driven: 1 something was there, 2 user_fd can be
 * read, 0 nothing, or a kick: look again. -1 with e set: poll failed. */
static int
lead(struct nbd_handle *h, struct wish wish, int user_fd, int timeout_ms,
     struct error *e)
{
    unsigned direction = handle_direction(h);
    struct pollfd fds[3] = {{.fd = h->fd}, {.events = POLLIN}, {.events = POLLIN}};

    if (direction & STREAM_READ)
        fds[0].events |= POLLIN;
    if (direction & STREAM_WRITE)
        fds[0].events |= POLLOUT;
    if (h->wake_fd == -1)
        h->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    fds[1].fd = h->wake_fd; /* ignored by poll where it could not be made */
    fds[2].fd = user_fd;

    h->rx = RX_POLLING;
    handle_unlock(h);
    int r = poll(fds, user_fd == -1 ? 2 : 3, bounded_ms(timeout_ms, h->wake_fd));
    int poll_errno = errno;
    handle_lock(h);

    run_take_rx(h);
    if (r > 0 && fds[1].revents) {
        eventfd_t count;

        eventfd_read(h->wake_fd, &count);
    }
    if (r > 0 && fds[0].revents) {
        h->progress++;
        if (fds[0].revents & ~POLLIN)
            h->tx_blocked = false;
        if (h->write_wants & STREAM_READ && fds[0].revents & POLLIN)
            h->tx_blocked = false;
        if (fds[0].revents & POLLNVAL)
            proto_fail(h->proto, EBADF, "the connection's descriptor was closed");
        run_drive(h, true, wish.condition, wish.arg);
    } else if (proto_has_event(h->proto)) {
        run_drive(h, false, NULL, NULL);
    }
    if (wish.orderly && h->tx_busy) {
        run_wait_for_writer(h);
        run_drive(h, false, NULL, NULL);
    }
    run_release_rx(h);
    if (r == -1)
        return error_set_errno(e, poll_errno, "poll");
    if (r > 0 && user_fd != -1 && fds[2].revents)
        return 2;
    return r > 0 && fds[0].revents ? 1 : 0;
}

/* ---- the public waits ---- */

int
run_may_wait(const struct nbd_handle *h, struct error *e)
{
    if (h->rx == RX_DRIVING && pthread_equal(h->rx_thread, pthread_self()))
        return error_set(e, EDEADLK,
                         "a callback of the handle must not wait for the handle");
    return 0;
}

/* After driving: did the connection fail? */
static int
outcome(const struct nbd_handle *h, struct error *e)
{
    if (proto_phase(h->proto) != PROTO_DEAD)
        return 0;
    *e = *proto_error(h->proto);
    return -1;
}

int
run_wait(struct nbd_handle *h, wait_condition *condition, const void *arg,
         struct waiter **slot, struct error *e)
{
    struct waiter w;
    int result = 0;

    if (condition(h, arg))
        return 0;
    if (run_may_wait(h, e) == -1)
        return -1;
    run_output_held(h);
    waiter_add(h, &w, false);
    if (slot)
        *slot = &w;
    while (result == 0 && !condition(h, arg)) {
        if (h->rx != RX_FREE)
            follow(h, &w, -1, FOREVER);
        else if (proto_has_event(h->proto))
            run_output(h);
        else if (handle_direction(h) == 0)
            result = error_set(e, ENOTCONN, "the connection has ended");
        else if (lead(h, (struct wish){condition, arg, .orderly = false}, -1, -1, e) ==
                     -1 &&
                 e->number != EINTR)
            result = -1;
    }
    waiter_remove(h, &w);
    return result;
}

/* Programs may issue commands from one thread, and take note of each when nbd_aio_* has
 * returned, while another one polls, and calls what looks at these notes.  libnbd keeps
 * its lock over either, and they rely on that: so in an orderly round no command ends
 * that was issued after another one had ended in it; and who still sends what is
 * already answered is waited for, for otherwise it would find the answer, and end the
 * command, before nbd_aio_* has returned.
 */
static bool
command_has_ended(const struct nbd_handle *h, const void *arg)
{
    return h->ended != *(const uint64_t *)arg;
}

int
run_poll(struct nbd_handle *h, int user_fd, int timeout_ms, struct error *e)
{
    int64_t deadline =
        timeout_ms < 0 ? FOREVER : now_ns() + (int64_t)timeout_ms * 1000000;
    uint64_t before = h->progress, ended = h->ended;
    struct wish one_round = {command_has_ended, &ended, .orderly = true};
    struct waiter w;
    int result = 0;

    if (handle_direction(h) == 0)
        return error_set(e, EINVAL, "nothing to poll for while the handle is %s",
                         handle_state_name(handle_state(h)));
    if (run_may_wait(h, e) == -1)
        return -1;
    run_output_held(h);
    waiter_add(h, &w, true);
    do {
        if (h->rx != RX_FREE)
            result = follow(h, &w, user_fd, deadline);
        else
            result = lead(h, one_round, user_fd, left_ms(deadline), e);
    } while (result != -1 && result != 2 && h->progress == before &&
             handle_direction(h) != 0 && left_ms(deadline) != 0);
    waiter_remove(h, &w);
    if (result == -1 || outcome(h, e) == -1)
        return -1;
    return result == 2 || h->progress != before || handle_direction(h) == 0;
}

static bool
nobody_drives(const struct nbd_handle *h, const void *arg)
{
    (void)arg;
    return h->rx != RX_DRIVING;
}

/* Drives because the caller has seen the socket ready. */
static int
run_ready(struct nbd_handle *h, bool readable, struct error *e)
{
    struct waiter w;

    if (handle_direction(h) == 0)
        return error_set(e, EINVAL, "nothing is expected while the handle is %s",
                         handle_state_name(handle_state(h)));
    if (!readable && !(handle_direction(h) & STREAM_WRITE))
        return error_set(e, EINVAL, "nothing waits for the connection to be writable");
    if (run_may_wait(h, e) == -1)
        return -1;
    if (h->tx_blocked && (!readable || h->write_wants & STREAM_READ))
        h->tx_blocked = false;
    if (!nobody_drives(h, NULL)) {
        waiter_add(h, &w, true);
        while (!nobody_drives(h, NULL))
            follow(h, &w, -1, FOREVER);
        waiter_remove(h, &w);
    }
    /* Who polls has seen it too. */
    if (h->rx == RX_FREE) {
        bool may_read = readable || h->connector || h->read_wants & STREAM_WRITE;

        run_take_rx(h);
        run_drive(h, may_read, NULL, NULL);
        run_release_rx(h);
    } else {
        run_output_held(h);
        run_output(h);
    }
    return outcome(h, e);
}

int
run_readable(struct nbd_handle *h, struct error *e)
{
    return run_ready(h, true, e);
}

int
run_writable(struct nbd_handle *h, struct error *e)
{
    return run_ready(h, false, e);
}

static bool
nobody_writes(const struct nbd_handle *h, const void *arg)
{
    (void)arg;
    return !h->tx_busy;
}

void
run_wait_for_writer(struct nbd_handle *h)
{
    struct waiter w;

    if (nobody_writes(h, NULL))
        return;
    waiter_add(h, &w, true);
    while (!nobody_writes(h, NULL))
        follow(h, &w, -1, FOREVER);
    waiter_remove(h, &w);
}

/* Who was told by a completion callback that a command has ended finds it ended, even
 * if the callback has not returned yet: programs for libnbd, which keeps its lock over
 * callbacks, rely on that. */
bool
run_wait_for_completion(struct nbd_handle *h, uint64_t cookie)
{
    uint64_t running = h->completing;
    struct error ignored;
    struct waiter w;

    if (!running || (cookie && cookie != running) || run_may_wait(h, &ignored) == -1)
        return false;
    h->completion_waiters++;
    waiter_add(h, &w, true);
    while (h->completing == running)
        follow(h, &w, -1, FOREVER);
    waiter_remove(h, &w);
    h->completion_waiters--;
    return true;
}
