/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver-calibrate.c - a fixed amount of work on every processor at once
 *
 * What the benchmarked programs live on: copying memory and system calls.  The work is
 * the same each time, so that when it takes longer, something else had the machine
 * meanwhile.
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "driver.h"

#define BLOCK_SIZE (4 << 20)
#define COPIES     48
#define CALLS      100000

static pthread_barrier_t barrier;

static void *
work(void *unused)
{
    char *from = malloc(BLOCK_SIZE), *to = malloc(BLOCK_SIZE);

    (void)unused;
    if (!from || !to)
        die("calibrate: no memory");
    memset(from, 1, BLOCK_SIZE);
    memset(to, 2, BLOCK_SIZE);
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < COPIES; i++) {
        memcpy(to, from, BLOCK_SIZE);
        /* The compiler may not see that the copies are all the same. */
        __asm__ volatile("" : : "r"(to) : "memory");
    }
    for (int i = 0; i < CALLS; i++)
        syscall(SYS_getppid);
    pthread_barrier_wait(&barrier);
    free(from);
    free(to);
    return NULL;
}

int
driver_calibrate(int argc, char **argv)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    pthread_t threads[64];
    int n = processors < 1 ? 1 : processors > 64 ? 64 : (int)processors;

    (void)argv;
    if (argc != 1)
        die("usage: driver calibrate");
    pthread_barrier_init(&barrier, NULL, (unsigned)n + 1);
    for (int i = 0; i < n; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            die("calibrate: no thread");
    pthread_barrier_wait(&barrier);
    double begin = now_s();
    pthread_barrier_wait(&barrier);
    printf("calibration=%.6f\n", now_s() - begin);
    for (int i = 0; i < n; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&barrier);
    return 0;
}
