/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* threads.c - 64 reads in flight on one handle, issued by 8 threads
 *
 *     threads URI
 *
 * The export must be one of "nbdkit pattern", where each 8 bytes hold their own offset,
 * so that the threads can check what they read.  The worker threads issue commands and
 * sleep until their own are complete; the main thread receives for all of them.  (Where
 * a sleeping nbd_poll2 keeps others out of the handle, as in libnbd, this stands
 * still.)
 */

#include <err.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <libnbd.h>

enum {
    THREADS = 8,
    READS = 8, /* in flight for each thread */
    ROUNDS = 10,
    LENGTH = 4096,
};

struct shared {
    struct nbd_handle *h;
    int wake;                  /* eventfd: the main thread should look again */
    pthread_barrier_t barrier; /* all commands of a round are issued */

    pthread_mutex_t lock; /* of what follows */
    int running;          /* workers */
    int most_in_flight;
};

struct worker {
    struct shared *shared;
    pthread_t thread;
    uint64_t start; /* of its part of the export, in bytes */
    unsigned char data[READS][LENGTH];

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    int unanswered, error;
};

static void
check(int64_t r)
{
    if (r == -1)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
}

/* Runs in whichever thread makes the progress: here the main thread, mostly. */
static int
on_read(void *user_data, int *error)
{
    struct worker *w = user_data;

    pthread_mutex_lock(&w->lock);
    if (*error != 0)
        w->error = *error;
    if (--w->unanswered == 0)
        pthread_cond_signal(&w->changed);
    pthread_mutex_unlock(&w->lock);
    return 1;
}

static void
issue(struct worker *w, uint64_t offset)
{
    nbd_completion_callback callback = {.callback = on_read, .user_data = w};

    pthread_mutex_lock(&w->lock);
    w->unanswered = READS;
    pthread_mutex_unlock(&w->lock);
    for (int i = 0; i < READS; i++)
        check(nbd_aio_pread(w->shared->h, w->data[i], LENGTH,
                            offset + (uint64_t)i * LENGTH, callback, 0));
}

static void
wait_for_answers(struct worker *w)
{
    pthread_mutex_lock(&w->lock);
    while (w->unanswered > 0)
        pthread_cond_wait(&w->changed, &w->lock);
    if (w->error != 0)
        errx(EXIT_FAILURE, "read: %s", strerror(w->error));
    pthread_mutex_unlock(&w->lock);
}

static void
compare(const struct worker *w, uint64_t offset)
{
    for (int i = 0; i < READS; i++)
        for (int j = 0; j < LENGTH; j++, offset++) {
            unsigned shift = 56 - 8 * (unsigned)(offset % 8);

            if (w->data[i][j] != (unsigned char)(offset / 8 * 8 >> shift))
                errx(EXIT_FAILURE, "wrong byte at %llu", (unsigned long long)offset);
        }
}

static void *
work(void *arg)
{
    struct worker *w = arg;
    struct shared *shared = w->shared;

    for (int round = 0; round < ROUNDS; round++) {
        uint64_t offset = w->start + (uint64_t)round * READS * LENGTH;

        issue(w, offset);
        if (pthread_barrier_wait(&shared->barrier) == PTHREAD_BARRIER_SERIAL_THREAD) {
            int n = nbd_aio_in_flight(shared->h);

            check(n);
            pthread_mutex_lock(&shared->lock);
            if (n > shared->most_in_flight)
                shared->most_in_flight = n;
            pthread_mutex_unlock(&shared->lock);
        }
        wait_for_answers(w);
        compare(w, offset);
    }

    pthread_mutex_lock(&shared->lock);
    shared->running--;
    pthread_mutex_unlock(&shared->lock);
    if (eventfd_write(shared->wake, 1) == -1)
        err(EXIT_FAILURE, "eventfd");
    return NULL;
}

static bool
is_running(struct shared *shared)
{
    bool running;

    pthread_mutex_lock(&shared->lock);
    running = shared->running > 0;
    pthread_mutex_unlock(&shared->lock);
    return running;
}

static void
start(struct worker *w, struct shared *shared, int i)
{
    w->shared = shared;
    w->start = (uint64_t)i * ROUNDS * READS * LENGTH;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    errno = pthread_create(&w->thread, NULL, work, w);
    if (errno != 0)
        err(EXIT_FAILURE, "pthread_create");
}

int
main(int argc, char *argv[])
{
    static struct worker workers[THREADS];
    struct shared shared = {.running = THREADS};

    if (argc != 2)
        errx(EXIT_FAILURE, "usage: %s URI", argv[0]);
    shared.h = nbd_create();
    shared.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (shared.h == NULL || shared.wake == -1)
        err(EXIT_FAILURE, "cannot begin");
    check(nbd_connect_uri(shared.h, argv[1]));
    pthread_mutex_init(&shared.lock, NULL);
    pthread_barrier_init(&shared.barrier, NULL, THREADS);

    for (int i = 0; i < THREADS; i++)
        start(&workers[i], &shared, i);
    while (is_running(&shared)) {
        eventfd_t count;

        check(nbd_poll2(shared.h, shared.wake, -1));
        (void)eventfd_read(shared.wake, &count);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(workers[i].thread, NULL);

    printf("%d reads, %d in flight at once\n", THREADS * READS * ROUNDS,
           shared.most_in_flight);
    nbd_close(shared.h);
    close(shared.wake);
    return EXIT_SUCCESS;
}
