/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spin.c - see spin.h */

#include "spin.h"
#include "conn.h"
#include "processors.h"

#include <poll.h>
#include <stdbool.h>

#define SPIN_NS   30000 /* about what it costs to sleep and to be woken */
#define WORTH_IT  4     /* so many waits more were short than were long */
#define WORTH_MAX 8
#define FAILED    2 /* a long wait counts for so many short ones */

static bool
may_spin(void)
{
    static _Thread_local int may; /* 1 yes, -1 no */

    /* With a single one we would keep those from it whom we wait for. */
    if (may == 0)
        may = processors(1, 2) > 1 ? 1 : -1;
    return may > 0;
}

void
spin_look(struct spin *spin, int fd)
{
    struct pollfd look = {.fd = fd, .events = POLLIN};

    spin->begin_ns = conn_clock_ns();
    if (spin->worth < WORTH_IT || !may_spin())
        return;
    while (poll(&look, 1, 0) == 0 && conn_clock_ns() - spin->begin_ns < SPIN_NS)
        ;
}

void
spin_learn(struct spin *spin)
{
    if (conn_clock_ns() - spin->begin_ns < SPIN_NS)
        spin->worth += spin->worth < WORTH_MAX;
    else if (spin->worth > 0)
        spin->worth -= FAILED;
}
