/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ring-thread.c - a thread with an io_uring of its own: see ring-own.h
 *
 * It is the only one that touches its io_uring, so the kernel can leave all work to the
 * moment in which it waits.  Answers that others give wait in a list for it.  All that
 * has come up since it waited last goes to the kernel with the system call that it
 * waits with.
 *
 * It receives for connections too (conn-group.h): what a request needs is then done
 * without a switch of threads.
 */

#include "config.h"

#ifdef HAVE_LIBURING

#include "conn-group.h"
#include "log.h"
#include "ring-own.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>

/* In the user data of SQEs and CQEs: it is a token of the group.  Else an entry's
 * address. */
#define TOKEN_BIT  UINT64_C(1)
#define SPARE_SQES 32

static _Thread_local struct ring_thread *own;

/* ---- answers */

void
ring_thread_wake(struct ring_thread *thread)
{
    conn_group_wake(thread->group);
}

void
ring_thread_answered(struct entry *entry)
{
    struct ring_thread *thread = entry->thread;

    if (thread == own) {
        entry->next = thread->local;
        thread->local = entry;
        return;
    }
    entry->next = atomic_load(&thread->foreign);
    while (!atomic_compare_exchange_weak(&thread->foreign, &entry->next, entry))
        ;
    if (atomic_exchange(&thread->sleeps, false))
        ring_thread_wake(thread);
}

/* ---- to the kernel */

static struct io_uring_sqe *
next_sqe(struct ring_thread *thread)
{
    struct io_uring_sqe *sqe;

    while ((sqe = io_uring_get_sqe(&thread->uring)) == NULL)
        io_uring_submit(&thread->uring); /* there is room for all; but who knows */
    return sqe;
}

static void
put_command(struct entry *entry, enum ring_command command)
{
    struct io_uring_sqe *sqe = next_sqe(entry->thread);
    struct ring_command_data data = {.queue = entry->queue};

    io_uring_prep_rw(IORING_OP_URING_CMD, sqe, 0, NULL, 0, 0); /* file 0: /dev/fuse */
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->cmd_op = command;
    io_uring_sqe_set_data64(sqe, (uintptr_t)entry);
    if (command == RING_REGISTER) {
        sqe->addr = (uintptr_t)entry->iov;
        sqe->len = 2;
    } else {
        data.commit_id = entry->header->commit_id;
    }
    memcpy((char *)sqe + offsetof(struct io_uring_sqe, cmd), &data, sizeof data);
}

static void
put_answers(struct entry *entry)
{
    while (entry != NULL) {
        struct entry *next = entry->next;
        put_command(entry, RING_COMMIT_AND_FETCH);
        entry = next;
    }
}

static void
put_all_answers(struct ring_thread *thread)
{
    struct entry *local = thread->local;

    thread->local = NULL;
    put_answers(local);
    put_answers(atomic_exchange(&thread->foreign, NULL));
}

/* ---- how the group waits */

static void
watch(void *user_data, int fd, short events, uint64_t token)
{
    struct io_uring_sqe *sqe = next_sqe(user_data);

    io_uring_prep_poll_add(sqe, fd, (unsigned)events);
    io_uring_sqe_set_data64(sqe, token << 1 | TOKEN_BIT);
}

static void
forget(void *user_data, uint64_t token)
{
    struct ring_thread *thread = user_data;
    struct io_uring_sync_cancel_reg cancel = {
        .addr = token << 1 | TOKEN_BIT,
        .fd = -1,
        .timeout = {.tv_sec = -1, .tv_nsec = -1},
    };

    io_uring_submit(&thread->uring); /* it may be among what was not handed over */
    io_uring_register_sync_cancel(&thread->uring, &cancel);
    io_uring_get_events(&thread->uring); /* this lets go of the file */
}

const struct conn_group_waiting ring_thread_waiting = {.watch = watch,
                                                       .forget = forget};

/* ---- waiting */

/* Hands over what there is, and looks for a moment whether there is more.  True: there
 * is, or *result is a negative errno. */
static bool
look_for_more(struct ring_thread *thread, int *result)
{
    struct io_uring *uring = &thread->uring;
    int r = 0;

    if (!spin_begin(&thread->spin))
        return false;
    r = io_uring_submit_and_get_events(uring);
    while (r >= 0 && io_uring_cq_ready(uring) == 0 && spin_goes_on(&thread->spin))
        r = io_uring_get_events(uring);
    *result = r;
    return r < 0 || io_uring_cq_ready(uring) > 0;
}

/* Hands over what there is and waits for more.  False: it does not work. */
static bool
wait_for_more(struct ring_thread *thread)
{
    atomic_store(&thread->sleeps, true);
    put_all_answers(thread);
    int r = 0;
    bool calm = thread->news == 1 && conn_group_in_flight(thread->group) <= 1;
    bool looked = calm && look_for_more(thread, &r);
    if (!looked)
        r = io_uring_submit_and_wait(&thread->uring, 1);
    if (calm)
        spin_learn(&thread->spin);
    atomic_store_explicit(&thread->sleeps, false, memory_order_relaxed);
    if (r >= 0 || r == -EINTR || r == -EAGAIN || r == -EBUSY)
        return true;
    log_error("io_uring: %s", strerror(-r));
    return false;
}

/* ---- from the kernel */

static void
tell_end(struct ring *ring, int error)
{
    if (!atomic_exchange(&ring->ended, true))
        ring->use.ended(ring->use.user_data, error);
}

/* An entry comes back without a request. */
static void
note_error(struct ring *ring, int error)
{
    switch (error) {
    case ENOTCONN: /* unmounted */
    case ECONNABORTED:
    case ENODEV:
    case ECANCELED:
        tell_end(ring, 0);
        break;
    default:
        if (!atomic_load(&ring->ended))
            log_error("io_uring: the kernel takes no requests through it: %s",
                      strerror(error));
        tell_end(ring, error);
        break;
    }
}

static void
look_at_cqes(struct ring_thread *thread)
{
    struct ring *ring = thread->ring;
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;

    io_uring_for_each_cqe(&thread->uring, head, cqe)
    {
        n++;
        if (cqe->user_data & TOKEN_BIT)
            conn_group_ready(thread->group, cqe->user_data >> 1);
        else if (cqe->res < 0)
            note_error(ring, -cqe->res);
        else if (!thread->has_drained)
            ring_take_request((struct entry *)(uintptr_t)cqe->user_data);
    }
    io_uring_cq_advance(&thread->uring, n);
    thread->news = n;
}

/* ---- its life */

/* 0 or an errno. */
static int
set_up(struct ring_thread *thread)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SQE128 | IORING_SETUP_SINGLE_ISSUER |
                 IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE,
        .cq_entries = 2 * (thread->n_entries + SPARE_SQES),
    };

    return -io_uring_queue_init_params(thread->n_entries + SPARE_SQES, &thread->uring,
                                       &params);
}

/* The kernel begins to use rings when each queue has an entry. */
static void
register_entries(struct ring_thread *thread)
{
    struct ring *ring = thread->ring;
    int r = io_uring_register_files(&thread->uring, &ring->fd, 1);

    if (r < 0) {
        log_error("io_uring: %s", strerror(-r));
        tell_end(ring, -r);
        return;
    }
    for (unsigned i = 0; i < ring->n_entries; i++)
        if (ring->entries[i].thread == thread)
            put_command(&ring->entries[i], RING_REGISTER);
    conn_group_open(thread->group);
}

/* What has come since is left alone, and nothing else is under way. */
static void
note_drained(struct ring_thread *thread)
{
    if (!atomic_load(&thread->ring->draining) || thread->has_drained)
        return;
    thread->has_drained = true;
    sem_post(&thread->ring->has_drained);
}

/* Until the end: answers come to nothing, and connections do without us. */
static void
wait_for_end(struct ring_thread *thread)
{
    struct pollfd fd = {.fd = conn_group_close(thread->group), .events = POLLIN};

    tell_end(thread->ring, EIO);
    while (!atomic_load(&thread->ring->stopping)) {
        note_drained(thread);
        poll(&fd, 1, -1);
        conn_group_close(thread->group);
    }
}

static void
serve(struct ring_thread *thread)
{
    struct ring *ring = thread->ring;
    bool registered = false;

    conn_group_turn(thread->group);
    while (!atomic_load(&ring->stopping)) {
        note_drained(thread);
        if (!registered && atomic_load(&ring->going)) {
            register_entries(thread);
            registered = true;
        }
        if (!wait_for_more(thread)) {
            wait_for_end(thread);
            break;
        }
        conn_group_hold(thread->group);
        look_at_cqes(thread);
        conn_group_turn(thread->group);
    }
}

void *
ring_thread_run(void *user_data)
{
    struct ring_thread *thread = user_data;
    struct ring *ring = thread->ring;
    int none = 0, error = set_up(thread);

    own = thread;
    if (error != 0)
        atomic_compare_exchange_strong(&ring->error, &none, error);
    sem_post(&ring->ready);
    if (error != 0)
        return NULL;
    serve(thread);
    io_uring_queue_exit(&thread->uring);
    return NULL;
}

#endif
