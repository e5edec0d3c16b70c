/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool-submit.c - which connection a command goes to, and those that wait for one: see
 * pool.h
 *
 * A command goes to the live connection with the fewest in flight, and among equals to
 * the first: a lone reader stays on one connection, whose thread and buffers are warm.
 *
 * One connection to each server has structured replies, for block status cannot be
 * asked without; the others have simple ones.  In these a small read is answered by two
 * messages in place of three, each of which nbdkit gives to the kernel by itself: that
 * is an eighth of the work at both ends.  So small reads go there first, and as long as
 * they are answered quickly, more of them than to the structured one; a server that has
 * to wait for its disk may do only so many at once for each connection.
 *
 * What is read ahead goes to one connection where the server has the same two
 * processors as we have: two of its threads that send large answers at once, and two of
 * ours that receive them, only take those from each other.
 *
 * Where reads are spread over several servers, the first is the one whose turn it is at
 * that place of the export.  While connections are live, no lock is taken here.
 */

#include "pool-own.h"

#include <errno.h>

#define SPREAD        (UINT64_C(4) << 20) /* bytes from one server, then from the next */
#define SIMPLE_BEFORE 32    /* in flight, before the other one is worth it */
#define QUICK_NS      50000 /* a pace that is quick */
#define TOGETHER      32    /* in flight on the one connection that has all */
#define STATUS_MS     5000  /* to wait for a connection that may ask for block status */

/* ---- which connection */

static bool
is_any_live(const struct pool *pool)
{
    unsigned n = atomic_load(&pool->n);

    for (unsigned i = 0; i < n; i++)
        if (conn_is_live(pool->member[i].conn))
            return true;
    return false;
}

static bool
can_take(const struct conn *conn, const struct command *cmd)
{
    return conn_is_live(conn) && (cmd->kind != COMMAND_STATUS || !conn_is_simple(conn));
}

/* Whether there is a connection for cmd. */
static bool
is_any_for(const struct pool *pool, const struct command *cmd)
{
    unsigned n = atomic_load_explicit(&pool->n, memory_order_relaxed);

    for (unsigned i = 0; i < n; i++)
        if (can_take(pool->member[i].conn, cmd))
            return true;
    return false;
}

/* What counts against a connection with structured replies, in commands.  Where all is
 * encrypted it is that which takes the time, and is to be shared; of several servers
 * each has its turn. */
static unsigned
handicap(const struct pool *pool, const struct command *cmd, unsigned n)
{
    if (!command_is_small_read(cmd) || pool->spread)
        return 0;
    for (unsigned i = 0; i < n && !pool->info.encrypted; i++) {
        const struct conn *conn = pool->member[i].conn;
        if (conn_is_simple(conn) && conn_is_live(conn) && conn_pace(conn) < QUICK_NS)
            return SIMPLE_BEFORE;
    }
    return 1;
}

/* NULL: there is none that is to have all that cmd belongs to. */
static struct conn *
one_for_all(const struct pool *pool, const struct command *cmd, unsigned n)
{
    if (!cmd->together || !pool->few_processors || pool->spread)
        return NULL;
    for (unsigned i = 0; i < n; i++) {
        struct conn *conn = pool->member[i].conn;
        if (can_take(conn, cmd) && conn_in_flight(conn) < TOGETHER)
            return conn;
    }
    return NULL;
}

static struct conn *
least_busy(const struct pool *pool, const struct command *cmd, unsigned n)
{
    unsigned first =
        pool->spread ? (unsigned)(cmd->off / SPREAD % pool->n_servers) % n : 0;
    struct conn *best = pool->member[first].conn;
    unsigned best_load = UINT32_MAX, structured = handicap(pool, cmd, n);

    for (unsigned i = 0; i < n && best_load > 0; i++) {
        struct conn *conn = pool->member[(first + i) % n].conn;
        if (!can_take(conn, cmd))
            continue;
        unsigned load = conn_in_flight(conn) + (conn_is_simple(conn) ? 0 : structured);
        if (load < best_load) {
            best = conn;
            best_load = load;
        }
    }
    return best;
}

static void
submit_to_best(struct pool *pool, struct command *cmd, unsigned n)
{
    struct conn *conn = one_for_all(pool, cmd, n);

    conn_submit(conn != NULL ? conn : least_busy(pool, cmd, n), cmd);
}

/* ---- those that wait for one */

/* Which of them. */
enum parked { PARKED_ALL, PARKED_TOO_LONG, PARKED_STATUS, PARKED_READY };

/* Under the lock: takes them out. */
static struct command *
take_parked(struct pool *pool, enum parked which)
{
    struct command *taken = NULL, **tail = &taken, **at = &pool->parked, *cmd;
    int64_t now = conn_clock_ms();

    while ((cmd = *at) != NULL) {
        if ((which == PARKED_TOO_LONG && cmd->give_up_ms > now) ||
            (which == PARKED_STATUS && cmd->kind != COMMAND_STATUS) ||
            (which == PARKED_READY &&
             (cmd->fenced_ms > now || !is_any_for(pool, cmd)))) {
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
        bool others = cmd->kind == COMMAND_STATUS && is_any_live(pool);
        cmd->done(cmd, others && which == PARKED_TOO_LONG ? EAGAIN : error);
        cmd = next;
    }
}

void
pool_fail_parked(struct pool *pool)
{
    fail_parked(pool, PARKED_ALL, ENOTCONN);
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

    if (is_any_for(pool, cmd))
        submit_to_best(pool, cmd, n);
    else
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

void
pool_orphan(void *owner, struct command *cmd)
{
    struct pool *pool = owner;
    bool any = pool->source->retry_ms > 0 || pool->spread; /* another one will do */

    if (cmd->ahead || atomic_load(&pool->closing))
        cmd->done(cmd, ENOTCONN);
    else if (any && !is_fenced(pool, cmd) && is_any_for(pool, cmd))
        submit_to_best(pool, cmd, atomic_load(&pool->n));
    else
        park(pool, cmd, true);
}

/* Under the lock: whether what is not known to be a hole is to be taken for data. */
static bool
is_mute(struct pool *pool, bool live)
{
    static const struct command status = {.kind = COMMAND_STATUS};
    int64_t now = conn_clock_ms();

    if (!live || is_any_for(pool, &status))
        pool->mute_ms = INT64_MAX;
    else if (pool->mute_ms == INT64_MAX)
        pool->mute_ms = now;
    return pool->mute_ms <= now - STATUS_MS;
}

bool
pool_tick(void *owner)
{
    struct pool *pool = owner;

    if (!atomic_load(&pool->ready))
        return false;
    pthread_mutex_lock(&pool->lock);
    bool live = is_any_live(pool), stale = pool_is_stale(pool) && !live;
    bool waits = pool->parked != NULL, mute = is_mute(pool, live);
    for (struct command *cmd = pool->parked; cmd != NULL; cmd = cmd->next)
        if (cmd->look != NULL)
            cmd->look(cmd);
    pthread_mutex_unlock(&pool->lock);
    if (live && waits)
        pool_submit_parked(pool);
    if (mute)
        fail_parked(pool, PARKED_STATUS, EAGAIN);
    fail_parked(pool, stale ? PARKED_ALL : PARKED_TOO_LONG, stale ? ESTALE : ENOTCONN);
    pool->events->tick(pool->owner);
    return waits;
}
