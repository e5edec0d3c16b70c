/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* refresh.c - see refresh.h
 *
 * To forget a page the kernel takes its lock, and whoever reads it may hold that until
 * we have answered.  So neither a FUSE worker nor an I/O thread may do it, but a thread
 * that is there as long as there is something to tell, which is rare.
 */

#define FUSE_USE_VERSION 314

#include "refresh.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STOP_S 1 /* for those that are under way */

struct refresh {
    uint64_t ino;
    off_t off; /* negative: only attributes */
    off_t len; /* 0: to the end */
    struct refresh *next;
};

static struct {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct fuse_session *session;
    struct refresh *first, *last; /* to be done */
    bool running;                 /* the thread */
} refreshing = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

void
refresh_start(struct fuse_session *session)
{
    pthread_mutex_lock(&refreshing.lock);
    refreshing.session = session;
    pthread_mutex_unlock(&refreshing.lock);
}

/* Under the lock: the next one, or NULL, and the thread is to end. */
static struct refresh *
take_next(void)
{
    struct refresh *refresh = refreshing.first;

    if (refresh != NULL) {
        refreshing.first = refresh->next;
        return refresh;
    }
    refreshing.running = false;
    pthread_cond_broadcast(&refreshing.changed);
    return NULL;
}

static void *
refresh_thread(void *user_data)
{
    struct refresh *refresh;

    pthread_mutex_lock(&refreshing.lock);
    while ((refresh = take_next()) != NULL) {
        struct fuse_session *session = refreshing.session;
        pthread_mutex_unlock(&refreshing.lock);
        /* An error means that the kernel does not know the file, or the mount is gone.
         */
        if (session != NULL)
            fuse_lowlevel_notify_inval_inode(session, refresh->ino, refresh->off,
                                             refresh->len);
        free(refresh);
        pthread_mutex_lock(&refreshing.lock);
    }
    pthread_mutex_unlock(&refreshing.lock);
    return user_data;
}

/* Signals are for the main thread. */
static bool
start_thread(void)
{
    pthread_t thread;
    sigset_t every, old;

    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    int r = pthread_create(&thread, NULL, refresh_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r == 0)
        pthread_detach(thread);
    return r == 0;
}

static void
tell(uint64_t ino, off_t off, off_t len)
{
    struct refresh *refresh = malloc(sizeof *refresh);

    if (refresh == NULL)
        return; /* the kernel finds out when it asks again */
    *refresh = (struct refresh){.ino = ino, .off = off, .len = len};
    pthread_mutex_lock(&refreshing.lock);
    *(refreshing.first != NULL ? &refreshing.last->next : &refreshing.first) = refresh;
    refreshing.last = refresh;
    /* If it cannot start now, the next one does it all. */
    refreshing.running = refreshing.running || start_thread();
    pthread_mutex_unlock(&refreshing.lock);
}

void
refresh_file(uint64_t ino, int64_t size)
{
    int64_t page = sysconf(_SC_PAGESIZE);

    /* Behind its end a cached page has zeros, which are no longer true. */
    tell(ino, size % page != 0 ? size - size % page : -1, 0);
}

void
refresh_range(uint64_t ino, uint64_t off, uint64_t end)
{
    tell(ino, (off_t)off, (off_t)(end - off));
}

bool
refresh_stop(void)
{
    struct timespec until;
    int r = 0;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += STOP_S;
    pthread_mutex_lock(&refreshing.lock);
    refreshing.session = NULL;
    while (refreshing.running && r == 0)
        r = pthread_cond_timedwait(&refreshing.changed, &refreshing.lock, &until);
    bool all = !refreshing.running;
    pthread_mutex_unlock(&refreshing.lock);
    return all;
}
