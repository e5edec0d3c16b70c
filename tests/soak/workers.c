/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers.c - programs at work on a mounted export, checked byte by byte
 *
 *     workers FILE DURABLE SEED THREADS STOP [reopen | ERRNO...]
 *
 * Each thread owns a part of FILE and does to it at random what programs do: writes of
 * all sizes, aligned or not, reads, fsync, holes; some of it with O_DIRECT.
 * It knows what every byte must be.  After each fsync DURABLE, the file in which the
 * server keeps what it has flushed, must have all of it.  Ends when STOP exists and
 * each has done a few things; prints what was done, and before that when it begins, its
 * first error, and how it gets on when STOP exists.
 * Status 1: a byte was wrong, or an operation failed.  What fails with one of ERRNO
 * (EIO, ENOSPC, ESTALE) is done again until it succeeds; but of what was written since
 * an fsync has succeeded, each byte may be as it was then, if the next fsync fails.
 *
 * With "reopen" operations may fail, for the mount is killed and made again.  Each
 * thread then opens FILE again and compares all of its part: what was answered must be
 * there, and of what was not each byte is the one before or the one after.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "mounts.h"

#define THREADS_MAX 64
#define IO_MAX      (1200 * 1024) /* more than the kernel sends at once */
#define LEAST       12            /* operations, however soon STOP is there */
#define REOPEN_MS   60000         /* how long the next mount may take to come */

struct worker {
    pthread_t thread;
    uint64_t random;
    uint64_t from, len; /* its part */
    uint8_t *model;
    uint8_t *synced;  /* what it was at the last fsync that succeeded */
    uint8_t *changed; /* how often since then; 2: more than once */
    bool owed;        /* a byte was as it was before: fsync has to fail */
    uint8_t *buf;     /* aligned */
    int fd, direct, durable;
    uint64_t doubt_off, doubt_len; /* what was not answered */
    uint8_t *doubt;                /* and what it would have written */
    unsigned long reads, writes, zeros, syncs, reopens;
    uint64_t bytes;
};

static const char *file, *stop;
static bool may_reopen, may_fail;
static bool expected[200]; /* errnos */
static atomic_ulong errors, operations;
static atomic_bool wrong;
static _Atomic int64_t longest_ms;

static uint64_t
next_random(struct worker *w)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return w->random * UINT64_C(2685821657736338717) >> 16;
}

static int64_t
now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void
complain(const struct worker *w, const char *what, uint64_t off, uint64_t len)
{
    int error = errno;

    printf("WRONG: %s at %llu, %llu bytes (%s)\n", what,
           (unsigned long long)(w->from + off), (unsigned long long)len,
           strerror(error));
    atomic_store(&wrong, true);
}

/* It failed, or was cut short by a failure: whether to do it again. */
static bool
again(ssize_t result)
{
    if (result == -1 && (errno < 0 || errno >= 200 || !expected[errno]))
        return false;
    if (result != -1 && !expected[EIO] && !expected[ENOSPC] && !expected[ESTALE])
        return false;
    if (atomic_fetch_add(&errors, 1) == 0) {
        printf("the first error: %s\n",
               result == -1 ? strerror(errno) : "part of it was not done");
        fflush(stdout);
    }
    poll(NULL, 0, 1); /* not as fast as it can */
    return true;
}

/* A write may have been answered and not done. */
static bool
may_be(const struct worker *w, uint64_t at, uint8_t got)
{
    return may_fail &&
           (w->changed[at] > 1 || (w->changed[at] == 1 && got == w->synced[at]));
}

/* The bytes of [off, off + len) are now as in model. */
static void
has_changed(struct worker *w, uint64_t off, uint64_t len)
{
    for (uint64_t i = off; may_fail && i < off + len; i++)
        w->changed[i] += w->changed[i] < 2;
}

static void
compare(const struct worker *w, const uint8_t *got, uint64_t off, uint64_t len,
        const char *what)
{
    errno = 0;
    for (uint64_t i = 0; i < len; i++)
        if (got[i] != w->model[off + i]) {
            uint64_t n = 0;
            for (uint64_t j = i; j < len; j++)
                n += got[j] != w->model[off + j];
            printf("WRONG: %s: byte %llu is %02x, not %02x; %llu bytes differ\n", what,
                   (unsigned long long)(w->from + off + i), got[i], w->model[off + i],
                   (unsigned long long)n);
            atomic_store(&wrong, true);
            return;
        }
}

static bool
open_file(struct worker *w)
{
    w->fd = open(file, O_RDWR | O_CLOEXEC);
    w->direct = open(file, O_RDWR | O_CLOEXEC | O_DIRECT);
    return w->fd != -1 && w->direct != -1;
}

/* What may have been written and was not answered becomes what it is. */
static void
settle(struct worker *w, const uint8_t *got, uint64_t off, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++) {
        uint64_t at = off + i - w->doubt_off; /* large if it is before it */
        if (at < w->doubt_len && got[i] == w->doubt[at])
            w->model[off + i] = got[i];
    }
}

/* As compare, before an fsync. */
static void
compare_unsynced(struct worker *w, uint8_t *got, uint64_t off, uint64_t len,
                 const char *what)
{
    for (uint64_t i = 0; i < len; i++)
        if (got[i] != w->model[off + i] && may_be(w, off + i, got[i])) {
            got[i] = w->model[off + i];
            w->owed = true;
        }
    compare(w, got, off, len, what);
}

/* An fsync has failed: what was changed is now what the server has. */
static void
learn(struct worker *w)
{
    w->owed = false;
    posix_fadvise(w->fd, (off_t)w->from, (off_t)w->len, POSIX_FADV_DONTNEED);
    for (uint64_t off = 0, len; off < w->len && !atomic_load(&wrong); off += len) {
        len = w->len - off < 65536 ? w->len - off : 65536;
        ssize_t n;
        do
            n = pread(w->direct, w->buf, len, (off_t)(w->from + off));
        while (n != (ssize_t)len && again(n));
        if (n != (ssize_t)len) {
            complain(w, "reading after an error", off, len);
            return;
        }
        for (uint64_t i = 0; i < len; i++)
            if (may_be(w, off + i, w->buf[i]))
                w->model[off + i] = w->buf[i];
        compare(w, w->buf, off, len, "after an fsync that failed");
    }
}

/* The mount was made again?  What an fsync has settled stays as it is. */
static bool
look_again(struct worker *w)
{
    if (!open_file(w) || fsync(w->fd) == -1)
        return false;
    for (uint64_t off = 0; off < w->len; off += IO_MAX) {
        uint64_t len = w->len - off < IO_MAX ? w->len - off : IO_MAX;
        if (pread(w->fd, w->buf, len, (off_t)(w->from + off)) != (ssize_t)len)
            return false;
        settle(w, w->buf, off, len);
        compare(w, w->buf, off, len, "answered before the mount was killed");
    }
    w->doubt_len = 0;
    return true;
}

/* An operation failed, with len bytes from off not answered; they would have become
 * what is in data, or zeros. */
static void
failed(struct worker *w, const char *what, uint64_t off, uint64_t len,
       const uint8_t *data)
{
    int64_t until = now_ms() + REOPEN_MS, left;
    int mounts = may_reopen ? mounts_open() : -1;
    bool again = false;

    if (mounts == -1) {
        complain(w, what, off, len);
        return;
    }
    w->doubt_off = off;
    w->doubt_len = len;
    if (data != NULL)
        memcpy(w->doubt, data, len);
    else
        memset(w->doubt, 0, len);
    w->reopens++;
    while (!again && (left = until - now_ms()) > 0 && !atomic_load(&wrong)) {
        close(w->fd);
        close(w->direct);
        again = look_again(w);
        if (!again) /* not for long: another thread may find that something is wrong */
            mounts_wait(mounts, -1, left < 1000 ? (int)left : 1000);
    }
    close(mounts);
    if (!again)
        complain(w, "opening it again", 0, 0);
}

/* Where, and how much: now and then aligned. */
static void
choose(struct worker *w, bool aligned, uint64_t *off, uint64_t *len)
{
    static const uint32_t most[] = {4096,  4096,  4096,   4096,
                                    20000, 65536, 300000, IO_MAX};

    *len = next_random(w) % most[next_random(w) % 8] + 1;
    *off = next_random(w) % w->len;
    if (aligned) {
        *off -= *off % 4096;
        *len = (*len + 4095) / 4096 * 4096;
    }
    if (*len > w->len - *off)
        *len = w->len - *off;
}

static void
do_write(struct worker *w)
{
    bool direct = next_random(w) % 3 == 0;
    uint64_t off, len;

    choose(w, direct, &off, &len);
    uint64_t fill = next_random(w);
    for (uint64_t i = 0; i < len; i++)
        w->buf[i] = (uint8_t)(fill >> (i % 7 * 8)) ^ (uint8_t)(i >> 3);
    ssize_t n;
    do
        n = pwrite(direct ? w->direct : w->fd, w->buf, len, (off_t)(w->from + off));
    while (n != (ssize_t)len && again(n));
    uint64_t written = n > 0 ? (uint64_t)n : 0;
    memcpy(w->model + off, w->buf, written);
    has_changed(w, off, written);
    if (written < len) {
        failed(w, "write", off + written, len - written, w->buf + written);
        return;
    }
    w->writes++;
    w->bytes += len;
}

static void
do_read(struct worker *w)
{
    bool direct = next_random(w) % 2 == 0;
    uint64_t off, len;

    choose(w, direct, &off, &len);
    ssize_t n;
    do
        n = pread(direct ? w->direct : w->fd, w->buf, len, (off_t)(w->from + off));
    while (n != (ssize_t)len && again(n));
    if (n != (ssize_t)len) {
        failed(w, "read", off, 0, NULL);
        return;
    }
    compare_unsynced(w, w->buf, off, len, direct ? "read past the cache" : "read");
    w->reads++;
    w->bytes += len;
}

static void
do_zero(struct worker *w)
{
    int mode = next_random(w) % 2 ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
    uint64_t off, len;

    choose(w, next_random(w) % 2, &off, &len);
    int r;
    do
        r = fallocate(w->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)(w->from + off),
                      (off_t)len);
    while (r == -1 && again(r));
    if (r == -1) {
        failed(w, "fallocate", off, len, NULL);
        return;
    }
    memset(w->model + off, 0, len);
    has_changed(w, off, len);
    w->zeros++;
}

static void
do_sync(struct worker *w)
{
    int r;
    while ((r = fsync(w->fd)) == -1 && again(r))
        learn(w);
    if (r == -1) {
        failed(w, "fsync", 0, 0, NULL);
        return;
    }
    errno = 0;
    if (w->owed)
        complain(w, "a write was lost, of which fsync says nothing", 0, w->len);
    for (uint64_t off = 0; off < w->len; off += IO_MAX) {
        uint64_t len = w->len - off < IO_MAX ? w->len - off : IO_MAX;
        if (pread(w->durable, w->buf, len, (off_t)(w->from + off)) != (ssize_t)len)
            complain(w, "the durable image", off, len);
        else
            compare(w, w->buf, off, len, "durable after fsync");
    }
    if (may_fail) {
        memcpy(w->synced, w->model, w->len);
        memset(w->changed, 0, w->len);
    }
    w->syncs++;
}

static void *
work(void *user_data)
{
    struct worker *w = user_data;

    for (unsigned n = 0;
         !atomic_load(&wrong) && (n < LEAST || access(stop, F_OK) == -1); n++) {
        unsigned what = (unsigned)(next_random(w) % 100);
        int64_t begin = now_ms();
        if (what < 45)
            do_write(w);
        else if (what < 85)
            do_read(w);
        else if (what < (may_reopen ? 99 : 95)) /* the more there is to lose */
            do_zero(w);
        else
            do_sync(w);
        atomic_fetch_add(&operations, 1);
        int64_t took = now_ms() - begin, most = atomic_load(&longest_ms);
        while (took > most && !atomic_compare_exchange_weak(&longest_ms, &most, took))
            ;
    }
    if (!atomic_load(&wrong))
        do_sync(w);
    return NULL;
}

/* Waits for a thread to end. */
static void
join(pthread_t thread)
{
    static unsigned long told;

    for (;;) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec++;
        if (pthread_timedjoin_np(thread, NULL, &until) != ETIMEDOUT)
            return;
        unsigned long now = atomic_load(&operations);
        if (now == told || access(stop, F_OK) == -1)
            continue;
        printf("%lu operations\n", now);
        fflush(stdout);
        told = now;
    }
}

static bool
prepare(struct worker *w, char **argv, uint64_t seed, uint64_t from, uint64_t len)
{
    w->random = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) + from + 1;
    w->from = from;
    w->len = len;
    w->model = calloc(1, len);
    w->synced = calloc(1, len);
    w->changed = calloc(1, len);
    w->buf = aligned_alloc(4096, IO_MAX + 8192);
    w->doubt = malloc(IO_MAX + 8192);
    w->durable = open(argv[2], O_RDONLY | O_CLOEXEC);
    if (w->model == NULL || w->synced == NULL || w->changed == NULL || w->buf == NULL ||
        w->doubt == NULL || !open_file(w) || w->durable == -1)
        return false;
    /* In small pieces, of which some succeed however often the server fails. */
    for (uint64_t off = 0, some; off < len; off += some) {
        some = len - off < 65536 ? len - off : 65536;
        ssize_t n;
        do
            n = pread(w->fd, w->model + off, some, (off_t)(from + off));
        while (n != (ssize_t)some && again(n));
        if (n != (ssize_t)some)
            return false;
    }
    memcpy(w->synced, w->model, len);
    return true;
}

static bool
expect(const char *word)
{
    static const struct {
        const char *name;
        int number;
    } known[] = {{"EIO", EIO}, {"ENOSPC", ENOSPC}, {"ESTALE", ESTALE}};

    may_reopen |= strcmp(word, "reopen") == 0;
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
        if (strcmp(word, known[i].name) == 0)
            return may_fail = expected[known[i].number] = true;
    return may_reopen;
}

int
main(int argc, char **argv)
{
    static struct worker workers[THREADS_MAX], sum;
    struct stat st;

    if (argc < 6 || stat(argv[1], &st) == -1) {
        fprintf(stderr, "usage: workers FILE DURABLE SEED THREADS STOP "
                        "[reopen | ERRNO...]\n");
        return 2;
    }
    unsigned long n = strtoul(argv[4], NULL, 10);
    uint64_t seed = strtoull(argv[3], NULL, 10);
    if (n < 1 || n > THREADS_MAX)
        return 2;
    file = argv[1];
    stop = argv[5];
    for (int i = 6; i < argc; i++)
        if (!expect(argv[i]))
            return 2;
    /* Parts are whole pages: two threads never share one in the cache. */
    uint64_t part = (uint64_t)st.st_size / n / 4096 * 4096;
    for (unsigned i = 0; i < n; i++)
        if (!prepare(&workers[i], argv, seed, i * part, part)) {
            perror("workers");
            return 2;
        }
    puts("at work");
    fflush(stdout);
    for (unsigned i = 0; i < n; i++)
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            return 2;
    for (unsigned i = 0; i < n; i++) {
        join(workers[i].thread);
        sum.reads += workers[i].reads;
        sum.writes += workers[i].writes;
        sum.zeros += workers[i].zeros;
        sum.syncs += workers[i].syncs;
        sum.reopens += workers[i].reopens;
        sum.bytes += workers[i].bytes;
    }
    printf("%lu reads, %lu writes, %lu zeroes, %lu fsyncs, %lu times opened again, "
           "%llu MB, %lu errors; the longest took %lld ms\n",
           sum.reads, sum.writes, sum.zeros, sum.syncs, sum.reopens,
           (unsigned long long)(sum.bytes / 1000000), atomic_load(&errors),
           (long long)longest_ms);
    return atomic_load(&wrong) ? 1 : 0;
}
