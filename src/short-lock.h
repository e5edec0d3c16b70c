/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* short-lock.h - locks that are held for a moment
 *
 * For some hundred instructions, and never while anything is waited for: who wants one
 * looks again before it sleeps, where libc knows how.
 */

#ifndef NBDMOUNT_SHORT_LOCK_H
#define NBDMOUNT_SHORT_LOCK_H

#include <pthread.h>

#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define SHORT_LOCK_INITIALIZER PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#else
#define SHORT_LOCK_INITIALIZER PTHREAD_MUTEX_INITIALIZER
#endif

/* It is a mutex like others in all else. */
static inline void
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

#endif
