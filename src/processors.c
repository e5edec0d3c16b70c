/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processors.c - see processors.h */

#include "processors.h"

#include <sched.h>

unsigned
processors(unsigned least, unsigned most)
{
    cpu_set_t set;

    /* It fails where there are more than the set has room for: enough. */
    if (sched_getaffinity(0, sizeof set, &set) == -1)
        return most;
    unsigned n = (unsigned)CPU_COUNT(&set);
    return n < least ? least : n > most ? most : n;
}

void
short_lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attr;

    pthread_mutexattr_init(&attr);
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_ADAPTIVE_NP);
#endif
    pthread_mutex_init(lock, &attr);
    pthread_mutexattr_destroy(&attr);
}
