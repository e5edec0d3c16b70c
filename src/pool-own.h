/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool-own.h - what the pool's own files share; nobody else includes it */

#ifndef NBDMOUNT_POOL_OWN_H
#define NBDMOUNT_POOL_OWN_H

#include "pool.h"

#include <pthread.h>

struct member {
    struct conn *conn;
    unsigned server; /* pool->lock, as all below; its place in pool->server */
    unsigned generation;
    bool up;
    bool failed;  /* while it is up: what was sent again did not get through */
    bool doubt;   /* it may have reached a server that was restarted: pool-recover.c */
    bool tried;   /* the proof under way will tell */
    bool mute;    /* it did not answer the last one */
    bool simple;  /* it has simple replies only */
    bool surplus; /* it has not, and need not: it is to be made anew */
    int64_t size; /* the export's, as this connection has it */
};

struct server {
    const struct source *source;
    bool stale; /* it answers, and has something else; pool->lock, as the next */
    bool known; /* it had the same export once */
};

struct pool {
    const struct source *source;
    struct conn_info info; /* as at first */
    const struct pool_events *events;
    void *owner;
    struct replay *replay; /* NULL: nothing is remembered */
    unsigned n_servers;    /* does not change, as the next */
    bool spread;           /* reads go to all servers; nothing is written */
    bool few_processors;   /* and the server has the same ones */
    atomic_uint n;         /* rises only */
    atomic_bool closing;
    atomic_bool ready; /* pool_begin was called */

    pthread_mutex_t lock; /* over a connection's; guards all below, and members */
    unsigned generation;
    bool recovering; /* nothing is live */
    bool replaying;
    struct member *through; /* which has it while replaying */
    bool proving;
    struct command proof;
    struct member *witness; /* which has it while proving */
    uint8_t *proof_buf;     /* of info.minimum bytes; does not change */
    int64_t size;           /* the largest that was seen */
    struct server server[SERVERS_MAX];
    unsigned active;        /* which of them, unless spread */
    unsigned serving;       /* the last one that was active and there */
    unsigned failed_in_row; /* attempts with one after the other */
    int64_t fence_ms; /* until then a silent server may still do what it was sent */
    struct command *parked, **parked_tail;
    int64_t mute_ms; /* since then there are connections, but none for block status;
                        INT64_MAX: there is one, or there is no connection */
    struct member member[];
};

/* Of pool-submit.c: those that wait for a connection are sent, where there is one for
 * them; or fail. */
void pool_submit_parked(struct pool *pool);
void pool_fail_parked(struct pool *pool);

/* Under the lock: whether another connection to the same server takes block status. */
bool pool_has_structured(const struct pool *pool, const struct member *member);

/* What connections tell: see struct conn_events. */
void pool_connecting(void *owner, unsigned index, struct conn_aim *aim);
bool pool_connected(void *owner, unsigned index, const struct conn_info *now);
bool pool_failed(void *owner, unsigned index, bool refused);
void pool_lost(void *owner, unsigned index, bool silent);
void pool_dropped(void *owner, unsigned index);
void pool_orphan(void *owner, struct command *cmd);
bool pool_tick(void *owner);

/* Of pool-servers.c, under the lock: at the mount, the first server that answers, and
 * whether all that do have the same export; otherwise *why. */
void pool_set_servers(struct pool *pool, const struct source *source);
struct conn *pool_open_first(struct pool *pool, const struct conn_events *events,
                             struct conn_info *info, char **why);
bool pool_check_others(struct pool *pool, char **why);

/* Whether there are servers beside the active one. */
bool pool_has_standby(const struct pool *pool);
void pool_next_server(struct pool *pool);

/* Under the lock: the active server has fallen silent, and may do what it was sent. */
void pool_fence(struct pool *pool);

/* Whether all servers have something else. */
bool pool_is_stale(const struct pool *pool);

/* Whether a larger size of this server is to be believed: not where others have another
 * one, and not of one that has never had the right one. */
bool pool_may_grow(const struct pool *pool, unsigned server);

/* This one is connected, to the right export. */
void pool_reached(struct pool *pool, const struct member *member);

#endif
