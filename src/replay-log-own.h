/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-log-own.h - what the files of the replay log share */

#ifndef NBDMOUNT_REPLAY_LOG_OWN_H
#define NBDMOUNT_REPLAY_LOG_OWN_H

#include "replay-log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#define REPLAY_BATCH                                                 \
    240 /* records in one write; three pieces each are below IOV_MAX \
         */

struct replay_log {
    char *path;
    int fd;
    bool has_head; /* head is what the file says */
    struct replay_head head;
    uint8_t *bytes; /* of both segments, until replay_log_forget */
    struct replay_records records;

    /* the thread's own, once it runs; with "shared" it changes them under the lock, for
     * others to look at */
    struct replay_segment now; /* the segment that is written */
    unsigned segment;          /* which one: 0 or 1 */
    bool switching;            /* nothing more may be written to it */
    uint64_t pos;              /* where in it; shared */
    bool other_used;           /* shared */
    uint64_t other_last;       /* the last sequence number in the other one; shared */
    uint64_t last;             /* and of all */
    uint8_t head_bytes[REPLAY_BATCH][REPLAY_RECORD];
    struct iovec iov[REPLAY_BATCH * 3];

    void (*want_room)(void *owner);
    void *owner;
    pthread_t thread;
    bool running; /* for who starts and stops it */

    pthread_mutex_t lock;  /* a leaf; guards all below */
    pthread_cond_t change; /* of any of it */
    struct replay_group *queue, **tail;
    uint64_t *voids;
    size_t n_voids, voids_room;
    uint64_t low;
    int gave_up; /* an errno, for those that wait for room */
    bool waiting_for_room;
    bool stopping;
    atomic_bool wants_room; /* set under the lock */
};

/* All of it is written, at off of the file, and is on the disk: 0, or an errno. Changes
 * iov. */
int replay_log_write(struct replay_log *log, struct iovec *iov, int n, uint64_t off);

/* The beginning of a segment's bytes in the file. */
static inline uint64_t
replay_log_segment_off(const struct replay_log *log, unsigned segment)
{
    return REPLAY_HEAD + segment * log->head.segment;
}

/* The thread. */
void *replay_log_thread(void *user_data);

#endif
