/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* behind.h - how much may have been answered before the server has done it
 *
 * Who gets nothing of it does not wait for that: its answer is the server's.  Any
 * thread, without a lock.  Knows nothing of NBD or FUSE.
 */

#ifndef NBDMOUNT_BEHIND_H
#define NBDMOUNT_BEHIND_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

/* Whoever comes meanwhile looks whether it overlaps one of them. */
#define BEHIND_CHANGES_MAX 256

struct behind {
    size_t limit; /* bytes; 0: nothing is */
    atomic_size_t bytes;
    atomic_uint changes;
};

/* One change of so many bytes.  False: there is no room for it. */
static inline bool
behind_take(struct behind *behind, size_t bytes)
{
    if (bytes > behind->limit)
        return false;
    size_t before = atomic_fetch_add(&behind->bytes, bytes);
    unsigned changes = atomic_fetch_add(&behind->changes, 1);
    if (before <= behind->limit - bytes && changes < BEHIND_CHANGES_MAX)
        return true;
    atomic_fetch_sub(&behind->bytes, bytes);
    atomic_fetch_sub(&behind->changes, 1);
    return false;
}

/* So many bytes less, of a change that goes on. */
static inline void
behind_give_back(struct behind *behind, size_t bytes)
{
    atomic_fetch_sub(&behind->bytes, bytes);
}

/* The server has done it, or it has failed. */
static inline void
behind_give(struct behind *behind, size_t bytes)
{
    atomic_fetch_sub(&behind->bytes, bytes);
    atomic_fetch_sub(&behind->changes, 1);
}

/* Whether there is anything of which that is so. */
static inline bool
behind_any(const struct behind *behind)
{
    return atomic_load(&behind->changes) > 0;
}

#endif
