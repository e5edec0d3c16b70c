/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool-servers.c - several servers of the same export: which of them is used
 *
 * For reading all of them at once: each connection belongs to one server for good.  For
 * writing only one, the active server, to which all connections go; when it fails, the
 * next one in the list becomes active.  That is decided while nothing is connected, so
 * that two servers never get changes in the same generation.
 */

#include "handshake.h"
#include "log.h"
#include "pool-own.h"

#include <stdio.h>
#include <stdlib.h>

#define CONNECT_MS 30000 /* for an attempt, where there is no other server */
#define SERVER_MS  5000  /* where there is */

void
pool_set_servers(struct pool *pool, const struct source *source)
{
    const struct source *s = source->servers != NULL ? source->servers : source;

    for (; s != NULL && pool->n_servers < SERVERS_MAX; s = s->next)
        pool->server[pool->n_servers++].source = s;
}

bool
pool_has_standby(const struct pool *pool)
{
    return pool->n_servers > 1 && !pool->spread;
}

bool
pool_is_stale(const struct pool *pool)
{
    for (unsigned i = 0; i < pool->n_servers; i++)
        if (!pool->server[i].stale)
            return false;
    return true;
}

/* Under the lock, as all below: whether there is a connection; but: not to this one. */
static bool
is_up(const struct pool *pool, unsigned but)
{
    unsigned n = atomic_load(&pool->n);

    for (unsigned i = 0; i < n; i++)
        if (pool->member[i].up && pool->member[i].server != but)
            return true;
    return false;
}

bool
pool_may_grow(const struct pool *pool, unsigned server)
{
    return pool->n_servers == 1 || (pool->server[server].known && !is_up(pool, server));
}

/* ---- what connections tell */

void
pool_connecting(void *owner, unsigned index, struct conn_aim *aim)
{
    struct pool *pool = owner;
    struct member *member = &pool->member[index];

    pthread_mutex_lock(&pool->lock);
    member->generation = pool->generation;
    if (!pool->spread)
        member->server = pool->active;
    aim->source = pool->server[member->server].source;
    aim->simple = pool_has_structured(pool, member);
    aim->read_only = pool->info.read_only;
    aim->size = pool->size;
    aim->size_most = pool_may_grow(pool, member->server) ? INT64_MAX : pool->size;
    aim->limit_ms = pool->n_servers > 1 ? SERVER_MS : CONNECT_MS;
    pthread_mutex_unlock(&pool->lock);
}

void
pool_next_server(struct pool *pool)
{
    pool->active = (pool->active + 1) % pool->n_servers;
    pool->failed_in_row++;
}

bool
pool_failed(void *owner, unsigned index, bool refused)
{
    struct pool *pool = owner;
    struct member *member = &pool->member[index];
    bool at_once = false;

    pthread_mutex_lock(&pool->lock);
    if (refused)
        pool->server[member->server].stale = true;
    if (pool_has_standby(pool) && member->server != pool->active) {
        at_once = true; /* somebody else has found that out before */
    } else if (pool_has_standby(pool) && !is_up(pool, SERVERS_MAX)) {
        pool_next_server(pool);
        at_once = pool->failed_in_row % pool->n_servers != 0;
    }
    pthread_mutex_unlock(&pool->lock);
    return at_once;
}

void
pool_reached(struct pool *pool, const struct member *member)
{
    struct server *server = &pool->server[member->server];

    server->stale = false;
    server->known = true;
    if (!pool_has_standby(pool))
        return;
    pool->failed_in_row = 0;
    if (!is_up(pool, member->server))
        pool->active = member->server; /* it was first */
    if (pool->active == member->server && pool->serving != member->server) {
        log_info("%s: is the active server now, in place of %s", server->source->text,
                 pool->server[pool->serving].source->text);
        pool->serving = member->server;
    }
}

bool
pool_look_at_server(struct pool *pool, unsigned index, struct server_report *report)
{
    if (index >= pool->n_servers)
        return false;
    const struct server *server = &pool->server[index];
    bool up = false;

    pthread_mutex_lock(&pool->lock);
    unsigned n = atomic_load(&pool->n);
    for (unsigned i = 0; i < n; i++)
        up |= pool->member[i].up && pool->member[i].server == index;
    bool waits = !pool->spread && pool->active != index;
    report->text = server->source->text;
    report->state = server->stale ? SERVER_OTHER
                    : waits       ? SERVER_STANDBY
                    : up          ? SERVER_ACTIVE
                                  : SERVER_AWAY;
    pthread_mutex_unlock(&pool->lock);
    return true;
}

/* ---- at the mount */

static bool
goes_on(void *user_data)
{
    const struct source *source = user_data;

    return source->keep_trying == NULL || source->keep_trying();
}

/* Appends "TEXT: why" to *all. */
static void
add_reason(char **all, const char *text, char *why)
{
    char *before = *all;

    if (asprintf(all, "%s%s%s: %s", before != NULL ? before : "",
                 before != NULL ? "; " : "", text,
                 why != NULL ? why : "out of memory") == -1)
        *all = NULL;
    free(before);
    free(why);
}

struct conn *
pool_open_first(struct pool *pool, const struct conn_events *events,
                struct conn_info *info, char **why)
{
    struct member *first = &pool->member[0];

    if (pool->n_servers == 1)
        return conn_open(pool->server[0].source, events, pool, 0,
                         handshake_mount_deadline(pool->source), info, why);
    char *all = NULL;
    for (unsigned i = 0;
         i < pool->n_servers && goes_on((void *)(uintptr_t)pool->source); i++) {
        const struct source *source = pool->server[i].source;
        struct conn *conn =
            conn_open(source, events, pool, 0, conn_clock_ms() + SERVER_MS, info, why);
        if (conn != NULL) {
            if (all != NULL)
                log_warning("some servers cannot be reached: %s", all);
            free(all);
            first->server = pool->active = pool->serving = i;
            pool->server[i].known = true;
            return conn;
        }
        add_reason(&all, source->text, *why);
        *why = NULL;
    }
    *why = all;
    return NULL;
}

bool
pool_check_others(struct pool *pool, char **why)
{
    struct handshake_wait wait = {
        .keep_trying = goes_on,
        .user_data = (void *)(uintptr_t)pool->source,
    };

    /* Those before it were tried. */
    for (unsigned i = pool->active + 1; i < pool->n_servers; i++) {
        struct server *server = &pool->server[i];
        char *reason = NULL;
        wait.deadline_ms = conn_clock_ms() + SERVER_MS;
        switch (
            handshake_try(server->source, &wait, &pool->info, pool->size, &reason)) {
        case HANDSHAKE_SAME:
            server->known = true;
            break;
        case HANDSHAKE_FAILED:
            log_warning("%s: cannot be reached; it is tried again when needed: %s",
                        server->source->text,
                        reason != NULL ? reason : "out of memory");
            break;
        case HANDSHAKE_OTHER:
            if (asprintf(why, "%s and %s are different: %s",
                         pool->server[pool->active].source->text, server->source->text,
                         reason != NULL ? reason : "out of memory") == -1)
                *why = NULL;
            free(reason);
            return false;
        }
        free(reason);
    }
    return true;
}
