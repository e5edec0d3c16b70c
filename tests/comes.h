/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* comes.h - waiting for what another thread tells, but not for ever */

#ifndef COMES_H
#define COMES_H

#include <semaphore.h>
#include <stdbool.h>
#include <time.h>

/* False: it did not come in so many seconds. */
static inline bool
comes(sem_t *what, int seconds)
{
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += seconds;
    return sem_timedwait(what, &until) == 0;
}

#endif
