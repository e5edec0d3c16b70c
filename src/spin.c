/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spin.c - see spin.h */

#include "spin.h"
#include "conn.h"
#include "processors.h"

#define SPIN_NS   100000 /* what it may cost a virtual machine to sleep and be woken */
#define PAUSE_NS  5000   /* between two looks: without it those waited for are slower */
#define WORTH_IT  4      /* so many waits more were short than were long */
#define WORTH_MAX 8
#define FAILED    2  /* a long wait counts for so many short ones */
#define TRY_OTHER 31 /* one wait in so many is as seems worse: that may change */
#define MEAN_OF   16
#define WAKING_OF 4 /* by such a part looking may take longer */

static bool
may_spin(void)
{
    static _Thread_local int may; /* 1 yes, -1 no */

    /* With a single one we would keep those from it whom we wait for. */
    if (may == 0)
        may = processors(1, 2) > 1 ? 1 : -1;
    return may > 0;
}

bool
spin_begin(struct spin *spin)
{
    spin->begin_ns = conn_clock_ns();
    spin->looks = false;
    if (spin->worth < WORTH_IT || !may_spin())
        return false;
    int64_t looked_ns = spin->mean_ns[true], slept_ns = spin->mean_ns[false];
    /* Whoever wakes a thread loses time too, which none of our waits shows. */
    bool better = looked_ns <= slept_ns + slept_ns / WAKING_OF;
    bool other = ++spin->waits % TRY_OTHER == 0; /* odd: waits may alternate */
    spin->looks = better != other;
    return spin->looks;
}

/* Leaves the processor's units to its other thread, where it has two. */
static void
relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

bool
spin_goes_on(const struct spin *spin)
{
    int64_t looked_ns = conn_clock_ns(), now_ns = looked_ns;

    while (now_ns - spin->begin_ns < SPIN_NS && now_ns - looked_ns < PAUSE_NS) {
        relax();
        now_ns = conn_clock_ns();
    }
    return now_ns - spin->begin_ns < SPIN_NS;
}

int
spin_poll(struct spin *spin, struct pollfd *fds, nfds_t n)
{
    int ready = 0;

    if (spin_begin(spin))
        while ((ready = poll(fds, n, 0)) == 0 && spin_goes_on(spin))
            ;
    return ready > 0 ? ready : 0;
}

void
spin_learn(struct spin *spin)
{
    int64_t took_ns = conn_clock_ns() - spin->begin_ns;
    int64_t *mean_ns = &spin->mean_ns[spin->looks];

    if (took_ns < SPIN_NS)
        spin->worth += spin->worth < WORTH_MAX;
    else
        spin->worth -= spin->worth < FAILED ? spin->worth : FAILED;
    /* How much longer it was than to look is worth says nothing about looking. */
    if (took_ns > SPIN_NS)
        took_ns = SPIN_NS;
    *mean_ns += (took_ns - *mean_ns) / MEAN_OF;
}
