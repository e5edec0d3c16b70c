/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.c - see pool.h
 *
 * A command goes to the live connection with the fewest in flight, and among equals to
 * the first: a lone reader stays on one connection, whose thread and buffers are warm.
 * Where reads are spread over several servers, the first is the one whose turn it is at
 * that place of the export.  While connections are live, no lock is taken here.
 */

#include "pool-own.h"
#include "processors.h"

#include <errno.h>
#include <stdlib.h>

#define AUTOMATIC_MAX 4                   /* connections, where nobody said how many */
#define SPREAD        (UINT64_C(4) << 20) /* bytes from one server, then from the next */

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
    unsigned first =
        pool->spread ? (unsigned)(cmd->off / SPREAD % pool->n_servers) % n : 0;
    struct conn *best = pool->member[first].conn;
    unsigned best_load = conn_is_live(best) ? conn_in_flight(best) : UINT32_MAX;

    for (unsigned i = 1; i < n && best_load > 0; i++) {
        struct conn *conn = pool->member[(first + i) % n].conn;
        if (!conn_is_live(conn))
            continue;
        unsigned load = conn_in_flight(conn);
        if (load < best_load) {
            best = conn;
            best_load = load;
        }
    }
    conn_submit(best, cmd);
}

/* Which of those that wait. */
enum parked { PARKED_ALL, PARKED_TOO_LONG, PARKED_READY };

/* Under the lock: takes them out. */
static struct command *
take_parked(struct pool *pool, enum parked which)
{
    struct command *taken = NULL, **tail = &taken, **at = &pool->parked, *cmd;
    int64_t now = conn_clock_ms();

    while ((cmd = *at) != NULL) {
        if ((which == PARKED_TOO_LONG && cmd->give_up_ms > now) ||
            (which == PARKED_READY && cmd->fenced_ms > now)) {
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
    struct command *cmd = take_parked(pool, PARKED_READY);
    pthread_mutex_unlock(&pool->lock);
    while (cmd != NULL) {
        struct command *next = cmd->next;
        submit_to_best(pool, cmd, atomic_load(&pool->n));
        cmd = next;
    }
}

static void
fail_parked(struct pool *pool, enum parked which, int error)
{
    pthread_mutex_lock(&pool->lock);
    struct command *cmd = take_parked(pool, which);
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
    if (cmd->give_up_ms <= cmd->fenced_ms) /* it has to wait, and is not to blame */
        cmd->give_up_ms = cmd->fenced_ms + 1;
    pthread_mutex_lock(&pool->lock);
    bool stale = pool_is_stale(pool);
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

static bool
is_change(const struct command *cmd)
{
    return cmd->kind == COMMAND_WRITE || cmd->kind == COMMAND_ZERO ||
           cmd->kind == COMMAND_TRIM;
}

void
pool_fence(struct pool *pool)
{
    pool->fence_ms = conn_clock_ms() + pool->source->fence_ms;
    for (struct command *cmd = pool->parked; cmd != NULL; cmd = cmd->next)
        if (cmd->conn != NULL && is_change(cmd)) /* it was sent */
            cmd->fenced_ms = pool->fence_ms;
}

/* The server that had it has fallen silent, and may do it yet: what follows it at the
 * same place must not be done before that. */
static bool
is_fenced(struct pool *pool, struct command *cmd)
{
    if (!pool_has_standby(pool) || !is_change(cmd))
        return false;
    pthread_mutex_lock(&pool->lock);
    int64_t until = pool->fence_ms;
    pthread_mutex_unlock(&pool->lock);
    if (until <= conn_clock_ms())
        return false;
    cmd->fenced_ms = until;
    return true;
}

static void
on_orphan(void *owner, struct command *cmd)
{
    struct pool *pool = owner;
    bool any = pool->source->retry_ms > 0 || pool->spread; /* another one will do */

    if (cmd->ahead || atomic_load(&pool->closing))
        cmd->done(cmd, ENOTCONN);
    else if (any && !is_fenced(pool, cmd) && is_any_live(pool))
        submit_to_best(pool, cmd, atomic_load(&pool->n));
    else
        park(pool, cmd, true);
}

static bool
on_tick(void *owner)
{
    struct pool *pool = owner;

    if (!atomic_load(&pool->ready))
        return false;
    pthread_mutex_lock(&pool->lock);
    bool live = is_any_live(pool), stale = pool_is_stale(pool) && !live;
    bool waits = pool->parked != NULL;
    for (struct command *cmd = pool->parked; cmd != NULL; cmd = cmd->next)
        if (cmd->look != NULL)
            cmd->look(cmd);
    pthread_mutex_unlock(&pool->lock);
    if (live && waits)
        pool_submit_parked(pool);
    fail_parked(pool, stale ? PARKED_ALL : PARKED_TOO_LONG, stale ? ESTALE : ENOTCONN);
    pool->events->tick(pool->owner);
    return waits;
}

static const struct conn_events conn_events = {
    .connecting = pool_connecting,
    .connected = pool_connected,
    .failed = pool_failed,
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
    free(pool->proof_buf);
    free(pool);
}

/* How many are worth having to each server where nobody said how many.  What is far
 * away needs several to be kept busy.  Here they share the processors with each other
 * and the server, and beyond one for each of those only cost switches of threads. */
static unsigned
worth_having(const struct conn_info *info)
{
    return info->same_machine ? processors(2, AUTOMATIC_MAX) : AUTOMATIC_MAX;
}

/* Under the lock: the further connections, which come by themselves. */
static void
start_members(struct pool *pool, unsigned connections, const struct conn_info *info)
{
    if (connections == 0)
        connections = worth_having(info);
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
    fail_parked(pool, PARKED_ALL, ENOTCONN);
    for (unsigned i = 0; i < pool->n; i++)
        conn_stop(pool->member[i].conn, deadline_ms);
    for (unsigned i = 0; i < pool->n; i++)
        conn_join(pool->member[i].conn);
    /* What failed at the deadline may have let go of changes that waited for it. */
    for (bool any = true; any;) {
        any = pool->parked != NULL;
        fail_parked(pool, PARKED_ALL, ENOTCONN);
        for (unsigned i = 0; i < pool->n; i++)
            any |= conn_answer(pool->member[i].conn);
    }
    for (unsigned i = 0; i < pool->n; i++)
        conn_free(pool->member[i].conn);
    pool_free(pool);
}
