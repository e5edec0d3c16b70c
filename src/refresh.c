/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* refresh.c - see refresh.h
 *
 * A thread for each time, which is rare: to forget a page the kernel takes its lock,
 * and whoever reads it may hold that until we have answered.  So neither a FUSE worker
 * nor an I/O thread may do it.
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
};

static struct {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct fuse_session *session;
    unsigned under_way;
} refreshing = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, NULL, 0};

void
refresh_start(struct fuse_session *session)
{
    pthread_mutex_lock(&refreshing.lock);
    refreshing.session = session;
    pthread_mutex_unlock(&refreshing.lock);
}

static void
end_one(void)
{
    pthread_mutex_lock(&refreshing.lock);
    refreshing.under_way--;
    pthread_cond_broadcast(&refreshing.changed);
    pthread_mutex_unlock(&refreshing.lock);
}

static void *
refresh_thread(void *user_data)
{
    struct refresh *refresh = user_data;

    pthread_mutex_lock(&refreshing.lock);
    struct fuse_session *session = refreshing.session;
    pthread_mutex_unlock(&refreshing.lock);
    /* An error means that the kernel does not know the file, or the mount is gone. */
    if (session != NULL)
        fuse_lowlevel_notify_inval_inode(session, refresh->ino, refresh->off,
                                         refresh->len);
    free(refresh);
    end_one();
    return NULL;
}

static void
start(uint64_t ino, off_t off, off_t len)
{
    struct refresh *refresh = malloc(sizeof *refresh);
    pthread_t thread;
    sigset_t every, old;

    if (refresh == NULL)
        return; /* the kernel finds out when it asks again */
    *refresh = (struct refresh){ino, off, len};
    pthread_mutex_lock(&refreshing.lock);
    refreshing.under_way++;
    pthread_mutex_unlock(&refreshing.lock);
    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old); /* signals are for the main thread */
    int r = pthread_create(&thread, NULL, refresh_thread, refresh);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    if (r == 0) {
        pthread_detach(thread);
        return;
    }
    free(refresh);
    end_one();
}

void
refresh_file(uint64_t ino, int64_t size)
{
    int64_t page = sysconf(_SC_PAGESIZE);

    /* Behind its end a cached page has zeros, which are no longer true. */
    start(ino, size % page != 0 ? size - size % page : -1, 0);
}

void
refresh_range(uint64_t ino, uint64_t off, uint64_t end)
{
    start(ino, (off_t)off, (off_t)(end - off));
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
    while (refreshing.under_way > 0 && r == 0)
        r = pthread_cond_timedwait(&refreshing.changed, &refreshing.lock, &until);
    bool all = refreshing.under_way == 0;
    pthread_mutex_unlock(&refreshing.lock);
    return all;
}
