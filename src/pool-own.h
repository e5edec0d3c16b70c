/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool-own.h - what the pool's own files share; nobody else includes it */

#ifndef NBDMOUNT_POOL_OWN_H
#define NBDMOUNT_POOL_OWN_H

#include "pool.h"

#include <pthread.h>

struct member {
    struct conn *conn;
    unsigned generation; /* pool->lock, as all below */
    bool up;
    int64_t size; /* the export's, as this connection has it */
};

struct pool {
    const struct source *source;
    struct conn_info info; /* as at first */
    const struct pool_events *events;
    void *owner;
    struct replay *replay; /* NULL: nothing is remembered */
    atomic_uint n;         /* rises only */
    atomic_bool closing;
    atomic_bool ready; /* pool_begin was called */

    pthread_mutex_t lock; /* over a connection's; guards all below, and members */
    unsigned generation;
    bool recovering; /* nothing is live */
    bool replaying;
    bool stale;   /* a server answers, and it has something else */
    int64_t size; /* the largest that was seen */
    struct command *parked, **parked_tail;
    struct member member[];
};

/* Those that wait for a connection are sent; there is one. */
void pool_submit_parked(struct pool *pool);

/* What connections tell: see struct conn_events. */
int64_t pool_connecting(void *owner, unsigned index);
bool pool_connected(void *owner, unsigned index, const struct conn_info *now);
void pool_refused(void *owner, unsigned index);
void pool_lost(void *owner, unsigned index);
void pool_dropped(void *owner, unsigned index);

#endif
