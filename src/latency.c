/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* latency.c - see latency.h */

#include "latency.h"

#define EXACT_US 16 /* steps of 1 us */
#define HALVES   3  /* log2 of the steps for each power of two */
#define LAST_US  ((UINT64_C(1) << 32) - 1)

static unsigned
step_of(uint64_t us)
{
    if (us < EXACT_US)
        return (unsigned)us;
    if (us > LAST_US)
        us = LAST_US;
    unsigned power = 63 - (unsigned)__builtin_clzll(us); /* from 4 on */
    unsigned within = (unsigned)(us >> (power - HALVES)) & ((1U << HALVES) - 1);

    return EXACT_US + ((power - 4) << HALVES) + within;
}

/* The first microsecond that does not belong to the step. */
static uint64_t
step_end_us(unsigned step)
{
    if (step < EXACT_US)
        return step + 1;
    unsigned power = ((step - EXACT_US) >> HALVES) + 4;
    uint64_t within = (step - EXACT_US) & ((1U << HALVES) - 1);

    return ((UINT64_C(1) << HALVES) + within + 1) << (power - HALVES);
}

void
latency_add(struct latency *latency, int64_t ns)
{
    uint64_t took = ns > 0 ? (uint64_t)ns : 0;

    counter_add(&latency->count[step_of(took / 1000)], 1);
    counter_add(&latency->total_ns, took);
    if (took > counter_get(&latency->max_ns))
        atomic_store_explicit(&latency->max_ns, took, memory_order_relaxed);
}

void
latency_sum(struct latency_sum *sum, const struct latency *latency)
{
    for (unsigned i = 0; i < LATENCY_STEPS; i++) {
        uint64_t count = counter_get(&latency->count[i]);
        sum->count[i] += count;
        sum->n += count;
    }
    sum->total_ns += counter_get(&latency->total_ns);
    uint64_t max_ns = counter_get(&latency->max_ns);
    if (max_ns > sum->max_ns)
        sum->max_ns = max_ns;
}

uint64_t
latency_within(const struct latency_sum *sum, double part)
{
    uint64_t wanted = (uint64_t)(part * (double)sum->n + 0.5), seen = 0;

    if (sum->n == 0)
        return 0;
    for (unsigned i = 0; i < LATENCY_STEPS; i++) {
        seen += sum->count[i];
        if (seen > 0 && seen >= wanted) {
            uint64_t ns = step_end_us(i) * 1000;
            /* the last step has no end */
            return i < LATENCY_STEPS - 1 && ns < sum->max_ns ? ns : sum->max_ns;
        }
    }
    return sum->max_ns;
}
