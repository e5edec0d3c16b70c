/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* received.c - see received.h
 *
 * All memory that libfuse receives in is of one size, which it allocates itself and
 * does not tell; what was kept and is given back serves the next request.
 */

#define FUSE_USE_VERSION 314

#include "received.h"
#include "buffer.h"
#include "short-lock.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#define WORTH_IT  ((size_t)512 << 10) /* half of the memory: less is copied */
#define SPARE_MAX 16                  /* new memory costs as much as copying would */
#define SPARE_LEN ((size_t)1 << 20)   /* about */

static struct {
    pthread_mutex_t lock; /* over buffer's: guards all below */
    void *mem[SPARE_MAX];
    unsigned n;
} spare = {.lock = SHORT_LOCK_INITIALIZER};

static _Thread_local struct fuse_buf *handled;

void
received_prepare(struct fuse_buf *buf)
{
    if (buf->mem != NULL)
        return;
    pthread_mutex_lock(&spare.lock);
    if (spare.n > 0) {
        buf->mem = spare.mem[--spare.n];
        buffer_others(spare.n * SPARE_LEN);
    }
    pthread_mutex_unlock(&spare.lock);
}

void
received_handle(struct fuse_buf *buf)
{
    handled = buf;
}

void *
received_keep(const void *data, size_t len)
{
#if FUSE_VERSION < FUSE_MAKE_VERSION(3, 17)
    /* Later ones keep more in fuse_buf than the memory. */
    uintptr_t begin, at = (uintptr_t)data;

    if (handled == NULL || handled->mem == NULL || len < WORTH_IT)
        return NULL;
    begin = (uintptr_t)handled->mem;
    if (at < begin || at - begin > handled->size || handled->size - (at - begin) < len)
        return NULL;
    void *mem = handled->mem;
    handled->mem = NULL;
    return mem;
#else
    (void)data;
    (void)len;
    return NULL;
#endif
}

void
received_give(void *mem)
{
    if (mem == NULL)
        return;
    pthread_mutex_lock(&spare.lock);
    if (spare.n < SPARE_MAX) {
        spare.mem[spare.n++] = mem;
        buffer_others(spare.n * SPARE_LEN);
        mem = NULL;
    }
    pthread_mutex_unlock(&spare.lock);
    free(mem);
}

void
received_trim(void)
{
    pthread_mutex_lock(&spare.lock);
    while (spare.n > 0)
        free(spare.mem[--spare.n]);
    buffer_others(0);
    pthread_mutex_unlock(&spare.lock);
}
