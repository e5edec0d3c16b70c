/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.c - see pool.h
 *
 * A command goes to the live connection with the fewest in flight, and among equals to
 * the first: a lone reader stays on one connection, whose thread and buffers are warm.
 * While connections are live, no lock is taken here.
 */

#include "pool-own.h"

#include <errno.h>
#include <stdlib.h>

/* ---- those that wait for a connection */

static bool
is_any_live(const struct pool *pool)
{
    unsigned n = atomic_load(&pool->n);

    for (unsigned i = 0; i < n; i++)
        if (conn_is_live(pool->member[i].conn))
            return true;
    return false;
}

static void
submit_to_best(struct pool *pool, struct command *cmd, unsigned n)
{
    struct conn *best = pool->member[0].conn;
    unsigned best_load = conn_is_live(best) ? conn_in_flight(best) : UINT32_MAX;

    for (unsigned i = 1; i < n && best_load > 0; i++) {
        if (!conn_is_live(pool->member[i].conn))
            continue;
        unsigned load = conn_in_flight(pool->member[i].conn);
        if (load < best_load) {
            best = pool->member[i].conn;
            best_load = load;
        }
    }
    conn_submit(best, cmd);
}

/* Under the lock: takes out all, or those that have waited for long enough. */
static struct command *
take_parked(struct pool *pool, bool all)
{
    struct command *taken = NULL, **tail = &taken, **at = &pool->parked, *cmd;
    int64_t now = conn_clock_ms();

    while ((cmd = *at) != NULL) {
        if (!all && cmd->give_up_ms > now) {
            at = &cmd->next;
            continue;
        }
        *at = cmd->next;
        cmd->next = NULL;
        *tail = cmd;
        tail = &cmd->next;
    }
    pool->parked_tail = at;
    return taken;
}

void
pool_submit_parked(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    struct command *cmd = take_parked(pool, true);
    pthread_mutex_unlock(&pool->lock);
    while (cmd != NULL) {
        struct command *next = cmd->next;
        submit_to_best(pool, cmd, atomic_load(&pool->n));
        cmd = next;
    }
}

static void
fail_parked(struct pool *pool, bool all, int error)
{
    pthread_mutex_lock(&pool->lock);
    struct command *cmd = take_parked(pool, all);
    pthread_mutex_unlock(&pool->lock);
    while (cmd != NULL) {
        struct command *next = cmd->next;
        cmd->done(cmd, error);
        cmd = next;
    }
}

/* Waits for a connection, or fails.  Only I/O threads come here, or who finds no live
 * connection. */
static void
park(struct pool *pool, struct command *cmd, bool may_fail)
{
    int64_t retry_ms = pool->source->retry_ms, now = conn_clock_ms();

    if (cmd->give_up_ms == 0)
        cmd->give_up_ms = retry_ms < INT64_MAX - now ? now + retry_ms : INT64_MAX;
    pthread_mutex_lock(&pool->lock);
    bool stale = pool->stale;
    bool fail = may_fail && (stale || cmd->give_up_ms <= now || pool->closing);
    if (!fail) {
        cmd->next = NULL;
        *pool->parked_tail = cmd;
        pool->parked_tail = &cmd->next;
    }
    pthread_mutex_unlock(&pool->lock);
    if (fail)
        cmd->done(cmd, stale ? ESTALE : ENOTCONN);
    else if (is_any_live(pool)) /* since just now */
        pool_submit_parked(pool);
}

void
pool_submit(struct pool *pool, struct command *cmd)
{
    unsigned n = atomic_load_explicit(&pool->n, memory_order_relaxed);

    for (unsigned i = 0; i < n; i++)
        if (conn_is_live(pool->member[i].conn)) {
            submit_to_best(pool, cmd, n);
            return;
        }
    park(pool, cmd, false); /* if it has to fail, then in an I/O thread */
}

/* ---- what connections tell */

static void
on_orphan(void *owner, struct command *cmd)
{
    struct pool *pool = owner;

    if (cmd->ahead || atomic_load(&pool->closing))
        cmd->done(cmd, ENOTCONN);
    else if (pool->source->retry_ms > 0 && is_any_live(pool))
        submit_to_best(pool, cmd, atomic_load(&pool->n));
    else
        park(pool, cmd, true);
}

static void
on_tick(void *owner)
{
    struct pool *pool = owner;

    if (!atomic_load(&pool->ready))
        return;
    pthread_mutex_lock(&pool->lock);
    bool stale = pool->stale && !is_any_live(pool);
    for (struct command *cmd = pool->parked; cmd != NULL; cmd = cmd->next)
        if (cmd->look != NULL)
            cmd->look(cmd);
    pthread_mutex_unlock(&pool->lock);
    fail_parked(pool, stale, stale ? ESTALE : ENOTCONN);
    pool->events->tick(pool->owner);
}

static const struct conn_events conn_events = {
    .connecting = pool_connecting,
    .connected = pool_connected,
    .refused = pool_refused,
    .lost = pool_lost,
    .dropped = pool_dropped,
    .orphan = on_orphan,
    .tick = on_tick,
};

/* ---- its life */

static void
pool_free(struct pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

struct pool *
pool_open(const struct source *source, unsigned connections, struct conn_info *info,
          char **why)
{
    struct pool *pool = calloc(1, sizeof *pool + connections * sizeof pool->member[0]);

    *why = NULL;
    if (pool == NULL)
        return NULL;
    pool->source = source;
    pool->parked_tail = &pool->parked;
    pthread_mutex_init(&pool->lock, NULL);
    pool->member[0].up = true;
    /* Its events, if there are any so soon, wait for the lock. */
    pthread_mutex_lock(&pool->lock);
    pool->member[0].conn = conn_open(source, &conn_events, pool, 0, info, why);
    pool->n = pool->member[0].conn != NULL;
    pool->info = *info;
    pool->size = pool->member[0].size = info->size;
    for (unsigned i = 1; pool->n == i && info->can_multi_conn && i < connections; i++) {
        pool->member[i].conn = conn_start(source, &conn_events, pool, i, info);
        pool->n += pool->member[i].conn != NULL; /* fewer do it too */
    }
    pthread_mutex_unlock(&pool->lock);
    if (pool->n > 0)
        return pool;
    pool_free(pool);
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
    fail_parked(pool, true, ENOTCONN);
    for (unsigned i = 0; i < pool->n; i++)
        conn_stop(pool->member[i].conn, deadline_ms);
    for (unsigned i = 0; i < pool->n; i++)
        conn_join(pool->member[i].conn);
    /* What failed at the deadline may have let go of changes that waited for it. */
    for (bool any = true; any;) {
        any = pool->parked != NULL;
        fail_parked(pool, true, ENOTCONN);
        for (unsigned i = 0; i < pool->n; i++)
            any |= conn_answer(pool->member[i].conn);
    }
    for (unsigned i = 0; i < pool->n; i++)
        conn_free(pool->member[i].conn);
    pool_free(pool);
}
