/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ring.c - see ring.h */

#include "ring.h"
#include "config.h"

#ifdef HAVE_LIBURING

#include "conn-group.h"
#include "processors.h"
#include "ring-own.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define THREADS_MAX 4

/* Each receives for connections too, and for two processors one is quicker than two:
 * the server and who reads need the other. */
static unsigned
count_threads(void)
{
    return processors(2, 2 * THREADS_MAX) / 2;
}

bool
ring_is_built_in(void)
{
    return true;
}

/* The kernel has a queue for each processor that there may ever be, and waits for all
 * of them before it uses any. */
static unsigned
count_queues(void)
{
    unsigned first, last, n = 0;
    char next = ',';
    FILE *file = fopen("/sys/devices/system/cpu/possible", "re"); /* "0-3,8" */

    while (file != NULL && next == ',' && fscanf(file, "%u", &first) == 1) {
        last = first;
        next = '\0';
        if (fscanf(file, "%c", &next) == 1 && next == '-' &&
            (fscanf(file, "%u", &last) != 1 || fscanf(file, "%c", &next) != 1))
            next = '\0';
        n += last >= first ? last - first + 1 : 0;
    }
    if (file != NULL)
        fclose(file);
    long configured = sysconf(_SC_NPROCESSORS_CONF);
    return n > 0 ? n : configured > 0 ? (unsigned)configured : 1;
}

/* Signals are for the main thread. */
static bool
start_thread(struct ring_thread *thread)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    thread->runs = pthread_create(&thread->id, NULL, ring_thread_run, thread) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return thread->runs;
}

/* 0 or an errno. */
static int
start_threads(struct ring *ring)
{
    int error = 0;
    unsigned n = 0;

    for (; n < ring->n_threads && error == 0; n++) {
        struct ring_thread *thread = &ring->thread[n];
        struct conn_group_waiting waiting = ring_thread_waiting;
        waiting.user_data = thread;
        thread->group = conn_group_new(&waiting);
        if (thread->group == NULL || !start_thread(thread))
            error = ENOMEM;
        while (error == 0 && sem_wait(&ring->ready) == -1)
            ;
        if (error == 0)
            error = atomic_load(&ring->error);
    }
    return error;
}

/* NULL: no memory. */
static char *
explain(int error)
{
    char *text;

    if (error != EPERM)
        return strdup(strerror(error));
    if (asprintf(&text,
                 "%s; the sysctl kernel.io_uring_disabled, or the container or unit "
                 "that this runs in, may forbid it",
                 strerror(error)) == -1)
        return NULL;
    return text;
}

struct ring *
ring_new(const struct ring_use *use, unsigned depth, char **why)
{
    unsigned n_threads = count_threads();
    struct ring *ring = calloc(1, sizeof *ring + n_threads * sizeof ring->thread[0]);

    *why = NULL;
    if (ring == NULL)
        return NULL;
    ring->use = *use;
    ring->n_queues = count_queues();
    ring->n_threads = n_threads < ring->n_queues ? n_threads : ring->n_queues;
    sem_init(&ring->ready, 0, 0);
    sem_init(&ring->has_drained, 0, 0);
    for (unsigned i = 0; i < ring->n_threads; i++)
        ring->thread[i].ring = ring;
    int error = ring_make_entries(ring, depth) ? start_threads(ring) : ENOMEM;
    if (error == 0) {
        atomic_store(&ring_current, ring);
        return ring;
    }
    *why = explain(error);
    ring_free(ring);
    return NULL;
}

static void
wake_all(struct ring *ring)
{
    for (unsigned i = 0; i < ring->n_threads; i++)
        if (ring->thread[i].runs)
            ring_thread_wake(&ring->thread[i]);
}

void
ring_go(struct ring *ring, int fd)
{
    ring->fd = fd;
    atomic_store(&ring->going, true);
    wake_all(ring);
}

void
ring_drain(struct ring *ring)
{
    if (ring == NULL)
        return;
    atomic_store(&ring->draining, true);
    wake_all(ring);
    for (unsigned i = 0; i < ring->n_threads; i++)
        while (ring->thread[i].runs && sem_wait(&ring->has_drained) == -1)
            ;
}

void
ring_end(struct ring *ring)
{
    atomic_store(&ring->ended, true); /* nobody wants to know any more */
    atomic_store(&ring->stopping, true);
    wake_all(ring);
    for (unsigned i = 0; i < ring->n_threads; i++)
        if (ring->thread[i].runs) {
            pthread_join(ring->thread[i].id, NULL);
            ring->thread[i].runs = false;
        }
}

void
ring_free(struct ring *ring)
{
    if (ring == NULL)
        return;
    ring_end(ring);
    atomic_store(&ring_current, NULL);
    for (unsigned i = 0; i < ring->n_threads; i++)
        conn_group_free(ring->thread[i].group);
    ring_free_entries(ring);
    sem_destroy(&ring->ready);
    sem_destroy(&ring->has_drained);
    free(ring);
}

#else

bool
ring_is_built_in(void)
{
    return false;
}

struct ring *
ring_new(const struct ring_use *use, unsigned depth, char **why)
{
    (void)use;
    (void)depth;
    *why = NULL;
    return NULL;
}

size_t
ring_payload_max(const struct ring *ring)
{
    (void)ring;
    return 0;
}

void
ring_go(struct ring *ring, int fd)
{
    (void)ring;
    (void)fd;
}

void
ring_drain(struct ring *ring)
{
    (void)ring;
}

void
ring_end(struct ring *ring)
{
    (void)ring;
}

void
ring_free(struct ring *ring)
{
    (void)ring;
}

bool
ring_answer(const struct iovec *iov, int count, ssize_t *n)
{
    (void)iov;
    (void)count;
    (void)n;
    return false;
}

uint64_t
ring_name_of(uint64_t unique)
{
    return unique;
}

#endif
