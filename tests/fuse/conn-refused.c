/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-refused.c - what came while there was no connection is no fault of the next one
 *
 *     conn-refused SOCKET
 *
 * A command is submitted to a connection that takes none yet, which does before it
 * looks what became of that command.  SOCKET is that of a server with a default export.
 */

#include "comes.h"
#include "conn.h"
#include "handshake.h"
#include "tap.h"

#include <errno.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_S 30
#define LENGTH     512

struct owner {
    struct conn *conn;
    sem_t begun, ended;
    struct command cmd;
    char buf[LENGTH];
    int error;
    unsigned made, orphans, ends;
};

static void
on_done(struct command *cmd, int error)
{
    struct owner *owner = cmd->owner;

    owner->error = error;
    sem_post(&owner->ended);
}

static void
on_connecting(void *user, unsigned index, struct conn_aim *aim)
{
    (void)user;
    (void)index;
    aim->size_most = INT64_MAX;
}

static bool
on_connected(void *user, unsigned index, const struct conn_info *now)
{
    struct owner *owner = user;

    (void)index;
    (void)now;
    sem_wait(&owner->begun); /* until conn is set */
    sem_post(&owner->begun);
    if (owner->made++ == 0)
        conn_submit(owner->conn, &owner->cmd);
    conn_set_live(owner->conn, true);
    return true;
}

static void
on_orphan(void *user, struct command *cmd)
{
    struct owner *owner = user;

    if (owner->orphans++ < 3)
        conn_submit(owner->conn, cmd);
    else
        on_done(cmd, ENOTCONN);
}

static bool
on_failed(void *user, unsigned index, bool refused)
{
    (void)user;
    (void)index;
    (void)refused;
    return false;
}

static void
on_lost(void *user, unsigned index, bool silent)
{
    (void)index;
    (void)silent;
    ((struct owner *)user)->ends++;
}

static void
on_dropped(void *user, unsigned index)
{
    (void)index;
    ((struct owner *)user)->ends++;
}

static bool
on_tick(void *user)
{
    (void)user;
    return false;
}

static const struct conn_events events = {
    .connecting = on_connecting,
    .connected = on_connected,
    .failed = on_failed,
    .lost = on_lost,
    .dropped = on_dropped,
    .orphan = on_orphan,
    .tick = on_tick,
};

/* What a connection is to find again.  False: there is no server. */
static bool
ask(const struct source *source, struct conn_info *info)
{
    struct handshake_wait wait = {.deadline_ms = conn_clock_ms() + DEADLINE_S * 1000};
    char *why = NULL;
    struct nbd_handle *h = handshake(source, false, &wait, info, &why);

    if (h == NULL)
        diag("%s", why != NULL ? why : "out of memory");
    free(why);
    nbd_close(h);
    return h != NULL;
}

int
main(int argc, char **argv)
{
    static struct owner owner;
    struct conn_info info = {0};

    if (argc != 2)
        return 99;
    struct source source = {.socket = argv[1], .text = argv[1]};
    if (!ask(&source, &info))
        return 99;
    owner.cmd = (struct command){.kind = COMMAND_READ,
                                 .len = LENGTH,
                                 .buf = owner.buf,
                                 .owner = &owner,
                                 .done = on_done};
    sem_init(&owner.begun, 0, 0);
    sem_init(&owner.ended, 0, 0);
    owner.conn = conn_start(&source, &events, &owner, 0, &info);
    if (owner.conn == NULL)
        return 99;
    sem_post(&owner.begun);
    ok(comes(&owner.ended, DEADLINE_S), "a command that came too early is answered");
    is_int(owner.error, 0, "and well");
    is_int(owner.orphans, 1, "it was given back once");
    is_int(owner.made, 1, "the connection was made once");
    is_int(owner.ends, 0, "and is still there");
    conn_stop(owner.conn, conn_clock_ms() + DEADLINE_S * 1000);
    conn_join(owner.conn);
    conn_free(owner.conn);
    done_testing();
}
