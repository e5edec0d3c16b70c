/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* traffic.h - what a connection has done: commands, bytes, errors, and how long they
 * took
 *
 * Counted by the I/O thread alone, without a lock; any thread may look.
 */

#ifndef NBDMOUNT_TRAFFIC_H
#define NBDMOUNT_TRAFFIC_H

#include "latency.h"

/* As many as there are in enum command_kind. */
#define TRAFFIC_KINDS 6

struct traffic {
    struct {
        struct latency latency; /* of all that were answered, with an error too */
        _Atomic uint64_t bytes; /* of those that were done */
        _Atomic uint64_t errors;
    } kind[TRAFFIC_KINDS];
};

struct traffic_sum {
    struct {
        struct latency_sum latency;
        uint64_t bytes;
        uint64_t errors;
    } kind[TRAFFIC_KINDS];
};

/* The server has answered.  error: an errno, or 0. */
void traffic_answered(struct traffic *traffic, unsigned kind, uint64_t bytes,
                      int64_t took_ns, int error);

/* Adds what is there to *sum, which begins as all zeros. */
void traffic_sum(struct traffic_sum *sum, const struct traffic *traffic);

#endif
