/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ring-own.h - what the ring-*.c share; nobody else includes it */

#ifndef NBDMOUNT_RING_OWN_H
#define NBDMOUNT_RING_OWN_H

#include "ring-abi.h"
#include "ring.h"
#include "spin.h"

#include <liburing.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/uio.h>

struct conn_group;
struct ring_thread;

/* Memory for one request. */
struct entry {
    struct ring_thread *thread;
    uint16_t queue;
    _Atomic uint64_t unique; /* the request that is with us; 0: the kernel has it */
    _Atomic uint64_t name;   /* by which libfuse knows that */
    uint64_t uses;
    struct ring_header *header; /* begins a page */
    uint8_t *payload;           /* too, and the page before it is ours */
    struct iovec iov[2];        /* both, for the kernel */
    struct entry *next;         /* that has an answer */
};

struct ring_thread {
    struct ring *ring;
    pthread_t id;
    bool runs;
    struct io_uring uring;
    bool has_drained;
    unsigned news;    /* that came at the last time */
    struct spin spin; /* while requests come one at a time */
    unsigned n_entries;
    struct entry *local;             /* answered by this thread, not yet handed over */
    _Atomic(struct entry *) foreign; /* by others; a stack */
    atomic_bool sleeps;              /* who adds to it has to wake this thread */
    struct conn_group *group;
};

struct ring {
    struct ring_use use;
    struct entry *entries;
    unsigned n_entries;
    uint8_t *memory;
    size_t memory_len;
    unsigned n_queues, n_threads;
    int fd;            /* /dev/fuse */
    sem_t ready;       /* each thread has set up its io_uring, or could not */
    sem_t has_drained; /* it takes no requests any more */
    atomic_int error;  /* an errno: why it could not */
    atomic_bool going, draining, stopping, ended;
    struct ring_thread thread[];
};

/* The ring that answers go to; one in a process. */
extern struct ring *_Atomic ring_current;

/* ring-entry.c: memory, and the bytes in it. */

/* False: there is not enough. */
bool ring_make_entries(struct ring *ring, unsigned depth);
void ring_free_entries(struct ring *ring);

/* A request has come: gives it to libfuse. */
void ring_take_request(struct entry *entry);

/* ring-thread.c; user_data is the thread. */
extern const struct conn_group_waiting ring_thread_waiting;
void *ring_thread_run(void *user_data);

/* entry has its answer. */
void ring_thread_answered(struct entry *entry);
void ring_thread_wake(struct ring_thread *thread);

#endif
