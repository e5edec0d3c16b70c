/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.c - the life of a pool, and how it goes: see pool.h */

#include "pool-own.h"
#include "processors.h"

#include <stdlib.h>

#define AUTOMATIC_MAX  4 /* connections, where nobody said how many */
#define FEW_PROCESSORS 2 /* or a single one */

static const struct conn_events conn_events = {
    .connecting = pool_connecting,
    .connected = pool_connected,
    .failed = pool_failed,
    .lost = pool_lost,
    .dropped = pool_dropped,
    .orphan = pool_orphan,
    .tick = pool_tick,
};

/* ---- its life */

static void
pool_free(struct pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
    free(pool->proof_buf);
    free(pool);
}

/* How many are worth having to each server where nobody said how many.  What is far
 * away needs several to be kept busy.  Here they share the processors with each other
 * and the server, and beyond one for each of those only cost switches of threads; but
 * not with io_uring, which gives so many requests at once to the server that its
 * threads get into each other's way with less than one connection with simple replies
 * for each. */
static unsigned
worth_having(const struct source *source, const struct conn_info *info)
{
    unsigned n = info->same_machine ? processors(2, AUTOMATIC_MAX) : AUTOMATIC_MAX;

    return source->io_uring && n < AUTOMATIC_MAX ? n + 1 : n;
}

/* Under the lock: the further connections, which come by themselves. */
static void
start_members(struct pool *pool, unsigned connections, const struct conn_info *info)
{
    if (connections == 0)
        connections = worth_having(pool->source, info);
    unsigned each = info->can_multi_conn ? connections : 1;
    unsigned n = pool->spread ? each * pool->n_servers : each;

    for (unsigned i = 1; i < n; i++) {
        struct member *member = &pool->member[i];
        member->server = pool->active;
        if (pool->spread)
            member->server = (pool->active + i) % pool->n_servers;
        member->conn = conn_start(pool->server[member->server].source, &conn_events,
                                  pool, i, &pool->info);
        if (member->conn == NULL)
            break; /* fewer do it too */
        pool->n++;
    }
}

/* Under the lock. */
static bool
open_members(struct pool *pool, unsigned connections, bool read_only,
             struct conn_info *info, char **why)
{
    pool->member[0].up = true;
    pool->member[0].conn = pool_open_first(pool, &conn_events, info, why);
    if (pool->member[0].conn == NULL)
        return false;
    pool->n = 1;
    pool->info = *info;
    pool->info.read_only |= read_only;
    pool->spread = pool->info.read_only && pool->n_servers > 1;
    pool->few_processors = info->same_machine &&
                           processors(FEW_PROCESSORS, AUTOMATIC_MAX) == FEW_PROCESSORS;
    pool->size = pool->member[0].size = info->size;
    pool->proof_buf = malloc(info->minimum);
    if (pool->proof_buf == NULL)
        return false;
    if (!pool_check_others(pool, why))
        return false;
    start_members(pool, connections, info);
    return true;
}

struct pool *
pool_open(const struct source *source, unsigned connections, bool read_only,
          struct conn_info *info, char **why)
{
    size_t most = (connections > 0 ? connections : AUTOMATIC_MAX) *
                  (source->servers != NULL ? SERVERS_MAX : 1);
    struct pool *pool = calloc(1, sizeof *pool + most * sizeof pool->member[0]);

    *why = NULL;
    if (pool == NULL)
        return NULL;
    pool->source = source;
    pool->parked_tail = &pool->parked;
    pool->mute_ms = INT64_MAX;
    pthread_mutex_init(&pool->lock, NULL);
    pool_set_servers(pool, source);
    /* Its events, if there are any so soon, wait for the lock. */
    pthread_mutex_lock(&pool->lock);
    bool fine = open_members(pool, connections, read_only, info, why);
    pthread_mutex_unlock(&pool->lock);
    if (fine)
        return pool;
    pool_close(pool, conn_clock_ms());
    return NULL;
}

void
pool_begin(struct pool *pool, const struct pool_events *events, void *owner,
           struct replay *replay)
{
    pthread_mutex_lock(&pool->lock);
    pool->events = events;
    pool->owner = owner;
    pool->replay = replay;
    atomic_store(&pool->ready, true);
    int64_t size = pool->size;
    pthread_mutex_unlock(&pool->lock);
    if (size > pool->info.size) /* a further connection came so soon */
        events->grown(owner, size);
}

unsigned
pool_losses(const struct pool *pool)
{
    unsigned losses = 0;

    for (unsigned i = 0; i < pool->n; i++)
        losses += conn_losses(pool->member[i].conn);
    return losses;
}

unsigned
pool_connections(const struct pool *pool)
{
    return atomic_load(&pool->n);
}

unsigned
pool_idle(const struct pool *pool)
{
    unsigned n = atomic_load_explicit(&pool->n, memory_order_relaxed), idle = 0;

    for (unsigned i = 0; i < n; i++) {
        const struct conn *conn = pool->member[i].conn;
        idle += conn_is_live(conn) && conn_in_flight(conn) == 0;
    }
    return idle;
}

bool
pool_look(const struct pool *pool, unsigned index, struct conn_report *report,
          struct traffic_sum *sum)
{
    if (index >= atomic_load(&pool->n))
        return false;
    conn_look(pool->member[index].conn, report, sum);
    return true;
}

unsigned
pool_waiting(struct pool *pool)
{
    unsigned n = 0;

    pthread_mutex_lock(&pool->lock);
    for (struct command *cmd = pool->parked; cmd != NULL; cmd = cmd->next)
        n++;
    pthread_mutex_unlock(&pool->lock);
    return n;
}

void
pool_close(struct pool *pool, int64_t deadline_ms)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->closing, true);
    pool_fail_parked(pool);
    for (unsigned i = 0; i < pool->n; i++)
        conn_stop(pool->member[i].conn, deadline_ms);
    for (unsigned i = 0; i < pool->n; i++)
        conn_join(pool->member[i].conn);
    /* What failed at the deadline may have let go of changes that waited for it. */
    for (bool any = true; any;) {
        any = pool->parked != NULL;
        pool_fail_parked(pool);
        for (unsigned i = 0; i < pool->n; i++)
            any |= conn_answer(pool->member[i].conn);
    }
    for (unsigned i = 0; i < pool->n; i++)
        conn_free(pool->member[i].conn);
    pool_free(pool);
}
