/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base-cleanup.h - give back what a scope holds when the scope is left
 *
 * CLEANUP_FREE and friends are for local variables; steal_pointer takes a pointer out
 * of such a variable to hand it to somebody else.
 */

#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEANUP(function) __attribute__((cleanup(function)))

static inline void
cleanup_free(void *pointer)
{
    free(*(void **)pointer);
}
#define CLEANUP_FREE CLEANUP(cleanup_free)

/* A NULL-terminated vector of strings, the strings too. */
static inline void
free_strings(char **strings)
{
    for (size_t i = 0; strings && strings[i]; i++)
        free(strings[i]);
    free(strings);
}

static inline void
cleanup_free_strings(char ***strings)
{
    free_strings(*strings);
}
#define CLEANUP_FREE_STRINGS CLEANUP(cleanup_free_strings)

/* Closes, keeps errno, and ignores a descriptor below 0. */
static inline void
close_quietly(int fd)
{
    int saved_errno = errno;

    if (fd >= 0)
        close(fd);
    errno = saved_errno;
}

static inline void
cleanup_close(int *fd)
{
    close_quietly(*fd);
}
#define CLEANUP_CLOSE CLEANUP(cleanup_close)

static inline void
cleanup_unlock(pthread_mutex_t **mutex)
{
    if (*mutex)
        pthread_mutex_unlock(*mutex);
}
/* Holds mutex until the enclosing scope is left. */
#define LOCK_SCOPE(mutex)                                                           \
    pthread_mutex_t *locked_scope CLEANUP(cleanup_unlock) __attribute__((unused)) = \
        (pthread_mutex_lock(mutex), (mutex))

#define steal_pointer(slot)                    \
    ({                                         \
        __typeof__(*(slot)) stolen_ = *(slot); \
        *(slot) = NULL;                        \
        stolen_;                               \
    })

static inline int
steal_fd(int *fd)
{
    int value = *fd;

    *fd = -1;
    return value;
}

#endif /* BASE_CLEANUP_H */
