// SPDX-License-Identifier: LGPL-2.1-or-later
/* readahead.c - reads a file from front to back, again and again, while others change
 * it
 *
 *     readahead FILE SECONDS THREADS
 *
 * It is at work for so long, or until something is wrong.
 *
 * Every word of the file tells its block and version.  A reader knows before each read
 * which version of each block was finished, and afterwards which was begun: a word that
 * is older or newer than that, or another block's, is an error.  One reader goes past
 * the kernel's cache; the other's is dropped before each read, so that it is the daemon
 * that answers.  Changes are made near a reader, buffered, direct, and by fallocate;
 * every fourth version is zeros.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define BLOCK   4096
#define WORDS   (BLOCK / sizeof(uint64_t))
#define READ    (128 << 10)
#define READERS 2
#define AHEAD   2048 /* blocks: where changes are made */
#define VERSION 24   /* bits of a word; the block is above them */

struct block {
    atomic_uint begun, finished;
};

static const char *path;
static struct block *blocks;
static size_t n_blocks;
static atomic_size_t reader_at[READERS]; /* in blocks */
static atomic_bool stop;
static sem_t something_is_wrong;
static atomic_uint wrong, passes, changes;
static unsigned n_writers;

static void
fail_errno(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static bool
is_zero_version(unsigned version)
{
    return version % 4 == 0;
}

static bool
is_right(uint64_t word, size_t block, unsigned least, unsigned most)
{
    if (word == 0) {
        for (unsigned version = least; version <= most; version++)
            if (is_zero_version(version))
                return true;
        return false;
    }
    unsigned version = word & ((1U << VERSION) - 1);
    return word >> VERSION == block && version >= least && version <= most &&
           !is_zero_version(version);
}

static void
check(const uint64_t *data, size_t first, size_t n, const unsigned *least)
{
    for (size_t i = 0; i < n; i++) {
        unsigned most = atomic_load(&blocks[first + i].begun);
        for (size_t j = 0; j < WORDS; j++) {
            uint64_t word = data[i * WORDS + j];
            if (is_right(word, first + i, least[i], most))
                continue;
            sem_post(&something_is_wrong);
            if (atomic_fetch_add(&wrong, 1) < 10)
                fprintf(stderr,
                        "block %zu word %zu: block %" PRIu64 " version %" PRIu64
                        ", allowed %u to %u\n",
                        first + i, j, word >> VERSION, word & ((1U << VERSION) - 1),
                        least[i], most);
            break;
        }
    }
}

static void
work_for(long seconds)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += seconds;
    while (sem_timedwait(&something_is_wrong, &end) != 0 && errno == EINTR)
        ;
    atomic_store(&stop, true);
}

static void *
read_all(void *arg)
{
    size_t me = (size_t)(uintptr_t)arg, per_read = READ / BLOCK;
    uint64_t *data = aligned_alloc(BLOCK, READ);
    unsigned *least = calloc(per_read, sizeof *least);
    int fd = open(path, O_RDONLY | O_CLOEXEC | (me % 2 ? O_DIRECT : 0));

    if (fd == -1 || data == NULL || least == NULL)
        fail_errno(path);
    while (!atomic_load(&stop)) {
        for (size_t first = 0; first < n_blocks; first += per_read) {
            size_t n = n_blocks - first < per_read ? n_blocks - first : per_read;
            atomic_store(&reader_at[me], first);
            posix_fadvise(fd, (off_t)(first * BLOCK), 0, POSIX_FADV_DONTNEED);
            for (size_t i = 0; i < n; i++)
                least[i] = atomic_load(&blocks[first + i].finished);
            if (pread(fd, data, n * BLOCK, (off_t)(first * BLOCK)) !=
                (ssize_t)(n * BLOCK))
                fail_errno("read");
            check(data, first, n, least);
        }
        atomic_fetch_add(&passes, 1);
    }
    close(fd);
    free(data);
    free(least);
    return NULL;
}

static void
change(int fd, size_t block, unsigned version, uint64_t *data)
{
    off_t off = (off_t)(block * BLOCK);

    if (is_zero_version(version)) {
        int mode = version % 8 == 0 ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;
        if (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, off, BLOCK) == -1)
            fail_errno("fallocate");
        return;
    }
    for (size_t i = 0; i < WORDS; i++)
        data[i] = (uint64_t)block << VERSION | version;
    if (pwrite(fd, data, BLOCK, off) != BLOCK)
        fail_errno("write");
}

/* Each writer has blocks of its own, so that it knows their versions' order. */
static void *
write_all(void *arg)
{
    unsigned me = (unsigned)(uintptr_t)arg, seed = me * 7919 + 1;
    int fd = open(path, O_RDWR | O_CLOEXEC | (me % 2 ? O_DIRECT : 0));
    uint64_t *data = aligned_alloc(BLOCK, BLOCK);

    if (fd == -1 || data == NULL)
        fail_errno(path);
    while (!atomic_load(&stop)) {
        size_t at = atomic_load(&reader_at[(unsigned)rand_r(&seed) % READERS]);
        size_t block = (at + (unsigned)rand_r(&seed) % AHEAD) % n_blocks;
        block = block / n_writers * n_writers + me;
        if (block >= n_blocks)
            continue;
        unsigned version = atomic_fetch_add(&blocks[block].begun, 1) + 1;
        change(fd, block, version, data);
        atomic_store(&blocks[block].finished, version);
        atomic_fetch_add(&changes, 1);
    }
    close(fd);
    free(data);
    return NULL;
}

int
main(int argc, char **argv)
{
    pthread_t reader[READERS], writer[64];

    if (argc != 4)
        return 2;
    path = argv[1];
    n_writers = (unsigned)strtoul(argv[3], NULL, 10);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd == -1 || n_writers < 1 || n_writers > 64)
        fail_errno(path);
    n_blocks = (size_t)lseek(fd, 0, SEEK_END) / BLOCK;
    close(fd);
    blocks = calloc(n_blocks, sizeof *blocks);
    if (blocks == NULL || sem_init(&something_is_wrong, 0, 0) != 0)
        return 2;
    for (unsigned i = 0; i < n_writers; i++)
        if (pthread_create(&writer[i], NULL, write_all, (void *)(uintptr_t)i) != 0)
            return 2;
    for (unsigned i = 0; i < READERS; i++)
        if (pthread_create(&reader[i], NULL, read_all, (void *)(uintptr_t)i) != 0)
            return 2;
    work_for(strtol(argv[2], NULL, 10));
    for (unsigned i = 0; i < n_writers; i++)
        pthread_join(writer[i], NULL);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(reader[i], NULL);
    printf("%u passes, %u changes, %u wrong\n", atomic_load(&passes),
           atomic_load(&changes), atomic_load(&wrong));
    free(blocks);
    return atomic_load(&wrong) == 0 && atomic_load(&passes) > 0 &&
                   atomic_load(&changes) > 0
               ? 0
               : 1;
}
