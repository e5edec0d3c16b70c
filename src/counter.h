/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* counter.h - numbers that one thread raises and any may look at
 *
 * A load and a store do it, without the price of a locked instruction.  Nothing may
 * depend on the order in which several of them are seen to rise.
 */

#ifndef NBDMOUNT_COUNTER_H
#define NBDMOUNT_COUNTER_H

#include <stdatomic.h>
#include <stdint.h>

static inline uint64_t
counter_get(const _Atomic uint64_t *n)
{
    return atomic_load_explicit(n, memory_order_relaxed);
}

static inline void
counter_add(_Atomic uint64_t *n, uint64_t by)
{
    atomic_store_explicit(n, counter_get(n) + by, memory_order_relaxed);
}

#endif
