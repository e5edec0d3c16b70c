/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-spin.c - looking before sleeping: only where waits have been short */

#include "conn.h"
#include "processors.h"
#include "spin.h"
#include "tap.h"

#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define LONG_NS 1000000000

/* A wait of so many nanoseconds, as far as it can tell. */
static void
waited(struct spin *spin, int64_t ns)
{
    spin->begin_ns = conn_clock_ns() - ns;
    spin_learn(spin);
}

/* How long it looks at what does not come: the shortest of some. */
static int64_t
looks_for(struct spin *spin, int fd)
{
    int64_t least = INT64_MAX;

    for (int i = 0; i < 20; i++) {
        int64_t begin = conn_clock_ns();
        spin_look(spin, fd);
        int64_t took = conn_clock_ns() - begin;
        if (took < least)
            least = took;
    }
    return least;
}

int
main(void)
{
    struct spin spin = {0};
    int fds[2];

    if (pipe(fds) == -1)
        return 99;
    spin_look(&spin, fds[0]);
    is_int(spin.worth, 0, "a wait that has not ended teaches nothing");
    for (int i = 0; i < 100; i++)
        waited(&spin, 0);
    int most = spin.worth;
    ok(most > 0 && most < 100, "short waits make it worth looking, up to a bound");

    /* Others may have the processor, so a look may seem long, but never short. */
    bool several = processors(1, 2) > 1;
    ok(!several || looks_for(&spin, fds[0]) >= 30000, "then it looks for a while");
    if (write(fds[1], "x", 1) != 1)
        return 99;
    int64_t there = looks_for(&spin, fds[0]);
    ok(there < 30000, "but not for what is there already");

    int turns = 0;
    while (spin.worth > 0 && turns++ < 100)
        waited(&spin, LONG_NS);
    ok(turns < most, "fewer long waits than short ones take that back");
    char byte;
    if (read(fds[0], &byte, 1) != 1)
        return 99;
    ok(looks_for(&spin, fds[0]) < 30000, "and it sleeps at once");
    for (int i = 0; i < 1000; i++)
        waited(&spin, LONG_NS);
    int needed = 0;
    while (spin.worth < most && needed++ < 1000)
        waited(&spin, 0);
    ok(needed <= 2 * most, "a thousand long waits are forgotten like a few");
    done_testing();
}
