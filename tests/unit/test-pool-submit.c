/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-pool-submit.c - which connection gets a command, and what waits for one
 *
 * The linker puts connections that only count in the place of real ones, and a clock
 * that stands still.
 */

#include "pool-own.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CONNS   3
#define FOREVER INT64_MAX
#define WAITS   (-1) /* no answer yet */

struct fake {
    bool live, simple;
    unsigned in_flight;
    int64_t pace_ns;
    unsigned got;
};

static struct fake fakes[CONNS];
static int64_t now_ms = 1000000;

static struct fake *
fake_of(const struct conn *conn)
{
    return (struct fake *)(uintptr_t)conn;
}

bool __wrap_conn_is_live(const struct conn *conn);
bool __wrap_conn_is_simple(const struct conn *conn);
unsigned __wrap_conn_in_flight(const struct conn *conn);
int64_t __wrap_conn_pace(const struct conn *conn);
void __wrap_conn_submit(struct conn *conn, struct command *cmd);
int64_t __wrap_conn_clock_ms(void);

bool
__wrap_conn_is_live(const struct conn *conn)
{
    return fake_of(conn)->live;
}

bool
__wrap_conn_is_simple(const struct conn *conn)
{
    return fake_of(conn)->simple;
}

unsigned
__wrap_conn_in_flight(const struct conn *conn)
{
    return fake_of(conn)->in_flight;
}

int64_t
__wrap_conn_pace(const struct conn *conn)
{
    return fake_of(conn)->pace_ns;
}

void
__wrap_conn_submit(struct conn *conn, struct command *cmd)
{
    (void)cmd;
    fake_of(conn)->got++;
}

int64_t
__wrap_conn_clock_ms(void)
{
    return now_ms;
}

static void
on_tick(void *owner)
{
    (void)owner;
}

static void
on_done(struct command *cmd, int error)
{
    *(int *)cmd->owner = *(int *)cmd->owner == WAITS ? error : -2; /* once */
}

/* The first has structured replies. */
static struct pool *
new_pool(const struct source *source)
{
    static const struct pool_events events = {.tick = on_tick};
    struct pool *pool = calloc(1, sizeof *pool + CONNS * sizeof pool->member[0]);

    if (pool == NULL)
        abort();
    pool->source = source;
    pool->events = &events;
    pool->n_servers = 1;
    pool->mute_ms = INT64_MAX;
    pool->parked_tail = &pool->parked;
    pthread_mutex_init(&pool->lock, NULL);
    atomic_init(&pool->n, CONNS);
    atomic_init(&pool->ready, true);
    for (unsigned i = 0; i < CONNS; i++) {
        fakes[i] = (struct fake){true, i > 0, 0, CONN_PACE_MAX, 0};
        pool->member[i].conn = (struct conn *)(void *)&fakes[i];
    }
    return pool;
}

static void
free_pool(struct pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
    free(pool);
}

static void
load(unsigned a, unsigned b, unsigned c)
{
    fakes[0].in_flight = a;
    fakes[1].in_flight = b;
    fakes[2].in_flight = c;
}

/* Which connection gets it. */
static int
of_command_goes_to(struct pool *pool, struct command *cmd)
{
    int to = -1;

    pool_submit(pool, cmd);
    for (int i = 0; i < CONNS; i++) {
        if (fakes[i].got > 0)
            to = to == -1 && fakes[i].got == 1 ? i : -2;
        fakes[i].got = 0;
    }
    return to;
}

static int
goes_to(struct pool *pool, enum command_kind kind, uint64_t off, uint64_t len)
{
    struct command cmd = {.kind = kind, .off = off, .len = len};

    return of_command_goes_to(pool, &cmd);
}

static int
ahead_goes_to(struct pool *pool)
{
    struct command cmd = {.kind = COMMAND_READ, .len = 1 << 20, .together = true};

    return of_command_goes_to(pool, &cmd);
}

static void
test_together(void)
{
    struct source source = {.retry_ms = FOREVER};
    struct pool *pool = new_pool(&source);

    load(5, 0, 0);
    is_int(ahead_goes_to(pool), 1, "with many processors the least busy reads ahead");
    pool->few_processors = true;
    is_int(ahead_goes_to(pool), 0, "with few one connection does it all");
    is_int(goes_to(pool, COMMAND_READ, 0, 1 << 20), 1,
           "and another one what is not ahead");
    load(31, 0, 0);
    is_int(ahead_goes_to(pool), 0, "up to a bound");
    load(32, 31, 0);
    is_int(ahead_goes_to(pool), 1, "then the next one");
    load(40, 33, 32);
    is_int(ahead_goes_to(pool), 2, "and then the least busy");
    load(5, 0, 0);
    fakes[0].live = false;
    is_int(ahead_goes_to(pool), 1, "one that is lost is passed over");
    fakes[0].live = true;
    pool->spread = true;
    pool->n_servers = 2;
    is_int(ahead_goes_to(pool), 1, "and several servers are all used");
    free_pool(pool);
}

static void
test_choice(void)
{
    struct source source = {.retry_ms = FOREVER};
    struct pool *pool = new_pool(&source);

    is_int(goes_to(pool, COMMAND_READ, 0, 65536), 0, "a large read goes to the first");
    is_int(goes_to(pool, COMMAND_WRITE, 0, 512), 0, "so does a write");
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 1, "a small read to a simple one");
    load(1, 1, 0);
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 2, "the one with less to do");
    load(4, 6, 6);
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 0, "a slow server has all used alike");
    fakes[2].pace_ns = 20000;
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 1, "a quick one not");
    is_int(goes_to(pool, COMMAND_READ, 0, 65536), 0, "but by large reads");
    load(0, 31, 40);
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 1, "up to a bound");
    load(0, 33, 40);
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 0, "beyond it the other one is used");
    load(2, 4, 4);
    pool->info.encrypted = true;
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 0, "what is encrypted is shared");
    pool->info.encrypted = false;
    load(9, 0, 0);
    is_int(goes_to(pool, COMMAND_STATUS, 0, 65536), 0,
           "block status goes to the only one that takes it");
    fakes[1].live = fakes[2].live = false;
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 0, "a lone one gets all");
    free_pool(pool);
}

static void
test_spread(void)
{
    struct source source = {.retry_ms = FOREVER};
    struct pool *pool = new_pool(&source);

    pool->spread = true;
    pool->n_servers = 2;
    is_int(goes_to(pool, COMMAND_READ, 0, 512), 0, "of several servers each");
    is_int(goes_to(pool, COMMAND_READ, 4 << 20, 512), 1, "has its turn");
    free_pool(pool);
}

static void
test_waiting(void)
{
    struct source source = {.retry_ms = FOREVER};
    struct pool *pool = new_pool(&source);
    int error = WAITS, written = WAITS;
    struct command cmd = {
        .kind = COMMAND_STATUS, .len = 512, .owner = &error, .done = on_done};
    struct command write = {.kind = COMMAND_WRITE,
                            .len = 512,
                            .owner = &written,
                            .done = on_done,
                            .fenced_ms = now_ms + 1000000};

    fakes[0].live = false;
    pool_submit(pool, &cmd);
    ok(fakes[1].got + fakes[2].got == 0 && error == WAITS, "block status waits");
    ok(pool_tick(pool), "which is known");
    now_ms += 4900;
    pool_tick(pool);
    is_int(error, WAITS, "for nearly five seconds");
    fakes[1].live = fakes[2].live = false;
    pool_submit(pool, &write);
    pool_tick(pool);
    now_ms += 60000;
    pool_tick(pool);
    is_int(error, WAITS, "and much longer where nothing is connected");
    fakes[1].live = true;
    pool_tick(pool);
    is_int(error, WAITS, "five seconds more when something is again");
    now_ms += 5000;
    pool_tick(pool);
    is_int(error, EAGAIN, "then it is given up");
    is_int(written, WAITS, "a write that must not be sent yet is not");
    error = WAITS;
    cmd.give_up_ms = 0;
    pool_submit(pool, &cmd);
    pool_tick(pool);
    is_int(error, EAGAIN, "the next one soon");
    error = WAITS;
    cmd.give_up_ms = 0;
    pool_submit(pool, &cmd);
    fakes[0].live = true;
    pool_submit_parked(pool);
    ok(error == WAITS && fakes[0].got == 1, "until there is one that takes it");
    free_pool(pool);
}

static void
test_no_retry(void)
{
    struct source source = {.retry_ms = 0};
    struct pool *pool = new_pool(&source);
    int error = WAITS;
    struct command cmd = {
        .kind = COMMAND_STATUS, .len = 512, .owner = &error, .done = on_done};

    fakes[0].live = false;
    pool_submit(pool, &cmd);
    pool_tick(pool);
    is_int(error, EAGAIN, "who does not want to wait gets data while others are there");
    fakes[1].live = fakes[2].live = false;
    error = WAITS;
    cmd.give_up_ms = 0;
    pool_submit(pool, &cmd);
    pool_tick(pool);
    is_int(error, ENOTCONN, "and an error where nothing is");
    free_pool(pool);
}

int
main(void)
{
    test_choice();
    test_together();
    test_spread();
    test_waiting();
    test_no_retry();
    done_testing();
}
