/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crowd.c - many readers at once
 *
 *     crowd FILE READERS LENGTH
 *
 * Each is a thread with a small stack that reads LENGTH bytes of its own place in FILE,
 * which is what nbdkit's pattern plugin has: every eight bytes are their own offset,
 * big-endian.  Says when all of them ask.  Status 1: a read failed,
 * or a byte was wrong.
 */

#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define STACK ((size_t)64 << 10)

static int fd;
static size_t len;
static atomic_uint asking, right, wrong;
static size_t readers;
static sem_t all_ask;
static uint8_t *memory; /* of all readers */

static bool
is_pattern(const uint8_t *bytes, uint64_t off)
{
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word;
        memcpy(&word, bytes + i, sizeof word);
        if (be64toh(word) != off + i)
            return false;
    }
    return true;
}

static void *
read_one(void *user_data)
{
    uintptr_t number = (uintptr_t)user_data;
    uint64_t off = number * len;
    uint8_t *buf = memory + off;
    size_t got = 0;

    if (atomic_fetch_add(&asking, 1) + 1 == readers)
        sem_post(&all_ask);
    while (got < len) {
        ssize_t n = pread(fd, buf + got, len - got, (off_t)(off + got));
        if (n <= 0) {
            printf("reader %zu: %s\n", (size_t)number, n < 0 ? strerror(errno) : "end");
            atomic_fetch_add(&wrong, 1);
            return NULL;
        }
        got += (size_t)n;
    }
    atomic_fetch_add(is_pattern(buf, off) ? &right : &wrong, 1);
    madvise(buf, len, MADV_DONTNEED);
    return NULL;
}

int
main(int argc, char **argv)
{
    pthread_attr_t attr;

    if (argc != 4)
        return 2;
    size_t n = readers = strtoul(argv[2], NULL, 10);
    len = strtoul(argv[3], NULL, 10);
    fd = open(argv[1], O_RDONLY | O_CLOEXEC);
    pthread_t *thread = calloc(n, sizeof *thread);
    memory =
        mmap(NULL, n * len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    if (fd == -1 || thread == NULL || memory == MAP_FAILED ||
        sem_init(&all_ask, 0, 0) != 0) {
        perror("crowd");
        return 2;
    }
    for (size_t i = 0; i < n; i++) {
        int error = pthread_create(&thread[i], &attr, read_one, (void *)i);
        if (error != 0) {
            printf("only %zu threads: %s\n", i, strerror(error));
            return 2;
        }
    }
    while (sem_wait(&all_ask) != 0)
        ;
    puts("all of them ask");
    fflush(stdout);
    for (size_t i = 0; i < n; i++)
        pthread_join(thread[i], NULL);
    free(thread);
    printf("%u right, %u wrong\n", right, wrong);
    return right == n ? 0 : 1;
}
