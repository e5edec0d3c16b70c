/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* received.c - see received.h
 *
 * All memory that libfuse receives in is of one size, which it does not tell. It
 * allocates the first pieces itself; from then on they are slots of one region, whose
 * memory the kernel can give in huge pages (buffer.c says what that is worth).  What
 * goes beyond the region libfuse allocates as before.
 *
 * The lowest slot that is free is taken first, so that as little of the region as
 * possible is in use, and the rest of it can be given back.
 */

#define FUSE_USE_VERSION 314

#include "received.h"
#include "buffer.h"
#include "poison.h"
#include "short-lock.h"

#include <fuse_lowlevel.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#define WORTH_IT ((size_t)512 << 10) /* half of the memory: less is copied */
/* What `replay' keeps by default before it is flushed, and what comes meanwhile; and
 * what is answered before. */
#define SLOTS     40
#define PAGE      ((size_t)4096)
#define HUGE_PAGE ((size_t)2 << 20)

static struct {
    pthread_mutex_t lock; /* over buffer's: guards all below */
    uint8_t *memory;      /* begins a huge page; NULL: there is no region */
    size_t stride;        /* from one slot to the next; 0: not known yet */
    uint64_t unused;      /* a bit for each slot */
    uint64_t touched;     /* too; those that take memory */
} region = {.lock = SHORT_LOCK_INITIALIZER};

static _Thread_local struct fuse_buf *handled;

static size_t
round_up(size_t len, size_t unit)
{
    return (len + unit - 1) / unit * unit;
}

/* ---- under the lock */

static uint8_t *
slot_at(unsigned i)
{
    return region.memory + i * region.stride;
}

/* What is kept for later. */
static void
tell_buffer(void)
{
    int n = __builtin_popcountll(region.unused & region.touched);

    buffer_others((size_t)n * region.stride);
}

/* False: it is not a slot. */
static bool
take_back(const void *mem)
{
    uintptr_t off = (uintptr_t)mem - (uintptr_t)region.memory;

    if (region.memory == NULL || off >= SLOTS * region.stride)
        return false;
    ASAN_POISON_MEMORY_REGION(mem, region.stride);
    region.unused |= (uint64_t)1 << off / region.stride;
    tell_buffer();
    return true;
}

/* The first memory that libfuse has allocated tells how large all are. */
static void
make_region(void *mem)
{
    region.stride = round_up(malloc_usable_size(mem), PAGE);
    size_t size = round_up(SLOTS * region.stride, HUGE_PAGE);
    uint8_t *memory = mmap(NULL, size + HUGE_PAGE, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return;
    size_t before = round_up((uintptr_t)memory, HUGE_PAGE) - (uintptr_t)memory;
    if (before > 0)
        munmap(memory, before);
    munmap(memory + before + size, HUGE_PAGE - before);
    region.memory = memory + before;
    madvise(region.memory, size, MADV_HUGEPAGE); /* as good as it gets */
    ASAN_POISON_MEMORY_REGION(region.memory, size);
    region.unused = ((uint64_t)1 << SLOTS) - 1;
}

/* ---- taking and giving */

void
received_prepare(struct fuse_buf *buf)
{
    if (buf->mem != NULL)
        return;
    pthread_mutex_lock(&region.lock);
    if (region.unused != 0) {
        unsigned i = (unsigned)__builtin_ctzll(region.unused);
        region.unused &= ~((uint64_t)1 << i);
        region.touched |= (uint64_t)1 << i;
        buf->mem = slot_at(i);
        ASAN_UNPOISON_MEMORY_REGION(buf->mem, region.stride);
        tell_buffer();
    }
    pthread_mutex_unlock(&region.lock);
}

void
received_handle(struct fuse_buf *buf)
{
    handled = buf;
}

void *
received_keep(const void *data, size_t len)
{
    uintptr_t begin, at = (uintptr_t)data;

    /* libfuse 3.17 and later keep more in fuse_buf than the memory. */
    if (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17) || handled == NULL ||
        handled->mem == NULL || len < WORTH_IT)
        return NULL;
    begin = (uintptr_t)handled->mem;
    if (at < begin || at - begin > handled->size || handled->size - (at - begin) < len)
        return NULL;
    void *mem = handled->mem;
    handled->mem = NULL;
    pthread_mutex_lock(&region.lock);
    if (region.stride == 0)
        make_region(mem);
    pthread_mutex_unlock(&region.lock);
    return mem;
}

void
received_give(void *mem)
{
    if (mem == NULL)
        return;
    pthread_mutex_lock(&region.lock);
    bool is_slot = take_back(mem);
    pthread_mutex_unlock(&region.lock);
    if (!is_slot)
        free(mem);
}

/* Gives the huge pages back that lie in slots [first, end) only. */
static void
give_back(unsigned first, unsigned end)
{
    size_t from = round_up(first * region.stride, HUGE_PAGE);
    size_t to = end < SLOTS ? end * region.stride / HUGE_PAGE * HUGE_PAGE
                            : round_up(end * region.stride, HUGE_PAGE);

    if (from < to)
        madvise(region.memory + from, to - from, MADV_DONTNEED);
}

void
received_trim(void)
{
    pthread_mutex_lock(&region.lock);
    uint64_t idle = region.unused;
    if ((idle & region.touched) == 0)
        idle = 0;
    region.unused &= ~idle; /* nobody gets them meanwhile */
    region.touched &= ~idle;
    tell_buffer();
    pthread_mutex_unlock(&region.lock);
    for (unsigned first = 0, end; first < SLOTS; first = end + 1) {
        for (end = first; end < SLOTS && (idle >> end & 1) != 0;)
            end++;
        give_back(first, end);
    }
    pthread_mutex_lock(&region.lock);
    region.unused |= idle;
    pthread_mutex_unlock(&region.lock);
}
