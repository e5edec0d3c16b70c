/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-death.c - the server is killed while several threads use the handle: each call
 * returns, each command completes once, nothing hangs */

#include <pthread.h>

#include "compat.h"

#define NR_THREADS 6
#define NR_ROUNDS  20
#define BLOCK      65536
#define IN_FLIGHT  64

static struct nbd_handle *handle;
static _Atomic int submitted, completed, freed, unexplained;

static int
on_completion(void *user, int *error)
{
    (void)user, (void)error;
    completed++;
    return 1;
}

static void
on_free(void *user)
{
    free(user);
    freed++;
}

/* Until the connection is gone. */
static void *
use(void *arg)
{
    bool waiting = (uintptr_t)arg % 2;

    for (;;) {
        char *buf = malloc(BLOCK);
        nbd_completion_callback callback = {on_completion, buf, on_free};

        submitted++;
        if (waiting) {
            if (nbd_pread(handle, buf, BLOCK, 0, 0) == -1 && nbd_get_errno() == 0)
                unexplained++;
            completed++;
            on_free(buf);
        } else if (nbd_aio_pread(handle, buf, BLOCK, 0, callback, 0) == -1) {
            completed++; /* refused: freed, and not called */
        } else {
            /* Thousands of them would take minutes to end with a sanitizer. */
            while (nbd_poll(handle, 1) != -1 && nbd_aio_in_flight(handle) > IN_FLIGHT)
                ;
        }
        if (nbd_aio_is_dead(handle) || nbd_aio_is_closed(handle))
            return NULL;
    }
}

int
main(void)
{
    for (int round = 0; round < NR_ROUNDS; round++) {
        pthread_t threads[NR_THREADS];
        char byte;

        submitted = completed = freed = unexplained = 0;
        handle = connected(PATTERN);
        pid_t pid = (pid_t)nbd_get_subprocess_pid(handle);
        for (int i = 0; i < NR_THREADS; i++)
            pthread_create(&threads[i], NULL, use, (void *)(uintptr_t)i);
        while (nbd_pread(handle, &byte, 1, 0, 0) == 0 && completed < 50 * round)
            ;
        kill(pid, SIGKILL);
        for (int i = 0; i < NR_THREADS; i++)
            pthread_join(threads[i], NULL);
        is_int(nbd_aio_in_flight(handle), 0, "round %d: nothing is in flight", round);
        is_int(completed, submitted, "round %d: all commands ended", round);
        is_int(freed, submitted, "round %d: each was freed once", round);
        is_int(unexplained, 0, "round %d: each error has a number", round);
        nbd_close(handle);
    }
    done_testing();
}
