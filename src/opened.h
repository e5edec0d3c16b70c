/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* opened.h - one open file, found by the number that the kernel has for it
 *
 * The kernel takes the number from thread to thread and orders no memory; so whoever
 * uses it holds it, which does.  A request that was answered may hold it for longer
 * than the file is open, and a mount may end without a file being closed.
 */

#ifndef NBDMOUNT_OPENED_H
#define NBDMOUNT_OPENED_H

#include "prefetch.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* All of an export. */
struct opened_list {
    pthread_mutex_t lock; /* a leaf */
    struct opened *first;
};

struct opened {
    atomic_uint holds;
    struct stream *stream;   /* NULL: without read-ahead; until it is closed */
    atomic_uint errors_seen; /* late-errors.h */
    atomic_uint writes;      /* since the last fsync */
    atomic_bool syncs_each;  /* there was one at most before that */

    struct opened_list *list; /* opened.c's own */
    struct opened *prev, *next;
};

void opened_list_init(struct opened_list *list);
/* Nobody uses any of them any more. */
void opened_list_clear(struct opened_list *list);

/* NULL: no memory.  Held by who opens it. */
struct opened *opened_new(struct opened_list *list, struct stream *stream,
                          unsigned errors_seen);

uint64_t opened_number(const struct opened *opened);
struct opened *opened_hold(uint64_t number);
void opened_let_go(struct opened *opened);

/* A write, and an fsync.  Who syncs each write gains nothing by an early answer: false
 * for the first one after an fsync then. */
bool opened_writes(struct opened *opened);
void opened_syncs(struct opened *opened);

#endif
