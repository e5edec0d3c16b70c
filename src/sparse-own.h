/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparse-own.h - what sparse.c and sparse-look.c share; nobody else includes it */

#ifndef NBDMOUNT_SPARSE_OWN_H
#define NBDMOUNT_SPARSE_OWN_H

#include "sparse.h"

#include <pthread.h>
#include <stdatomic.h>

struct seek;

struct sparse {
    struct pool *pool;
    _Atomic uint64_t size; /* rises only; set under the lock */
    uint32_t minimum;      /* block size */
    bool can_ask;          /* otherwise all is data */
    bool is_zero;          /* base:allocation: a hole reads as zeros */
    bool is_depth;         /* qemu:allocation-depth: data is what is 1 deep */
    int64_t believe_ms;    /* how long what is known is believed; 0: for ever */
    atomic_bool failed;    /* the server does not answer; told once */
    atomic_bool learning;  /* sparse_learn's question is under way */

    pthread_mutex_t lock; /* guards all below */
    struct extent_map *map;
    uint64_t question_max;
    struct seek *asking; /* whose questions are under way */
    int64_t forget_ms;   /* CLOCK_MONOTONIC; 0: nothing is known yet */
};

/* Under the lock: what others may have changed meanwhile is forgotten, all at once. */
void sparse_forget_if_old(struct sparse *sparse);

#endif
