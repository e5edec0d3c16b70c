/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-buffer.c - buffers are whole, apart, aligned, used again, and given back */

#include "buffer.h"
#include "resident.h"
#include "tap.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>

#define MANY 3000

static const size_t sizes[] = {1, 4096, 4097, 65536, 300000, 1 << 20, 2 << 20, 5 << 20};
#define N_SIZES (sizeof sizes / sizeof sizes[0])

static struct {
    uint8_t *buf;
    size_t size;
    uint8_t byte;
} taken[MANY];

static uint64_t seed = 4711;

static unsigned
rnd(unsigned below)
{
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(seed >> 33) % below;
}

static bool
take(unsigned i, size_t size)
{
    taken[i].buf = buffer_take(size);
    if (taken[i].buf == NULL)
        return false;
    taken[i].size = size;
    taken[i].byte = (uint8_t)rnd(256);
    memset(taken[i].buf, taken[i].byte, size);
    return (uintptr_t)taken[i].buf % 4096 == 0;
}

/* Nobody else has written to it. */
static bool
give(unsigned i)
{
    bool whole = taken[i].buf[0] == taken[i].byte &&
                 memcmp(taken[i].buf, taken[i].buf + 1, taken[i].size - 1) == 0;

    buffer_give(taken[i].buf, taken[i].size);
    taken[i].buf = NULL;
    return whole;
}

static void
test_random(void)
{
    bool fine = true;

    for (int turn = 0; turn < 1000; turn++) {
        unsigned i = rnd(100);
        if (taken[i].buf != NULL)
            fine &= give(i);
        else
            fine &= take(i, sizes[rnd(N_SIZES)]);
    }
    for (unsigned i = 0; i < 100; i++)
        if (taken[i].buf != NULL)
            fine &= give(i);
    ok(fine, "buffers of all sizes are aligned, and no two share a byte");
}

static void
test_again(void)
{
    uint8_t *first = buffer_take(4096), *second = buffer_take(4096);

    buffer_give(first, 4096);
    buffer_give(second, 4096);
    uint8_t *again = buffer_take(4000);
    ok(again == second, "what was given back last is taken first");
    buffer_give(again, 4000);
    buffer_give(NULL, 4096);
    pass("NULL is ignored");
}

static void
test_memory(void)
{
    bool fine = true;

    buffer_trim();
    long before = resident_kib();
    for (unsigned i = 0; i < MANY; i++)
        fine &= take(i, 16384);
    long most = resident_kib() - before;
    ok(fine && most >= 40000, "%ld KiB more with 3000 buffers of 16 KiB", most);
    for (unsigned i = 0; i < MANY; i++)
        fine &= give((i * 7) % MANY);
    long kept = resident_kib() - before;
    ok(fine, "all are as they were");
    ok(SANITIZED || kept <= 20000, "what is kept of them is bounded: %ld KiB", kept);
    take(0, 4096);
    buffer_trim();
    long left = resident_kib() - before;
    ok(SANITIZED || left <= 4096,
       "after a while nothing is kept but what is used: %ld KiB", left);
    ok(give(0), "which is as it was");
}

static long
faults(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return usage.ru_minflt;
}

/* However much is kept of other sizes, who takes and gives gets no new memory each
 * time.
 */
static void
test_full(void)
{
    bool fine = true;

    for (unsigned i = 0; i < MANY; i++)
        fine &= take(i, 16384);
    /* One of each block stays in use, so that all of it is kept. */
    for (unsigned i = 0; i < MANY; i++)
        if (i % 128 != 0)
            fine &= give(i);
    fine &= take(5, 1 << 20) && give(5);
    long before = faults();
    for (int turn = 0; turn < 100; turn++)
        fine &= take(5, 1 << 20) && give(5);
    long more = faults() - before;
    ok(SANITIZED || more < 50, "a buffer of 1 MiB a hundred times: %ld page faults",
       more);
    for (unsigned i = 0; i < MANY; i += 128)
        fine &= give(i);
    ok(fine, "all are as they were, again");
}

static void *
turns(void *user_data)
{
    uint64_t state = (uintptr_t)user_data;
    bool fine = true;

    for (int i = 0; i < 2000; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t size = sizes[(state >> 40) % 5];
        uint8_t *buf = buffer_take(size);
        memset(buf, (int)(state >> 50), size < 64 ? size : 64);
        fine &= buf[0] == (uint8_t)(state >> 50);
        buffer_give(buf, size);
        if (i % 100 == 0)
            buffer_trim();
    }
    return fine ? user_data : NULL;
}

static void
test_threads(void)
{
    pthread_t thread[4];
    bool fine = true;

    for (uintptr_t i = 0; i < 4; i++)
        if (pthread_create(&thread[i], NULL, turns, (void *)(i + 1)) != 0)
            bail_out("no thread");
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(thread[i], &result);
        fine &= result != NULL;
    }
    ok(fine, "from several threads too");
}

int
main(void)
{
    test_random();
    test_again();
    test_memory();
    test_full();
    test_threads();
    done_testing();
}
