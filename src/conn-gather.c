/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-gather.c - commands that a thread submits one after the other, sent together
 *
 * To send 4 KiB is a system call that takes longer than the bytes do, and wakes the
 * server for each.  So a thread that expects to submit more at once keeps its commands
 * here for so long.  They count as submitted: a connection has them in flight, but its
 * handle has not; if it is lost meanwhile, they go where those go that it had.
 */

#include "conn-io.h"

#define COMMANDS 16 /* that are kept at most */
#define TURNS    8  /* of gathering, until what was kept at first is sent */

static _Thread_local struct {
    bool open; /* between begin and end */
    unsigned turns;
    unsigned n;
    struct command *cmd[COMMANDS];
    struct conn *conn[COMMANDS]; /* a command that is answered may be gone */
} own;

void
conn_gather_begin(void)
{
    own.open = true;
}

bool
conn_gather_takes(struct conn *conn, struct command *cmd)
{
    if (!own.open)
        return false;
    own.cmd[own.n] = cmd;
    own.conn[own.n] = conn;
    if (++own.n == COMMANDS)
        conn_gather_send();
    return true;
}

/* All that are for the connection of the first. */
static void
send_to_one(void)
{
    struct conn *conn = own.conn[0];
    struct command *cmd[COMMANDS];
    unsigned n = 0, others = 0;

    for (unsigned i = 0; i < own.n; i++)
        if (own.conn[i] == conn) {
            cmd[n++] = own.cmd[i];
        } else {
            own.cmd[others] = own.cmd[i];
            own.conn[others++] = own.conn[i];
        }
    own.n = others;
    /* With the last answer the export may be closed, which does not wait for us. */
    atomic_fetch_add(&conn->leading, 1);
    conn_hand_over(conn, cmd, n);
    atomic_fetch_sub(&conn->leading, 1); /* from here on it may be gone */
}

void
conn_gather_send(void)
{
    while (own.n > 0)
        send_to_one();
    own.turns = 0;
}

void
conn_gather_end(void)
{
    if (!own.open)
        return;
    own.open = false;
    if (++own.turns == TURNS)
        conn_gather_send();
}
