/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool-recover.c - connections that come and go, and sending again: see pool.h
 *
 * Generations: each connection belongs to the one in which it began to be made.  A loss
 * in the present generation begins the next one, in which nothing is live until all
 * connections of earlier ones are dropped and the replay is done.
 *
 * Doubt: a connection that is made while others are there may have reached a server
 * that was restarted just now, and the others have not noticed that theirs is dead.  A
 * flush that it answers would say nothing about what that one had.  So where anything
 * could be lost it gets no commands before one of the others has answered a question
 * that was asked after it was made: then the server that they know is alive, and it is
 * the same.
 */

#include "pool-own.h"
#include "replay.h"

#include <errno.h>

static void try_to_recover(struct pool *pool);
static void prove(struct pool *pool);

/* Under the lock, as the next ones: whether it may take commands. */
static bool
is_good(const struct pool *pool, const struct member *member)
{
    return member->up && member->generation == pool->generation &&
           member->size == pool->size && !member->surplus &&
           (pool->spread || member->server == pool->active);
}

static void
recovered(struct pool *pool)
{
    unsigned n = atomic_load(&pool->n);

    pool->recovering = false;
    for (unsigned i = 0; i < n; i++)
        if (is_good(pool, &pool->member[i]) && !pool->member[i].doubt)
            conn_set_live(pool->member[i].conn, true);
    prove(pool);
}

/* The export has grown: connections that do not know it end before anybody can ask them
 * for the new part. */
static void
retire_smaller(struct pool *pool)
{
    unsigned n = atomic_load(&pool->n);

    for (unsigned i = 0; i < n; i++) {
        struct member *member = &pool->member[i];
        if (!member->up || member->size == pool->size)
            continue;
        conn_set_live(member->conn, false);
        conn_retire(member->conn);
    }
}

static void
on_replayed(void *owner, int error)
{
    struct pool *pool = owner;

    if (error != ENOTCONN)
        pool->events->replayed(pool->owner, error);
    pthread_mutex_lock(&pool->lock);
    bool done = error != ENOTCONN;
    pool->through->failed = !done && pool->through->up; /* until it is dropped */
    for (unsigned i = 0; i < pool->n; i++)
        done &= !pool->member[i].up || pool->member[i].generation == pool->generation;
    pool->replaying = false;
    if (done)
        recovered(pool);
    pthread_mutex_unlock(&pool->lock);
    if (done)
        pool_submit_parked(pool);
    else
        try_to_recover(pool); /* the connection died; perhaps there is another one */
}

/* Sends again what is remembered if nothing of earlier generations is left, nor a
 * connection on which that was tried and which is about to be dropped. */
static void
try_to_recover(struct pool *pool)
{
    struct member *through = NULL;
    bool at_once = false;

    pthread_mutex_lock(&pool->lock);
    unsigned n = atomic_load(&pool->n);
    for (unsigned i = 0; i < n && pool->recovering && !pool->replaying; i++) {
        struct member *member = &pool->member[i];
        if (!member->up)
            continue;
        if (member->generation != pool->generation || member->failed) {
            through = NULL;
            break;
        }
        if (through == NULL && is_good(pool, member))
            through = member;
    }
    for (unsigned i = 0; i < n && through != NULL; i++)
        pool->member[i].doubt = false; /* what is sent now will be answered, or not */
    if (through != NULL && (pool->replay == NULL || replay_is_empty(pool->replay))) {
        recovered(pool);
        at_once = true;
    }
    if (through != NULL && !at_once) {
        pool->replaying = true;
        pool->through = through;
    }
    pthread_mutex_unlock(&pool->lock);
    if (at_once)
        pool_submit_parked(pool);
    else if (through != NULL)
        replay_send(pool->replay, through->conn, &pool->info, on_replayed, pool);
}

void
pool_replay(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    unsigned n = atomic_load(&pool->n);
    pool->recovering = true;
    for (unsigned i = 0; i < n; i++)
        conn_set_live(pool->member[i].conn, false);
    pthread_mutex_unlock(&pool->lock);
    try_to_recover(pool);
}

/* Under the lock: all others are given up too; lost may be none of them. */
static void
begin_generation(struct pool *pool, unsigned lost)
{
    unsigned n = atomic_load(&pool->n);

    pool->generation++;
    pool->recovering = true;
    for (unsigned i = 0; i < n; i++) {
        if (i == lost || !pool->member[i].up)
            continue;
        conn_set_live(pool->member[i].conn, false);
        conn_renew(pool->member[i].conn);
    }
}

void
pool_send_again(struct pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    if (!atomic_load(&pool->closing) && pool->replay != NULL &&
        !replay_is_empty(pool->replay))
        begin_generation(pool, atomic_load(&pool->n));
    pthread_mutex_unlock(&pool->lock);
}

/* ---- doubt */

/* Under the lock: whether this one, made just now, is in doubt. */
static bool
is_in_doubt(const struct pool *pool, const struct member *member)
{
    unsigned n = atomic_load(&pool->n);

    if (pool->info.read_only || !pool->info.can_flush || pool->size == 0 ||
        !atomic_load(&pool->ready) || (pool->recovering && !pool->replaying) ||
        (pool->replay != NULL && replay_is_empty(pool->replay)))
        return false; /* there is nothing to lose, or nothing was sent yet */
    for (unsigned i = 0; i < n; i++) {
        const struct member *other = &pool->member[i];
        if (other != member && other->up && other->generation == pool->generation)
            return true;
    }
    return false;
}

static void
on_proof(struct command *cmd, int error)
{
    struct pool *pool = cmd->owner;
    bool answered = error != ENOTCONN && error != ENOMEM; /* the latter may be ours */

    pthread_mutex_lock(&pool->lock);
    unsigned n = atomic_load(&pool->n);
    pool->proving = false;
    pool->witness->mute = !answered;
    for (unsigned i = 0; i < n; i++) {
        struct member *member = &pool->member[i];
        bool proven = member->tried && answered && member->up &&
                      member->generation == pool->generation;
        member->tried = false;
        if (!proven)
            continue;
        member->doubt = false;
        if (is_good(pool, member) && !pool->recovering)
            conn_set_live(member->conn, true);
    }
    prove(pool); /* for those that have come since, or through another one */
    pthread_mutex_unlock(&pool->lock);
    pool_submit_parked(pool);
}

/* Under the lock: asks on behalf of those that are in doubt. */
static void
prove(struct pool *pool)
{
    struct member *witness = NULL;
    unsigned n = atomic_load(&pool->n);
    bool any = false;

    if (pool->proving || pool->recovering || atomic_load(&pool->closing))
        return;
    for (unsigned i = 0; i < n; i++) {
        struct member *member = &pool->member[i];
        if (!member->up || member->generation != pool->generation)
            continue;
        member->tried = member->doubt;
        any |= member->doubt;
        if (!member->doubt && !member->mute && witness == NULL)
            witness = member;
    }
    if (!any)
        return;
    if (witness == NULL) { /* nobody is left who could tell */
        begin_generation(pool, n);
        return;
    }
    pool->proving = true;
    pool->witness = witness;
    pool->proof = (struct command){
        .kind = COMMAND_READ,
        .len =
            pool->size < pool->info.minimum ? (uint64_t)pool->size : pool->info.minimum,
        .buf = pool->proof_buf,
        .owner = pool,
        .done = on_proof,
        .ahead = true,
    };
    conn_submit(witness->conn, &pool->proof); /* done is never called in it */
}

/* ---- connections come and go */

bool
pool_has_structured(const struct pool *pool, const struct member *member)
{
    unsigned n = atomic_load(&pool->n);

    for (unsigned i = 0; i < n; i++) {
        const struct member *other = &pool->member[i];
        if (other != member && other->up && !other->simple && !other->surplus &&
            other->server == member->server && other->generation == pool->generation)
            return true;
    }
    return false;
}

bool
pool_connected(void *owner, unsigned index, const struct conn_info *now)
{
    struct pool *pool = owner;
    struct member *member = &pool->member[index];

    pthread_mutex_lock(&pool->lock);
    member->up = true;
    member->failed = member->tried = member->mute = false;
    member->size = now->size;
    member->simple = now->simple;
    member->surplus = !now->simple && pool_has_structured(pool, member);
    member->doubt = member->generation == pool->generation && is_in_doubt(pool, member);
    if (member->doubt)
        prove(pool); /* before one that could tell is retired */
    bool grown = now->size > pool->size && pool_may_grow(pool, member->server);
    if (grown) {
        pool->size = now->size;
        retire_smaller(pool);
    }
    if (member->generation == pool->generation && now->size == pool->size)
        pool_reached(pool, member);
    bool fine = is_good(pool, member);
    bool live = fine && !pool->recovering && !member->doubt;
    if (live)
        conn_set_live(member->conn, true);
    pthread_mutex_unlock(&pool->lock);
    if (grown && atomic_load(&pool->ready))
        pool->events->grown(pool->owner, now->size);
    if (live)
        pool_submit_parked(pool);
    else
        try_to_recover(pool);
    return fine;
}

void
pool_lost(void *owner, unsigned index, bool silent)
{
    struct pool *pool = owner;
    struct member *member = &pool->member[index];

    pthread_mutex_lock(&pool->lock);
    bool standby = pool_has_standby(pool);
    if (member->generation == pool->generation && (pool->replay != NULL || standby)) {
        begin_generation(pool, index);
        if (silent && standby && member->server == pool->active) {
            pool_next_server(pool);
            pool_fence(pool);
        }
    }
    pthread_mutex_unlock(&pool->lock);
}

void
pool_dropped(void *owner, unsigned index)
{
    struct pool *pool = owner;

    pthread_mutex_lock(&pool->lock);
    pool->member[index].up = false;
    prove(pool); /* it may have been the one that could tell */
    pthread_mutex_unlock(&pool->lock);
    try_to_recover(pool);
}
