/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-own.h - what replay.c and replay-send.c share */

#ifndef NBDMOUNT_REPLAY_OWN_H
#define NBDMOUNT_REPLAY_OWN_H

#include "replay.h"

#include <pthread.h>

#define REPLAY_SLOTS 16 /* commands in flight */

struct replay_slot {
    struct command cmd;
    struct replay_entry *entry; /* NULL: free */
};

struct replay {
    pthread_mutex_t lock; /* guards all below; over a connection's */
    struct replay_entry *first, *last;
    uint64_t ends; /* entries that have ended */
    size_t limit;
    size_t bytes; /* taken */
    struct replay_wait *waiting, **waiting_tail;
    size_t unflushed;       /* entries in the list that have ended */
    bool flushing;          /* want_flush was called */
    uint64_t seq;           /* of the next entry */
    struct replay_log *log; /* NULL: there is none; its lock is under this one */
    void (*want_flush)(void *owner);
    void *owner;

    /* while entries are sent */
    struct replay_entry *cursor; /* NULL: all were */
    struct replay_entry *stop;   /* the last one to be sent */
    uint64_t done;               /* bytes of cursor */
    struct conn *conn;
    uint32_t maximum;
    unsigned in_flight;
    int error;
    void (*sent)(void *owner, int error);
    void *sent_owner;
    struct replay_slot slot[REPLAY_SLOTS];
};

#endif
