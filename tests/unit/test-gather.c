/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-gather.c - commands that are kept for a moment: all are handed over, once, in
 * order, with those of the same connection
 *
 * The linker puts a function that only notes what it gets in the place of what gives
 * them to the library.
 */

#include "conn-io.h"
#include "tap.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#define MANY 1000 /* more than are ever kept */

static struct conn conns[2];
static struct command commands[MANY];

/* What was handed over since the last reset. */
static unsigned pieces, got, largest;
static bool in_order, led;
static struct conn *last_conn;

void __wrap_conn_hand_over(struct conn *conn, struct command *const *cmd, unsigned n);

void
__wrap_conn_hand_over(struct conn *conn, struct command *const *cmd, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        in_order &= cmd[i]->conn == conn && (i == 0 || cmd[i - 1] < cmd[i]);
        in_order &= cmd[i]->off++ == 0; /* once */
    }
    pieces++;
    got += n;
    largest = n > largest ? n : largest;
    led &= atomic_load(&conn->leading) == 1;
    last_conn = conn;
}

static void
reset(void)
{
    memset(commands, 0, sizeof commands);
    pieces = got = largest = 0;
    in_order = led = true;
    last_conn = NULL;
}

/* False: it was not kept. */
static bool
submit(unsigned i, struct conn *conn)
{
    commands[i].conn = conn;
    return conn_gather_takes(conn, &commands[i]);
}

static void
nothing_is_kept(void)
{
    reset();
    ok(!submit(0, &conns[0]), "outside of begin and end nothing is kept");
    conn_gather_begin();
    conn_gather_end();
    ok(!submit(0, &conns[0]), "nor after the end");
    conn_gather_send();
    is_int(pieces, 0, "and nothing is handed over");
}

static void
until_it_is_sent(void)
{
    reset();
    for (unsigned i = 0; i < 3; i++) {
        conn_gather_begin();
        ok(submit(i, &conns[0]), "command %u is kept", i);
        conn_gather_end();
    }
    is_int(pieces, 0, "as long as it may");
    conn_gather_send();
    is_int(pieces, 1, "then all are handed over in one piece");
    is_int(got, 3, "each of them");
    ok(in_order, "once, in order");
    ok(led, "while the connection cannot be freed");
    is_int(atomic_load(&conns[0].leading), 0, "and afterwards it can");
    conn_gather_send();
    is_int(got, 3, "and nothing a second time");
}

/* Who asks for many turns may go on for ever. */
static void
some_turns(void)
{
    unsigned turns = 0;

    reset();
    do {
        conn_gather_begin();
        submit(turns, &conns[0]);
        conn_gather_end();
    } while (++turns < MANY && pieces == 0);
    ok(turns > 1 && turns < 64, "%u turns, and it is sent by itself", turns);
    is_int(got, turns, "all of it");
    reset();
    conn_gather_begin();
    submit(0, &conns[0]);
    conn_gather_end();
    unsigned more = 1;
    for (; more < MANY && pieces == 0; more++) {
        conn_gather_begin();
        conn_gather_end();
    }
    is_int(more, turns, "turns without a command count too");
    is_int(got, 1, "and it is sent");
}

/* One turn with more commands than there is room for. */
static void
many_commands(void)
{
    bool kept = true;

    reset();
    conn_gather_begin();
    for (unsigned i = 0; i < MANY; i++)
        kept &= submit(i, &conns[i % 3 == 0]);
    conn_gather_end();
    conn_gather_send();
    ok(kept, "many at once: all are kept");
    is_int(got, MANY, "and handed over");
    ok(in_order, "once, in order, to their connections");
    ok(largest > 1, "up to %u in a piece", largest);
    ok(led, "each while its connection cannot be freed");
    is_int(atomic_load(&conns[0].leading) + atomic_load(&conns[1].leading), 0,
           "and afterwards they can");
}

static void *
of_its_own(void *user_data)
{
    (void)user_data;
    ok(!submit(1, &conns[1]), "another thread does not gather");
    conn_gather_send();
    is_int(pieces, 0, "nor sends what is not its own");
    return NULL;
}

static void
threads(void)
{
    pthread_t thread;

    reset();
    conn_gather_begin();
    submit(0, &conns[0]);
    if (pthread_create(&thread, NULL, of_its_own, NULL) == 0)
        pthread_join(thread, NULL);
    conn_gather_end();
    conn_gather_send();
    ok(got == 1 && last_conn == &conns[0], "the first one's is sent by itself");
}

int
main(void)
{
    nothing_is_kept();
    until_it_is_sent();
    some_turns();
    many_commands();
    threads();
    done_testing();
}
