/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session-loop.c - see session-loop.h
 *
 * A few threads, from the beginning to the end; none sleeps on the network for long.
 * While requests come one at a time, each after the answer to the one before, one
 * thread does all: the processor has what it needs at hand.  The others are parked
 * meanwhile. It looks for the next request also while it waits for an answer, and for a
 * moment before it sleeps (spin.h).
 */

#define FUSE_USE_VERSION 314

#include "session-loop.h"
#include "batch.h"
#include "conn.h"
#include "device.h"
#include "log.h"
#include "processors.h"
#include "received.h"
#include "spin.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define THREADS     4 /* if there are so many processors, but no fewer than two */
#define CALM_ENOUGH 8 /* requests in a row that came one at a time */

struct loop {
    struct fuse_session *session;
    int end;            /* eventfd: nobody is to sleep any more */
    sem_t ended;        /* a thread did */
    sem_t unpark;       /* for each parked thread, once */
    atomic_int active;  /* threads that are not parked */
    atomic_int parked;  /* and that were not told to go on */
    atomic_bool ending; /* none parks any more */
    atomic_int serving; /* that do something */
    atomic_uint calm;   /* such requests in a row */
    atomic_int error;   /* a negative errno, the first one */
};

struct worker {
    struct loop *loop;
    int fd;    /* /dev/fuse */
    int watch; /* how it waits for that */
    struct fuse_buf buf;
};

/* One in a process; it stays, for whoever tells that it is to end. */
static struct loop the_loop;

void
session_loop_end(int error)
{
    int none = 0;

    if (error != 0)
        atomic_compare_exchange_strong(&the_loop.error, &none, -error);
    fuse_session_exit(the_loop.session);
    sem_post(&the_loop.ended);
}

/* This thread has served the last one from beginning to end, or nothing is left to do
 * of it; others would be late. */
static _Thread_local bool calm;

/* An epoll descriptor, by which only one of the threads that sleep is woken for a
 * request, but all for the end.  -1: there is none. */
static int
watch(const struct loop *loop)
{
    struct epoll_event request = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    struct epoll_event end = {.events = EPOLLIN};
    int watch = epoll_create1(EPOLL_CLOEXEC);

    if (watch == -1 || (epoll_ctl(watch, EPOLL_CTL_ADD, fuse_session_fd(loop->session),
                                  &request) == 0 &&
                        epoll_ctl(watch, EPOLL_CTL_ADD, loop->end, &end) == 0))
        return watch;
    close(watch);
    return -1;
}

/* Sleeps until there may be a request, or it is the end. */
static void
wait_for_request(const struct worker *worker)
{
    struct pollfd fds[] = {
        {.fd = worker->fd, .events = POLLIN},
        {.fd = worker->loop->end, .events = POLLIN},
    };
    struct epoll_event event;

    if (worker->watch != -1)
        epoll_wait(worker->watch, &event, 1, -1);
    else
        poll(fds, 2, -1);
}

/* The last request needed no server, or has its answer already; no other one is being
 * served, and none has come meanwhile. */
static bool
is_quiet(struct loop *loop)
{
    struct pollfd more = {.fd = fuse_session_fd(loop->session), .events = POLLIN};

    return atomic_load_explicit(&loop->serving, memory_order_relaxed) == 0 &&
           !conn_is_any_busy() && poll(&more, 1, 0) == 0;
}

/* False: nobody else would be there. */
static bool
may_park(struct loop *loop)
{
    int n = atomic_load(&loop->active);

    while (n > 1)
        if (atomic_compare_exchange_weak(&loop->active, &n, n - 1))
            return true;
    return false;
}

static bool
is_calm(struct loop *loop)
{
    return atomic_load_explicit(&loop->calm, memory_order_relaxed) >= CALM_ENOUGH;
}

static void
park(struct loop *loop)
{
    if (!may_park(loop))
        return;
    atomic_fetch_add(&loop->parked, 1);
    while (!atomic_load(&loop->ending) && sem_wait(&loop->unpark) == -1)
        ;
    atomic_fetch_add(&loop->active, 1);
}

static void
unpark_all(struct loop *loop)
{
    for (int n = atomic_exchange(&loop->parked, 0); n > 0; n--)
        sem_post(&loop->unpark);
}

/* Takes one request.  As read(2) does, or a negative errno. */
static int
receive(struct worker *worker)
{
    static _Thread_local struct spin requests;
    struct pollfd look = {.fd = worker->fd, .events = POLLIN};
    struct loop *loop = worker->loop;
    bool waits = calm && spin_poll(&requests, &look, 1) == 0;
    int r;

    received_prepare(&worker->buf);
    do {
        if (waits)
            wait_for_request(worker);
        r = fuse_session_receive_buf(loop->session, &worker->buf);
        if (r < 0)
            conn_gather_send(); /* there is nothing that it could be sent with */
        if (r == -EAGAIN && waits && is_calm(loop))
            park(loop); /* who takes all of them has taken this one */
        waits = true;
    } while (r == -EAGAIN && !fuse_session_exited(loop->session));
    if (calm)
        spin_learn(&requests);
    return r;
}

/* After each request.  A thread that parks just now is found by the next request. */
static void
note(struct loop *loop)
{
    if (calm && atomic_fetch_add_explicit(&loop->calm, 1, memory_order_relaxed) + 1 >=
                    CALM_ENOUGH) {
        park(loop);
    } else if (!calm) {
        if (atomic_load_explicit(&loop->calm, memory_order_relaxed) > 0)
            atomic_store_explicit(&loop->calm, 0, memory_order_relaxed);
        if (atomic_load(&loop->parked) > 0)
            unpark_all(loop);
    }
}

/* Small requests that come at once lead to small commands, which are sent together. */
static void
process(struct worker *worker)
{
    struct loop *loop = worker->loop;

    atomic_fetch_add_explicit(&loop->serving, 1, memory_order_relaxed);
    if (conn_are_many_busy() && device_is_small(&worker->buf, CONN_SMALL_READ))
        conn_gather_begin();
    else
        conn_gather_send();
    fuse_session_process_buf(loop->session, &worker->buf);
    conn_gather_end();
    batch_note(conn_are_many_busy());
    bool led = conn_lead(worker->fd);
    atomic_fetch_sub_explicit(&loop->serving, 1, memory_order_relaxed);
    calm = led || is_quiet(loop);
}

static void *
serve(void *user_data)
{
    struct loop *loop = user_data;
    int fd = fuse_session_fd(loop->session);
    struct worker worker = {.loop = loop, .fd = fd, .watch = watch(loop)};
    int r, none = 0;

    atomic_fetch_add(&loop->active, 1);
    conn_thread_may_lead();
    received_handle(&worker.buf);
    while (!fuse_session_exited(loop->session)) {
        r = receive(&worker);
        if (r == -EINTR || r == -EAGAIN)
            continue;
        if (r <= 0) {
            if (r < 0)
                atomic_compare_exchange_strong(&loop->error, &none, r);
            fuse_session_exit(loop->session);
            break;
        }
        process(&worker);
        note(loop);
    }
    conn_gather_send();
    received_give(worker.buf.mem);
    if (worker.watch != -1)
        close(worker.watch);
    sem_post(&loop->ended);
    return NULL;
}

/* So that a thread knows when it has taken all requests there are. */
static bool
set_nonblocking(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    return flags != -1 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0;
}

/* Signals are for the main thread. */
static unsigned
start_threads(struct loop *loop, pthread_t *thread)
{
    sigset_t all, old;
    unsigned n = 0;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (n < processors(2, THREADS) &&
           pthread_create(&thread[n], NULL, serve, loop) == 0)
        n++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return n;
}

/* From the first thread to the last. */
static void
run(struct loop *loop)
{
    pthread_t thread[THREADS];
    unsigned n = start_threads(loop, thread);

    if (n == 0) {
        log_error("no thread can be started");
        atomic_store(&loop->error, -EAGAIN);
    }
    while (n > 0 && !fuse_session_exited(loop->session))
        sem_wait(&loop->ended); /* a signal ends that */
    atomic_store(&loop->ending, true);
    unpark_all(loop); /* who parks just now sees that it is the end */
    eventfd_write(loop->end, 1);
    for (unsigned i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
}

int
session_loop(struct fuse_session *session)
{
    struct loop *loop = &the_loop;

    loop->session = session;
    loop->end = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loop->end == -1 || !set_nonblocking(fuse_session_fd(session))) {
        int error = errno;
        log_error("/dev/fuse: cannot be waited for: %s", strerror(error));
        if (loop->end != -1)
            close(loop->end);
        return -error;
    }
    sem_init(&loop->ended, 0, 0);
    sem_init(&loop->unpark, 0, 0);
    run(loop);
    close(loop->end);
    fuse_session_reset(session);
    return atomic_load(&loop->error);
}
