/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* latency.h - how long things took, and how many took how long
 *
 * A histogram whose steps grow with the value: a percentile is at most an eighth too
 * great.  One thread adds, any may look meanwhile; it takes no lock and no memory.
 */

#ifndef NBDMOUNT_LATENCY_H
#define NBDMOUNT_LATENCY_H

#include "counter.h"

/* Exact below 16 us, then eight steps for each power of two, up to 71 minutes. */
#define LATENCY_STEPS (16 + 28 * 8)

struct latency {
    _Atomic uint64_t count[LATENCY_STEPS];
    _Atomic uint64_t total_ns;
    _Atomic uint64_t max_ns;
};

/* Several of them together, for who looks. */
struct latency_sum {
    uint64_t count[LATENCY_STEPS];
    uint64_t n;
    uint64_t total_ns;
    uint64_t max_ns;
};

/* One took so long; negative is none at all. */
void latency_add(struct latency *latency, int64_t ns);

/* Adds what is there to *sum, which begins as all zeros. */
void latency_sum(struct latency_sum *sum, const struct latency *latency);

/* Within how many nanoseconds that part (0 to 1) of them was done; 0 if there were
 * none. */
uint64_t latency_within(const struct latency_sum *sum, double part);

#endif
