/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparse-own.h - what sparse.c, sparse-learn.c and sparse-look.c share; nobody else
 * includes it */

#ifndef NBDMOUNT_SPARSE_OWN_H
#define NBDMOUNT_SPARSE_OWN_H

#include "sparse.h"

#include <pthread.h>
#include <stdatomic.h>

struct sparse {
    struct pool *pool;
    _Atomic uint64_t size; /* rises only; set under the lock */
    uint32_t minimum;      /* block size */
    bool can_ask;          /* otherwise all is data */
    bool is_zero;          /* base:allocation: a hole reads as zeros */
    bool is_depth;         /* qemu:allocation-depth: data is what is 1 deep */
    int64_t believe_ms;    /* how long what is known is believed; 0: for ever */
    atomic_bool failed;    /* the server does not answer; told once */

    pthread_mutex_t lock; /* guards all below */
    struct extent_map *map;
    uint64_t question_max;
    unsigned learning;   /* questions of sparse_learn's that are under way */
    uint64_t learn_next; /* where it goes on */
    bool learn_failed;   /* the server does not answer them */
    struct seek *asking; /* whose questions are under way */
    int64_t forget_ms;   /* CLOCK_MONOTONIC; 0: nothing is known yet */
};

struct run {
    uint64_t len;
    enum extent_kind kind;
};

/* One lseek, with the question that it has under way, if any; or one question of
 * sparse_learn's, for which answer is NULL. */
struct seek {
    struct sparse *sparse;
    uint64_t pos; /* what is before it is not what is looked for */
    enum extent_kind wanted;
    sparse_answer *answer;
    bool (*look)(void *user_data);
    void *user_data;
    int64_t looked_ms; /* CLOCK_MONOTONIC; or when it began */

    struct command cmd;
    uint64_t trusted; /* the answer may be kept up to here; sparse->lock */
    struct seek *prev, *next;
    struct run *runs; /* the answer; only the thread that receives it */
    size_t n_runs, room;
    uint64_t got; /* bytes in runs */
};

/* Memory for one; the rest is the caller's.  NULL: there is none. */
struct seek *seek_new(struct sparse *sparse);
void seek_free(struct seek *seek);

/* Under the lock: the question about pos and all behind it that fits.  The caller
 * submits seek->cmd. */
void seek_prepare(struct seek *seek, uint64_t pos);

/* A question of sparse_learn's has been answered, and what may be kept was; the seek
 * is freed. */
void learn_end(struct seek *seek, int error);

/* Under the lock: what others may have changed meanwhile is forgotten, all at once. */
void sparse_forget_if_old(struct sparse *sparse);

#endif
