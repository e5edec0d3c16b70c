/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* traffic.c - see traffic.h */

#include "traffic.h"

void
traffic_answered(struct traffic *traffic, unsigned kind, uint64_t bytes,
                 int64_t took_ns, int error)
{
    latency_add(&traffic->kind[kind].latency, took_ns);
    if (error != 0)
        counter_add(&traffic->kind[kind].errors, 1);
    else
        counter_add(&traffic->kind[kind].bytes, bytes);
}

void
traffic_sum(struct traffic_sum *sum, const struct traffic *traffic)
{
    for (unsigned i = 0; i < TRAFFIC_KINDS; i++) {
        latency_sum(&sum->kind[i].latency, &traffic->kind[i].latency);
        sum->kind[i].bytes += counter_get(&traffic->kind[i].bytes);
        sum->kind[i].errors += counter_get(&traffic->kind[i].errors);
    }
}
