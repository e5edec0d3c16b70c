// SPDX-License-Identifier: LGPL-2.1-or-later
/* overtake.c - reads a file from front to back with several threads that overtake each
 * other
 *
 *     overtake FILE SECONDS SEED [fails]
 *
 * The file is that of `nbdkit pattern'.  All threads read through one open file, each
 * the bytes that come next: of any length, some once more, some left out, so that parts
 * of what was fetched are read in any order, twice, and not at all.  What the kernel
 * has is dropped before, and it reads nothing by itself: all comes from the daemon.
 * With "fails" reads may fail, but not all.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define THREADS 4
#define LONGEST (640 << 10)

static int fd;
static off_t size;
static time_t until;
static atomic_llong cursor;
static bool may_fail;
static atomic_bool wrong;
static atomic_ullong reads, failed;

/* Each 8 bytes are their own offset, the highest byte first. */
static bool
is_right(const uint8_t *data, off_t off, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        uint64_t word = (uint64_t)(off + (off_t)i) & ~UINT64_C(7);
        unsigned shift = 56 - 8 * ((unsigned)(off + (off_t)i) & 7U);
        if (data[i] != (uint8_t)(word >> shift)) {
            fprintf(stderr, "at %" PRIu64 " is 0x%02x\n", (uint64_t)off + i, data[i]);
            return false;
        }
    }
    return true;
}

static void
read_one(uint8_t *data, off_t off, size_t len)
{
    posix_fadvise(fd, off, (off_t)len, POSIX_FADV_DONTNEED);
    ssize_t n = pread(fd, data, len, off);
    size_t expected = off + (off_t)len > size ? (size_t)(size - off) : len;
    atomic_fetch_add(&reads, 1);
    if (may_fail && n < (ssize_t)expected)
        atomic_fetch_add(&failed, 1);
    if (may_fail && n < 0)
        return;
    if (n < 0 || (size_t)n > expected || ((size_t)n < expected && !may_fail)) {
        fprintf(stderr, "%zd of %zu bytes at %jd\n", n, expected, (intmax_t)off);
        atomic_store(&wrong, true);
    } else if (!is_right(data, off, (size_t)n)) {
        atomic_store(&wrong, true);
    }
}

static void *
reader(void *arg)
{
    unsigned seed = (unsigned)(uintptr_t)arg;
    uint8_t *data = malloc(LONGEST);

    while (data != NULL && !atomic_load(&wrong) && time(NULL) < until) {
        unsigned dice = (unsigned)rand_r(&seed);
        /* Half of them as the kernel reads ahead, the others of any length, which it
         * asks for in pieces of no more than that. */
        size_t len = dice & 1 ? 128 << 10 : 1 + (size_t)rand_r(&seed) % LONGEST;
        off_t off = (off_t)atomic_fetch_add(&cursor, (long long)len);
        if (off >= size) {
            atomic_store(&cursor, 0);
            continue;
        }
        if (dice % 32 == 2)
            continue; /* left out */
        read_one(data, off, len);
        if (dice % 16 == 4)
            read_one(data, off, len);
    }
    free(data);
    return NULL;
}

int
main(int argc, char *argv[])
{
    pthread_t threads[THREADS];

    if (argc < 4 || (fd = open(argv[1], O_RDONLY)) == -1) {
        fprintf(stderr, "%s\n",
                argc < 4 ? "overtake FILE SECONDS SEED [fails]" : strerror(errno));
        return 2;
    }
    size = lseek(fd, 0, SEEK_END);
    may_fail = argc > 4;
    until = time(NULL) + strtol(argv[2], NULL, 10);
    posix_fadvise(fd, 0, 0, POSIX_FADV_RANDOM);
    for (unsigned i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, reader,
                           (void *)(strtoul(argv[3], NULL, 10) * THREADS + i)) != 0)
            return 2;
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("%llu reads, %llu failed\n", (unsigned long long)reads,
           (unsigned long long)failed);
    return atomic_load(&wrong) ? 1 : reads > failed ? 0 : 2;
}
