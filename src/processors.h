/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processors.h - how much is worth doing side by side on this machine */

#ifndef NBDMOUNT_PROCESSORS_H
#define NBDMOUNT_PROCESSORS_H

#include <pthread.h>

/* How many processors this process may use, but no less and no more than that. */
unsigned processors(unsigned least, unsigned most);

/* A lock that is held for some hundred instructions and never while anything is waited
 * for: who wants it looks again before it sleeps, where libc knows how. */
#ifdef PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#define SHORT_LOCK_INITIALIZER PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP
#else
#define SHORT_LOCK_INITIALIZER PTHREAD_MUTEX_INITIALIZER
#endif

void short_lock_init(pthread_mutex_t *lock);

#endif
