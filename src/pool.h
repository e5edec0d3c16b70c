/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* pool.h - the connections of one export, and which of them gets a command
 *
 * More than one only where the server promises that they see each other's writes
 * (CAN_MULTI_CONN).  A command whose connection dies goes to another one, or waits
 * until there is one, as long as source->retry_ms says.
 *
 * Of several servers, all are read from if nothing is written; otherwise one is active
 * and the next takes its place when it fails.
 *
 * Where changes are remembered (replay.h), a connection that dies takes the others with
 * it: the server may have been restarted and have forgotten what was not flushed.  The
 * new ones take nothing else before all that is remembered was sent again.
 */

#ifndef NBDMOUNT_POOL_H
#define NBDMOUNT_POOL_H

#include "conn.h"

struct pool;
struct replay;

/* What a pool tells its owner, in an I/O thread. */
struct pool_events {
    void (*tick)(void *owner); /* several times a second while something is late */
    void (*replayed)(void *owner, int error); /* error: something was refused */
    void (*grown)(void *owner, int64_t size); /* the export */
};

/* Waits until the first connection works; the further ones come by themselves.  Of
 * several servers all that answer are asked whether they have the same export.
 * read_only: nothing will be written; so it is too where info says so.  connections are
 * those to one server.  source outlives the pool.  NULL: *why says why, for the caller
 * to free. */
struct pool *pool_open(const struct source *source, unsigned connections,
                       bool read_only, struct conn_info *info, char **why);

/* Before the first command.  replay, which may be NULL, outlives the pool. */
void pool_begin(struct pool *pool, const struct pool_events *events, void *owner,
                struct replay *replay);

/* Before the first command: sends what is in replay already, and nothing before that is
 * done; replayed is told. */
void pool_replay(struct pool *pool);

/* The server may have forgotten what it has answered: all that is in replay is sent
 * again, as if a connection had been lost. */
void pool_send_again(struct pool *pool);

/* Never fails and never waits for the network: see struct command. */
void pool_submit(struct pool *pool, struct command *cmd);

/* How many established connections have died.  While it stays the same, the server has
 * everything that it answered. */
unsigned pool_losses(const struct pool *pool);

/* How many there are, working or not; rises only. */
unsigned pool_connections(const struct pool *pool);

/* How one of the connections goes; false if there is none of that number.  Adds its
 * traffic to *sum, unless that is NULL. */
bool pool_look(const struct pool *pool, unsigned index, struct conn_report *report,
               struct traffic_sum *sum);

/* How it is with one of the servers; false if there is none of that number. */
struct server_report {
    const char *text;
    enum server_state {
        SERVER_ACTIVE,
        SERVER_STANDBY, /* nobody has asked whether it is there */
        SERVER_AWAY,    /* there is no connection */
        SERVER_OTHER,   /* it has something else, and is left out */
    } state;
};
bool pool_look_at_server(struct pool *pool, unsigned index,
                         struct server_report *report);

/* How many of them have nothing to do. */
unsigned pool_idle(const struct pool *pool);

/* Commands that wait for a connection. */
unsigned pool_waiting(struct pool *pool);

/* Lets what is in flight finish until the deadline and says goodbye to the server.
 * Nothing may be submitted any more. */
void pool_close(struct pool *pool, int64_t deadline_ms);

#endif
