/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-group.h - connections that one thread receives for, beside other things it does
 *
 * Such a thread waits for their sockets together with what else it waits for.
 * Connections come to it by themselves, as long as all is well with them.
 */

#ifndef NBDMOUNT_CONN_GROUP_H
#define NBDMOUNT_CONN_GROUP_H

#include <stdbool.h>
#include <stdint.h>

struct conn_group;

/* How the thread waits for a file descriptor.  Called by the thread itself. */
struct conn_group_waiting {
    /* conn_group_ready is to be called with the token, once, when fd has one of events
     * (POLLIN, POLLOUT), an error or an end. */
    void (*watch)(void *user_data, int fd, short events, uint64_t token);
    /* Not any more, and nothing holds the file open when this has returned.  Where the
     * call is under way, it may come all the same. */
    void (*forget)(void *user_data, uint64_t token);
    void *user_data;
};

/* NULL: there is no memory. */
struct conn_group *conn_group_new(const struct conn_group_waiting *waiting);

/* From any thread: makes the group's own descriptor ready. */
void conn_group_wake(struct conn_group *group);

/* The rest is for the group's thread, from conn_group_open on, after which connections
 * may come. */
void conn_group_open(struct conn_group *group);

/* What is submitted from now on is sent together by the next turn. */
void conn_group_hold(struct conn_group *group);

void conn_group_ready(struct conn_group *group, uint64_t token);

/* Commands that its connections have not answered. */
unsigned conn_group_in_flight(const struct conn_group *group);

/* Does what there is to do, and never waits.  To be called before waiting. */
void conn_group_turn(struct conn_group *group);

/* The thread cannot wait as it should: all connections go back to their own threads,
 * and none comes any more.  Returns a descriptor that is readable after
 * conn_group_wake. */
int conn_group_close(struct conn_group *group);

/* At the end, when there is no connection left. NULL: nothing. */
void conn_group_free(struct conn_group *group);

#endif
