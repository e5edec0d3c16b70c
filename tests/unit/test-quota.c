/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-quota.c - no more than the limit is taken, and whoever waits gets its turn */

#include "quota.h"
#include "tap.h"

#include <sched.h>

#define LIMIT   1000
#define THREADS 8
#define ROUNDS  20000

static struct quota quota;

struct waiting {
    struct quota_wait wait;
    int started; /* 0: not yet; otherwise its turn */
};
static int turn, looks;

static void
on_start(struct quota_wait *wait)
{
    ((struct waiting *)wait)->started = ++turn;
}

static void
on_look(struct quota_wait *wait)
{
    (void)wait;
    looks++;
}

static void
wait_for(struct waiting *waiting, size_t bytes)
{
    *waiting =
        (struct waiting){.wait = {.bytes = bytes, .start = on_start, .look = on_look}};
    quota_wait(&quota, &waiting->wait);
}

static void
test_turns(void)
{
    struct waiting a, b, c, d;

    quota_init(&quota, LIMIT);
    ok(quota_try(&quota, 600) && quota_try(&quota, 400), "all of it can be taken");
    ok(!quota_try(&quota, 1), "and not more");
    wait_for(&a, 500);
    wait_for(&b, 100);
    quota_give(&quota, 400);
    ok(!a.started && !b.started, "who is first waits until there is enough");
    ok(!quota_try(&quota, 1), "nobody gets past those that wait");
    quota_look(&quota);
    is_int(looks, 2, "they can be looked at");
    quota_give(&quota, 600);
    ok(a.started == 1 && b.started == 2, "they start in order");
    wait_for(&c, 5000);
    ok(!c.started, "more than the limit waits");
    quota_give(&quota, 600);
    ok(c.started, "until nobody else has anything");
    wait_for(&d, 1);
    quota_give(&quota, 5000);
    ok(d.started, "and then the others go on");
    quota_give(&quota, 1);
    is_int(atomic_load(&quota.taken), 0, "all was given back");
    quota_clear(&quota);
}

/* ---- many threads */

static atomic_size_t in_use, most;
static atomic_uint done, waits;

struct turn {
    struct quota_wait wait;
    atomic_bool mine;
};

static void
on_mine(struct quota_wait *wait)
{
    atomic_store(&((struct turn *)wait)->mine, true);
}

static void *
work(void *user_data)
{
    uint64_t random = (uintptr_t)user_data * 2654435761U + 1;

    for (unsigned i = 0; i < ROUNDS; i++) {
        random = random * UINT64_C(6364136223846793005) + 1442695040888963407;
        size_t bytes = (random >> 33) % 8 == 0 ? LIMIT : (random >> 40) % 400 + 1;
        struct turn mine = {.wait = {.bytes = bytes, .start = on_mine}};
        if (!quota_try(&quota, bytes)) {
            atomic_fetch_add(&waits, 1);
            quota_wait(&quota, &mine.wait);
            while (!atomic_load(&mine.mine))
                sched_yield();
        }
        size_t now = atomic_fetch_add(&in_use, bytes) + bytes,
               seen = atomic_load(&most);
        while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now))
            ;
        if (i % 64 == 0)
            sched_yield(); /* so that others find it taken */
        atomic_fetch_sub(&in_use, bytes);
        quota_give(&quota, bytes);
        atomic_fetch_add(&done, 1);
    }
    return NULL;
}

static void
test_threads(void)
{
    pthread_t thread[THREADS];

    quota_init(&quota, LIMIT);
    for (uintptr_t i = 0; i < THREADS; i++)
        if (pthread_create(&thread[i], NULL, work, (void *)(i + 1)) != 0)
            bail_out("no threads");
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    is_int(done, THREADS * ROUNDS, "nobody of many threads is forgotten");
    ok(most <= LIMIT, "and never more than the limit is taken (%zu)", most);
    diag("%u had to wait", waits);
    ok(waits > 0, "some had to wait");
    is_int(atomic_load(&quota.taken), 0, "all was given back");
    quota_clear(&quota);
}

int
main(void)
{
    test_turns();
    test_threads();
    done_testing();
}
