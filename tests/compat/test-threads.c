/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-threads.c - several threads on one handle, waiting and not, all at once */

#include <pthread.h>

#include "compat.h"

#define NR_THREADS 8
#define NR_READS   300
#define BLOCK      8192

static struct nbd_handle *handle;
static _Atomic int wrong, refused;
static _Atomic bool stop;

/* nbdkit's pattern: each 8 bytes are their own offset, big-endian. */
static bool
is_pattern(const unsigned char *buf, size_t len, uint64_t offset)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t value = 0;

        for (int j = 0; j < 8; j++)
            value = value << 8 | buf[i + j];
        if (value != offset + i)
            return false;
    }
    return true;
}

static uint64_t
next_offset(unsigned *seed)
{
    return (uint64_t)(rand_r(seed) % (64 * 1024 * 1024 / BLOCK)) * BLOCK;
}

static void *
read_and_wait(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    unsigned char buf[BLOCK];

    for (int i = 0; i < NR_READS; i++) {
        uint64_t offset = next_offset(&seed);

        if (nbd_pread(handle, buf, sizeof buf, offset, 0) == -1)
            refused++;
        else if (!is_pattern(buf, sizeof buf, offset))
            wrong++;
    }
    return NULL;
}

struct slot {
    unsigned char buf[BLOCK];
    uint64_t offset;
    _Atomic bool busy;
};

static int
on_read(void *user, int *error)
{
    struct slot *slot = user;

    if (*error)
        refused++;
    else if (!is_pattern(slot->buf, BLOCK, slot->offset))
        wrong++;
    slot->busy = false;
    return 1;
}

/* ---- a callback that tells another thread ---- */

static pthread_mutex_t news_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t news = PTHREAD_COND_INITIALIZER;
static _Atomic bool told;
static bool looked;

/* Tells, and lingers: until the other thread has looked, or for a moment if it waits.
 */
static int
tell(void *user, int *error)
{
    struct timespec until;

    (void)user, (void)error;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 300000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&news_lock);
    told = true;
    pthread_cond_broadcast(&news);
    while (!looked && pthread_cond_timedwait(&news, &news_lock, &until) == 0)
        ;
    pthread_mutex_unlock(&news_lock);
    return 0;
}

static void *
poll_once(void *arg)
{
    POLL_UNTIL(handle, ((void)arg, told));
    return NULL;
}

/* Each function that looks at commands, called as soon as a callback has told. */
static void
completions(void)
{
    static const char *const names[] = {"nbd_aio_command_completed",
                                        "nbd_aio_peek_command_completed",
                                        "nbd_aio_in_flight"};

    handle = connected(PATTERN);
    for (int i = 0; i < 3; i++) {
        unsigned char buf[BLOCK];
        pthread_t thread;
        int64_t seen = 0;

        told = looked = false;
        int64_t cookie = nbd_aio_pread(handle, buf, sizeof buf, 0,
                                       (nbd_completion_callback){tell, NULL, NULL}, 0);
        pthread_create(&thread, NULL, poll_once, NULL);
        pthread_mutex_lock(&news_lock);
        while (!told)
            pthread_cond_wait(&news, &news_lock);
        pthread_mutex_unlock(&news_lock);
        if (i == 0)
            seen = nbd_aio_command_completed(handle, (uint64_t)cookie);
        else if (i == 1)
            seen = nbd_aio_peek_command_completed(handle) == cookie;
        else
            seen = nbd_aio_in_flight(handle) == 0;
        pthread_mutex_lock(&news_lock);
        looked = true;
        pthread_cond_broadcast(&news);
        pthread_mutex_unlock(&news_lock);
        is_int(seen, 1, "%s knows what a callback has told another thread", names[i]);
        pthread_join(thread, NULL);
        nbd_aio_command_completed(handle, (uint64_t)cookie);
    }
    nbd_close(handle);
}

/* Submits; leaves the answers to whoever reads, or polls itself. */
static void *
submit(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    static struct slot slots[NR_THREADS][16];
    struct slot *mine = slots[seed % NR_THREADS];

    for (int i = 0; i < NR_READS; i++) {
        struct slot *slot = &mine[i % 16];

        while (slot->busy)
            if (nbd_poll(handle, 10) == -1)
                refused++;
        slot->busy = true;
        slot->offset = next_offset(&seed);
        if (nbd_aio_pread(handle, slot->buf, BLOCK, slot->offset,
                          (nbd_completion_callback){on_read, slot, NULL}, 0) == -1) {
            slot->busy = false;
            refused++;
        }
    }
    for (int i = 0; i < 16; i++)
        while (mine[i].busy)
            if (nbd_poll(handle, 10) == -1)
                refused++;
    return NULL;
}

/* A main loop of its own, while others wait in the library. */
static void *
main_loop(void *arg)
{
    (void)arg;
    while (!stop) {
        unsigned direction = nbd_aio_get_direction(handle);
        struct pollfd fd = {.fd = nbd_aio_get_fd(handle)};

        if (direction & LIBNBD_AIO_DIRECTION_READ)
            fd.events |= POLLIN;
        if (direction & LIBNBD_AIO_DIRECTION_WRITE)
            fd.events |= POLLOUT;
        if (poll(&fd, 1, 10) <= 0)
            continue;
        if (fd.revents & (POLLIN | POLLHUP)) {
            if (nbd_aio_notify_read(handle) == -1)
                refused++;
        } else if (nbd_aio_notify_write(handle) == -1) {
            refused++;
        }
    }
    return NULL;
}

static void *
look_at_it(void *arg)
{
    (void)arg;
    while (!stop) {
        char *name = nbd_get_export_name(handle);

        if (nbd_aio_is_dead(handle) || nbd_aio_in_flight(handle) < 0 || !name)
            wrong++;
        free(name);
    }
    return NULL;
}

static void
run(const char *what, int nr_waiting, int nr_submitting, bool loop)
{
    pthread_t threads[NR_THREADS], looker, looping;
    int n = nr_waiting + nr_submitting;

    wrong = refused = 0;
    stop = false;
    pthread_create(&looker, NULL, look_at_it, NULL);
    if (loop)
        pthread_create(&looping, NULL, main_loop, NULL);
    for (int i = 0; i < n; i++)
        pthread_create(&threads[i], NULL, i < nr_waiting ? read_and_wait : submit,
                       (void *)(uintptr_t)(i + 1));
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    stop = true;
    pthread_join(looker, NULL);
    if (loop)
        pthread_join(looping, NULL);
    is_int(wrong, 0, "%s: every byte is right", what);
    is_int(refused, 0, "%s: nothing fails", what);
    is_int(nbd_aio_in_flight(handle), 0, "%s: nothing is left in flight", what);
}

static void
run_all(const char *over)
{
    diag("over %s", over);
    run("one thread that waits", 1, 0, false);
    run("threads that wait", NR_THREADS, 0, false);
    run("threads that submit and poll", 0, NR_THREADS, false);
    run("threads that wait and a main loop", 4, 0, true);
    run("threads of all kinds", 4, 4, true);
    is_int(nbd_shutdown(handle, 0), 0, "the handle shuts down");
    nbd_close(handle);
}

/* TLS keeps bytes of its own between the socket and the handle. */
static void
connect_with_tls(void)
{
    char keys[] = "/tmp/test-threads.XXXXXX", argument[64];
    int fd = mkstemp(keys);

    must(fd, "a file");
    dprintf(fd, "alice:0123456789abcdef0123456789abcdef\n");
    close(fd);
    snprintf(argument, sizeof argument, "--tls-psk=%s", keys);
    handle = new_handle();
    must(nbd_set_tls(handle, LIBNBD_TLS_REQUIRE), "TLS");
    must(nbd_set_tls_psk_file(handle, keys), "the keys");
    must(nbd_set_tls_username(handle, "alice"), "the user");
    must(nbd_connect_command(handle, ARGV("nbdkit", "-s", "--exit-with-parent",
                                          "--tls=require", argument, "pattern", "64M")),
         "connecting with TLS");
    unlink(keys);
}

int
main(void)
{
    completions();
    handle = connected(PATTERN);
    run_all("a plain socket");
    handle = new_handle();
    bool tls = nbd_supports_tls(handle);
    nbd_close(handle);
    if (tls) {
        connect_with_tls();
        run_all("TLS");
    } else {
        skip("built without TLS", "threads over TLS");
    }
    done_testing();
}
