/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffer.c - see buffer.h
 *
 * Buffers of one size, a power of two, are cut from blocks of 2 MiB, which are given
 * back to the system as a whole.  Of such a block the kernel makes one page, where it
 * may (transparent huge pages): to get 4 KiB at a time costs more than to copy them,
 * in a virtual machine many times more.
 *
 * The buffer given back last is taken first: it is still in the processor's cache.
 */

#include "buffer.h"
#include "poison.h"
#include "short-lock.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/queue.h>

#define SMALLEST 4096
#define CLASSES  10                 /* 4 KiB to 2 MiB */
#define BLOCK    ((size_t)2 << 20)  /* a huge page, and the largest buffer */
#define KEPT_MAX ((size_t)16 << 20) /* bytes kept in all classes together */
#define BUCKETS  64

/* Lies at the beginning of a buffer that nobody uses. */
struct unused {
    struct unused *next;
};

struct block {
    uint8_t *memory;
    LIST_ENTRY(block) chain;  /* of its bucket */
    LIST_ENTRY(block) member; /* of its class, while a buffer of it is unused */
    TAILQ_ENTRY(block) idle;  /* while all are */
    struct unused *unused;
    unsigned class;
    unsigned n_cut;    /* from the front; what is behind has not been touched */
    unsigned n_unused; /* of all */
};

LIST_HEAD(block_list, block);
TAILQ_HEAD(block_queue, block);

static struct {
    pthread_mutex_t lock; /* a leaf: guards all below */
    struct block_list bucket[BUCKETS];
    struct block_list class[CLASSES]; /* those with unused buffers, the last one first
                                       */
    struct block_queue idle;          /* the one that was used last at the end */
    size_t kept;                      /* bytes in unused buffers */
    size_t others;                    /* bytes that others keep */
} buffers = {
    .lock = SHORT_LOCK_INITIALIZER,
    .idle = TAILQ_HEAD_INITIALIZER(buffers.idle),
};

/* The class, CLASSES if it is too big for any, and its size. */
static unsigned
class_of(size_t size, size_t *class_size)
{
    unsigned class = 0;

    for (*class_size = SMALLEST; *class_size < size && class < CLASSES; class ++)
        *class_size *= 2;
    return class;
}

static size_t
size_of(unsigned class)
{
    return (size_t)SMALLEST << class;
}

static struct block_list *
bucket_of(const void *memory)
{
    return &buffers.bucket[(uintptr_t)memory / BLOCK % BUCKETS];
}

static struct block *
block_of(const void *buf)
{
    const uint8_t *memory = (const uint8_t *)buf - (uintptr_t)buf % BLOCK;
    struct block *block = LIST_FIRST(bucket_of(memory));

    while (block->memory != memory)
        block = LIST_NEXT(block, chain);
    return block;
}

/* At an address that is a multiple of its size. */
static uint8_t *
map_block(void)
{
    uint8_t *memory = mmap(NULL, 2 * BLOCK, PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (memory == MAP_FAILED)
        return NULL;
    size_t over = (uintptr_t)memory % BLOCK, before = over > 0 ? BLOCK - over : 0;
    if (before > 0)
        munmap(memory, before);
    munmap(memory + before + BLOCK, BLOCK - before);
    madvise(memory + before, BLOCK, MADV_HUGEPAGE); /* as good as it gets */
    return memory + before;
}

/* ---- under the lock */

static bool
is_idle(const struct block *block)
{
    return block->n_unused == BLOCK / size_of(block->class);
}

static void
put_in(struct block *block, void *buf)
{
    struct unused *unused = buf;

    if (block->n_unused > 0)
        LIST_REMOVE(block, member);
    LIST_INSERT_HEAD(&buffers.class[block->class], block, member);
    unused->next = block->unused;
    block->unused = unused;
    block->n_unused++;
    if (is_idle(block))
        TAILQ_INSERT_TAIL(&buffers.idle, block, idle);
    ASAN_POISON_MEMORY_REGION(buf, size_of(block->class));
    buffers.kept += size_of(block->class);
}

static void *
take_from(struct block *block)
{
    struct unused *unused = block->unused;

    if (is_idle(block))
        TAILQ_REMOVE(&buffers.idle, block, idle);
    if (unused != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(unused, size_of(block->class));
        block->unused = unused->next;
    } else {
        unused = (void *)(block->memory + block->n_cut++ * size_of(block->class));
    }
    if (--block->n_unused == 0)
        LIST_REMOVE(block, member);
    buffers.kept -= size_of(block->class);
    return unused;
}

static struct block *
add_block(unsigned class)
{
    struct block *block = calloc(1, sizeof *block);

    if (block != NULL)
        block->memory = map_block();
    if (block == NULL || block->memory == NULL) {
        free(block);
        return NULL;
    }
    block->class = class;
    block->n_unused = BLOCK / size_of(class);
    buffers.kept += BLOCK;
    LIST_INSERT_HEAD(bucket_of(block->memory), block, chain);
    LIST_INSERT_HEAD(&buffers.class[class], block, member);
    TAILQ_INSERT_TAIL(&buffers.idle, block, idle);
    return block;
}

/* Takes idle blocks out, for free_blocks, until no more than so many bytes are kept
 * here and elsewhere; not the one that is to stay. */
static void
take_out(size_t most, const struct block *stays, struct block_list *list)
{
    struct block *block;

    while (buffers.kept + buffers.others > most &&
           (block = TAILQ_FIRST(&buffers.idle)) != NULL && block != stays) {
        TAILQ_REMOVE(&buffers.idle, block, idle);
        LIST_REMOVE(block, chain);
        LIST_REMOVE(block, member);
        buffers.kept -= BLOCK;
        LIST_INSERT_HEAD(list, block, member);
    }
}

/* Not under the lock. */
static void
free_blocks(struct block_list *list)
{
    struct block *block;

    while ((block = LIST_FIRST(list)) != NULL) {
        LIST_REMOVE(block, member);
        ASAN_UNPOISON_MEMORY_REGION(block->memory, BLOCK);
        munmap(block->memory, BLOCK);
        free(block);
    }
}

/* ---- taking and giving */

void *
buffer_take(size_t size)
{
    size_t class_size;
    unsigned class = class_of(size, &class_size);

    if (class == CLASSES)
        return aligned_alloc(SMALLEST, (size + SMALLEST - 1) / SMALLEST * SMALLEST);
    pthread_mutex_lock(&buffers.lock);
    struct block *block = LIST_FIRST(&buffers.class[class]);
    if (block == NULL)
        block = add_block(class);
    void *buf = block != NULL ? take_from(block) : NULL;
    pthread_mutex_unlock(&buffers.lock);
    return buf;
}

void
buffer_give(void *buf, size_t size)
{
    struct block_list over = LIST_HEAD_INITIALIZER(over);
    size_t class_size;

    if (buf == NULL)
        return;
    if (class_of(size, &class_size) == CLASSES) {
        free(buf);
        return;
    }
    pthread_mutex_lock(&buffers.lock);
    struct block *block = block_of(buf);
    put_in(block, buf);
    /* Not this one: who takes and gives would get it anew each time. */
    take_out(KEPT_MAX, block, &over);
    pthread_mutex_unlock(&buffers.lock);
    free_blocks(&over);
}

void
buffer_trim(void)
{
    struct block_list all = LIST_HEAD_INITIALIZER(all);

    pthread_mutex_lock(&buffers.lock);
    take_out(0, NULL, &all);
    pthread_mutex_unlock(&buffers.lock);
    free_blocks(&all);
}

void
buffer_others(size_t bytes)
{
    struct block_list over = LIST_HEAD_INITIALIZER(over);

    pthread_mutex_lock(&buffers.lock);
    buffers.others = bytes;
    take_out(KEPT_MAX, NULL, &over);
    pthread_mutex_unlock(&buffers.lock);
    free_blocks(&over);
}
