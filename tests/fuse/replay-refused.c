/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-refused.c - what is sent again while there is no connection is sent once more
 *
 *     replay-refused SOCKET
 *
 * One thread chooses the connection through which all is sent again.  Before it sends,
 * that connection ends; before the answer, which is that there was none, is taken, it
 * is there anew.  The recovery must not wait for ever for the end of that one.  To hit
 * these moments functions of the daemon are wrapped.  SOCKET is that of a server
 * with a default export, the beginning of which is written to.
 */

#include "comes.h"
#include "handshake.h"
#include "log.h"
#include "pool.h"
#include "replay.h"
#include "tap.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_S 30
#define LENGTH     512
#define LIMIT      (1 << 20) /* bytes to remember; not reached */

/* What the daemon calls in place of these: see local.mk. */
bool __real_handshake_same(const struct conn_info *first, int64_t size_most,
                           const struct conn_info *now, char **why);
bool __wrap_handshake_same(const struct conn_info *first, int64_t size_most,
                           const struct conn_info *now, char **why);
void __real_replay_send(struct replay *replay, struct conn *conn,
                        const struct conn_info *info,
                        void (*ended)(void *owner, int error), void *owner);
void __wrap_replay_send(struct replay *replay, struct conn *conn,
                        const struct conn_info *info,
                        void (*ended)(void *owner, int error), void *owner);
void __wrap_log_line(enum log_level level, const char *format, ...);

static sem_t away; /* there is no connection, and one is about to be there */
static sem_t sent; /* what was to be sent again, meanwhile */
static sem_t answered;
static atomic_uint made; /* connections after the first one */
static atomic_uint sendings;
static atomic_uint replayed;
static atomic_uint lines;
static atomic_int replay_error = -1, read_error = -1; /* nothing was told */

/* The I/O thread takes no answers between this and the new connection's first turn. */
bool
__wrap_handshake_same(const struct conn_info *first, int64_t size_most,
                      const struct conn_info *now, char **why)
{
    if (atomic_fetch_add(&made, 1) == 0) {
        sem_post(&away);
        comes(&sent, DEADLINE_S); /* if not, then the cases in the other thread fail */
    }
    return __real_handshake_same(first, size_most, now, why);
}

void
__wrap_replay_send(struct replay *replay, struct conn *conn,
                   const struct conn_info *info, void (*ended)(void *owner, int error),
                   void *owner)
{
    struct conn_report report;

    if (atomic_fetch_add(&sendings, 1) > 0) {
        __real_replay_send(replay, conn, info, ended, owner);
        return;
    }
    conn_renew(conn); /* as when the pool loses another one */
    ok(comes(&away, DEADLINE_S),
       "the connection ends before all is sent again through it");
    __real_replay_send(replay, conn, info, ended, owner);
    conn_look(conn, &report, NULL);
    is_int(report.state, CONN_CONNECTING, "it is sent while there is none");
    is_int(report.in_flight, 1, "and the answer is not taken yet");
    sem_post(&sent);
}

/* Those that are expected are not for stderr, where something else may be said. */
void
__wrap_log_line(enum log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
    lines++;
}

static void
on_want_flush(void *owner)
{
    (void)owner;
}

static void
on_release(struct replay_entry *entry)
{
    (void)entry;
}

static void
on_tick(void *owner)
{
    (void)owner;
}

static void
on_replayed(void *owner, int error)
{
    (void)owner;
    replay_error = error;
    replayed++;
}

static void
on_grown(void *owner, int64_t size)
{
    (void)owner;
    (void)size;
}

static void
on_read(struct command *cmd, int error)
{
    (void)cmd;
    read_error = error;
    sem_post(&answered);
}

/* Sends again what is remembered; a read has to wait until that is done. */
static void
test_recovery(struct pool *pool, const uint8_t *want)
{
    static uint8_t got[LENGTH];
    static struct command cmd = {
        .kind = COMMAND_READ, .len = LENGTH, .buf = got, .done = on_read};

    pool_replay(pool);
    pool_submit(pool, &cmd);
    ok(comes(&answered, DEADLINE_S), "a read that waits for the recovery is answered");
    is_int(read_error, 0, "and well");
    ok(memcmp(got, want, LENGTH) == 0, "it reads what was sent again");
    is_int(sendings, 2, "which was sent once more");
    is_int(replayed, 1, "all was told that it is");
    is_int(replay_error, 0, "and well");
    is_int(made, 2, "the connection without it was made anew");
    is_int(pool_losses(pool), 1, "and counts as lost");
    is_int(lines, 2, "a line says so, and another that it is there again");
}

int
main(int argc, char **argv)
{
    static const struct pool_events events = {
        .tick = on_tick, .replayed = on_replayed, .grown = on_grown};
    static uint8_t data[LENGTH];
    struct replay_entry entry = {
        .kind = COMMAND_WRITE, .len = LENGTH, .data = data, .release = on_release};
    struct conn_info info;
    char *why = NULL;

    if (argc != 2)
        return 99;
    memset(data, 'x', sizeof data);
    sem_init(&away, 0, 0);
    sem_init(&sent, 0, 0);
    sem_init(&answered, 0, 0);
    struct source source = {
        .socket = argv[1], .text = argv[1], .retry_ms = INT64_MAX, .replay = LIMIT};
    struct replay *replay = replay_new(LIMIT, on_want_flush, NULL);
    struct pool *pool = pool_open(&source, 1, false, &info, &why);
    if (replay == NULL || pool == NULL) {
        diag("%s", why != NULL ? why : "out of memory");
        return 99;
    }
    replay_put(replay, &entry);
    pool_begin(pool, &events, NULL, replay);
    test_recovery(pool, data);
    pool_close(pool, conn_clock_ms() + DEADLINE_S * 1000);
    replay_free(replay);
    done_testing();
}
