/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparse-look.c - how much is known of data and holes */

#include "sparse-own.h"

void
sparse_look(struct sparse *sparse, struct sparse_report *report)
{
    pthread_mutex_lock(&sparse->lock);
    sparse_forget_if_old(sparse);
    *report = (struct sparse_report){
        .can_ask = sparse->can_ask,
        .size = extent_map_size(sparse->map),
        .data = extent_map_data(sparse->map),
        .holes = extent_map_holes(sparse->map),
        .extents = extent_map_count(sparse->map),
        .memory = extent_map_bytes(sparse->map),
    };
    pthread_mutex_unlock(&sparse->lock);
}

uint64_t
sparse_blocks(struct sparse *sparse, bool *exact)
{
    struct sparse_report known;

    sparse_look(sparse, &known);
    uint64_t blocks = known.data / 512 + (known.data % 512 != 0);
    *exact = known.data + known.holes == known.size;
    if (*exact)
        return blocks;
    /* less than the size, or nobody asks where the holes are; and not 0, which means
     * that the file is one hole */
    uint64_t most = (known.size - 1) / 512;
    if (blocks > most)
        blocks = most;
    return blocks > 0 ? blocks : 1;
}
