/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-spin.c - looking before sleeping: only where waits have been short, and where it
 * makes them shorter */

#include "conn.h"
#include "processors.h"
#include "spin.h"
#include "tap.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define SHORT_NS 50000
#define LONG_NS  1000000000
#define LOOK_NS  100000
#define PAUSE_NS 2000

/* The wait that has begun has taken so many nanoseconds, as far as it can tell. */
static void
took(struct spin *spin, int64_t ns)
{
    spin->begin_ns = conn_clock_ns() - ns;
    spin_learn(spin);
}

/* A wait, which looking makes shorter. */
static void
wait_for(struct spin *spin, int64_t ns)
{
    took(spin, spin_begin(spin) ? ns / 5 : ns);
}

/* How long it looks: the shortest of some; 0 if it never does. */
static int64_t
looks_for(struct spin *spin, int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};
    int64_t least = INT64_MAX;

    for (int i = 0; i < 20; i++) {
        int64_t begin = conn_clock_ns();
        spin_poll(spin, &look, 1);
        int64_t ns = conn_clock_ns() - begin;
        if (ns < least && spin->looks)
            least = ns;
    }
    return least < INT64_MAX ? least : 0;
}

/* In how many of a thousand waits it looks, if they take that long. */
static int
looks_in(struct spin *spin, int64_t slept_ns, int64_t looked_ns)
{
    int n = 0;

    for (int i = 0; i < 1000; i++) {
        bool looks = spin_begin(spin);
        n += looks;
        took(spin, looks ? looked_ns : slept_ns);
    }
    return n;
}

static void
test_worth(void)
{
    struct spin spin = {0};
    int fds[2];

    if (pipe(fds) == -1)
        _exit(99);
    spin_begin(&spin);
    is_int(spin.worth, 0, "a wait that has not ended teaches nothing");
    for (int i = 0; i < 100; i++)
        wait_for(&spin, SHORT_NS);
    int most = spin.worth;
    ok(most > 0 && most < 100, "short waits make it worth looking, up to a bound");

    /* Others may have the processor, so a look may seem long, but never short. */
    bool several = processors(1, 2) > 1;
    ok(!several || looks_for(&spin, fds[0]) >= LOOK_NS, "then it looks for a while");
    if (write(fds[1], "x", 1) != 1)
        _exit(99);
    struct pollfd there = {.fd = fds[0], .events = POLLIN};
    int64_t there_ns = looks_for(&spin, fds[0]);
    ok(!several || (there_ns > 0 && there_ns < LOOK_NS),
       "but not for what is there already");
    int found = 0;
    for (int i = 0; i < 10; i++)
        found += spin_poll(&spin, &there, 1);
    ok(!several || found >= 9, "and finds that");

    int turns = 0;
    while (spin.worth > 0 && turns++ < 100)
        wait_for(&spin, LONG_NS);
    ok(turns < most, "fewer long waits than short ones take that back");
    char byte;
    if (read(fds[0], &byte, 1) != 1)
        _exit(99);
    is_int(looks_for(&spin, fds[0]), 0, "and it sleeps at once");
    for (int i = 0; i < 1000; i++)
        wait_for(&spin, LONG_NS);
    int needed = 0;
    while (spin.worth < most && needed++ < 1000)
        wait_for(&spin, SHORT_NS);
    ok(needed <= 2 * most, "a thousand long waits are forgotten like a few");
}

/* To look without a pause makes those slower who are waited for. */
static void
test_pause(void)
{
    struct spin spin = {0};
    int64_t least_ns = INT64_MAX;
    int looks = 0;

    /* Others may have the processor in one of these waits, hardly in all of them. */
    for (int i = 0; i < 20; i++) {
        int n = 0;
        spin.begin_ns = conn_clock_ns();
        while (spin_goes_on(&spin))
            n++;
        int64_t ns = conn_clock_ns() - spin.begin_ns;
        least_ns = ns < least_ns ? ns : least_ns;
        looks = n > looks ? n : looks;
    }
    ok(least_ns >= LOOK_NS, "it goes on for a while");
    ok(looks > 0 && looks <= LOOK_NS / PAUSE_NS, "some microseconds between two looks");
    spin.begin_ns = conn_clock_ns() - LOOK_NS;
    ok(!spin_goes_on(&spin), "but not when it is time to sleep");
}

static void
test_better(void)
{
    struct spin spin = {0};

    if (processors(1, 2) < 2)
        return;
    ok(looks_in(&spin, 50000, 10000) >= 950,
       "it looks, where that makes waits shorter");
    ok(looks_in(&spin, 10000, 50000) <= 300, "it finds out where it makes them longer");
    int n = looks_in(&spin, 10000, 50000);
    ok(n <= 100, "and then does so seldom");
    ok(n >= 20, "but tries now and then");
    ok(looks_in(&spin, 50000, 10000) >= 850, "so that it finds out");
    ok(looks_in(&spin, 20000, 22000) >= 900,
       "a little longer: whoever wakes gains more");
    looks_in(&spin, 20000, 30000);
    ok(looks_in(&spin, 20000, 30000) <= 100, "much longer: not");
}

int
main(void)
{
    test_worth();
    test_pause();
    test_better();
    done_testing();
}
