/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparse.h - what an export's holes mean to its file
 *
 * lseek, st_blocks and reads of holes, from a map that is filled by block status
 * questions when somebody wants to know.  All functions may be called by any thread;
 * none waits for the network.
 */

#ifndef NBDMOUNT_SPARSE_H
#define NBDMOUNT_SPARSE_H

#include "extent-map.h"
#include "pool.h"

struct sparse;

/* A piece of a read that has to be fetched. */
struct piece {
    uint64_t off;
    uint64_t len;
};

/* pool outlives it.  NULL: no memory. */
struct sparse *sparse_new(struct pool *pool, const struct source *source,
                          const struct conn_info *info);
void sparse_free(struct sparse *sparse);

/* The export has grown.  To be called before anybody asks about the new part; a size
 * that is not larger is ignored. */
void sparse_grow(struct sparse *sparse, uint64_t size);

/* A smaller hole is fetched with its neighbours. */
#define SPARSE_HOLE_LEAST 32768

/* Which pieces of [off, off + len) have to be fetched: at most max, in rising order;
 * all between them reads as zeros.  Holes too small to be worth it are inside pieces.
 */
unsigned sparse_plan(struct sparse *sparse, uint64_t off, uint64_t len,
                     struct piece *pieces, unsigned max);

/* How many bytes from off on are known to read as zeros; 0: none are. */
uint64_t sparse_hole(struct sparse *sparse, uint64_t off);

/* A change of this range is about to be sent; it becomes kind.  Until sparse_changed
 * the range is data, or unknown. */
void sparse_changing(struct sparse *sparse, uint64_t off, uint64_t len,
                     enum extent_kind kind);

/* The change was done, before anybody is told; EXTENT_UNKNOWN if it failed. */
void sparse_changed(struct sparse *sparse, uint64_t off, uint64_t len,
                    enum extent_kind kind);

/* SEEK_DATA (data) or SEEK_HOLE from off.  answer gets the offset or a negative errno,
 * now or later, in this thread or in another one.  look is called while the server is
 * late (see struct command), and now and then where it takes many answers; false:
 * nobody waits any more, and no more is asked. */
typedef void sparse_answer(void *user_data, int64_t result);
void sparse_seek(struct sparse *sparse, uint64_t off, bool data, sparse_answer *answer,
                 bool (*look)(void *user_data), void *user_data);

/* Somebody is going to read or seek from off on: asks in the background where the holes
 * are, some way ahead, if that is not known. */
void sparse_learn(struct sparse *sparse, uint64_t off);

/* What is known. */
struct sparse_report {
    bool can_ask;   /* the server tells where holes are */
    uint64_t size;  /* of all */
    uint64_t data;  /* bytes */
    uint64_t holes; /* what is neither is not known yet */
    size_t extents;
    size_t memory; /* bytes */
};
void sparse_look(struct sparse *sparse, struct sparse_report *report);

/* st_blocks: exact if all is known, otherwise above 0 and too small for the size, so
 * that programs ask where the holes are. */
uint64_t sparse_blocks(struct sparse *sparse, bool *exact);

#endif
