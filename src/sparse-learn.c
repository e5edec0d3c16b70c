/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparse-learn.c - asking where the holes are before somebody wants to know
 *
 * A program that copies asks lseek for one piece after the other, and reads them. While
 * it does that, what comes next is asked, so that neither its lseek nor what is read
 * ahead has to wait for the server.
 */

#include "sparse-own.h"

#include <errno.h>

#define LEARN_MOST  4                    /* questions under way */
#define LEARN_AHEAD (UINT64_C(16) << 30) /* bytes; in 32 bits one asks for 4 GiB */
#define LEARN_STEPS 64                   /* of the map, in one call */

/* Under the lock: whether somebody asks about the byte at off, and up to where. */
static bool
is_asked(const struct sparse *sparse, uint64_t off, uint64_t *end)
{
    for (const struct seek *seek = sparse->asking; seek != NULL; seek = seek->next)
        if (seek->cmd.off <= off && off - seek->cmd.off < seek->cmd.len) {
            *end = seek->cmd.off + seek->cmd.len;
            return true;
        }
    return false;
}

/* Under the lock: moves learn_next to the next place that nobody knows or asks about;
 * false: none is near enough. */
static bool
find_next(struct sparse *sparse, uint64_t off)
{
    uint64_t end, left = sparse->size - off;
    uint64_t limit = off + (left < LEARN_AHEAD ? left : LEARN_AHEAD);

    if (sparse->learn_next < off ||
        (extent_map_get(sparse->map, off, &end) == EXTENT_UNKNOWN &&
         !is_asked(sparse, off, &end)))
        sparse->learn_next = off;
    for (unsigned n = 0; n < LEARN_STEPS && sparse->learn_next < limit; n++) {
        enum extent_kind kind = extent_map_get(sparse->map, sparse->learn_next, &end);
        if (kind == EXTENT_UNKNOWN && !is_asked(sparse, sparse->learn_next, &end))
            return true;
        sparse->learn_next = end;
    }
    return false;
}

static struct seek *
next_question(struct sparse *sparse, uint64_t off)
{
    struct seek *seek = NULL;

    pthread_mutex_lock(&sparse->lock);
    if (!sparse->learn_failed && sparse->learning < LEARN_MOST && off < sparse->size &&
        find_next(sparse, off) && (seek = seek_new(sparse)) != NULL) {
        seek_prepare(seek, sparse->learn_next);
        sparse->learn_next = seek->cmd.off + seek->cmd.len;
        sparse->learning++;
    }
    pthread_mutex_unlock(&sparse->lock);
    return seek;
}

void
sparse_learn(struct sparse *sparse, uint64_t off)
{
    struct seek *seek;

    if (!sparse->can_ask || !sparse->is_zero ||
        atomic_load_explicit(&sparse->failed, memory_order_relaxed))
        return;
    while ((seek = next_question(sparse, off)) != NULL)
        pool_submit(sparse->pool, &seek->cmd);
}

void
learn_end(struct seek *seek, int error)
{
    struct sparse *sparse = seek->sparse;

    pthread_mutex_lock(&sparse->lock);
    sparse->learning--;
    /* Who needs the answer will ask, and be told. */
    sparse->learn_failed |= error != 0 && error != ENOTCONN && error != EAGAIN;
    pthread_mutex_unlock(&sparse->lock);
    seek_free(seek);
}
