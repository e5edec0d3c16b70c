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
#include "processors.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len)   ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

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
    struct block *chain;       /* of its bucket */
    struct block *next, *prev; /* of its class, while a buffer of it is unused */
    struct unused *unused;
    unsigned class;
    unsigned n_cut;    /* from the front; what is behind has not been touched */
    unsigned n_unused; /* of all */
};

static struct {
    pthread_mutex_t lock; /* a leaf: guards all below */
    struct block *bucket[BUCKETS];
    struct block *first[CLASSES]; /* which have unused buffers */
    size_t kept;                  /* bytes in those */
    size_t others;                /* bytes that others keep */
} buffers = {.lock = SHORT_LOCK_INITIALIZER};

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

static struct block **
bucket_of(const void *memory)
{
    return &buffers.bucket[(uintptr_t)memory / BLOCK % BUCKETS];
}

static struct block *
block_of(const void *buf)
{
    const uint8_t *memory = (const uint8_t *)buf - (uintptr_t)buf % BLOCK;
    struct block *block = *bucket_of(memory);

    while (block->memory != memory)
        block = block->chain;
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

static void
link_block(struct block *block)
{
    struct block **first = &buffers.first[block->class];

    block->prev = NULL;
    block->next = *first;
    if (*first != NULL)
        (*first)->prev = block;
    *first = block;
}

static void
unlink_block(struct block *block)
{
    if (block->prev != NULL)
        block->prev->next = block->next;
    else
        buffers.first[block->class] = block->next;
    if (block->next != NULL)
        block->next->prev = block->prev;
}

static void
put_in(struct block *block, void *buf)
{
    struct unused *unused = buf;

    unused->next = block->unused;
    block->unused = unused;
    block->n_unused++;
    ASAN_POISON_MEMORY_REGION(buf, size_of(block->class));
    buffers.kept += size_of(block->class);
}

static void *
take_from(struct block *block)
{
    struct unused *unused = block->unused;

    if (unused != NULL) {
        ASAN_UNPOISON_MEMORY_REGION(unused, size_of(block->class));
        block->unused = unused->next;
    } else {
        unused = (void *)(block->memory + block->n_cut++ * size_of(block->class));
    }
    if (--block->n_unused == 0)
        unlink_block(block);
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
    struct block **bucket = bucket_of(block->memory);
    block->chain = *bucket;
    *bucket = block;
    block->class = class;
    block->n_unused = BLOCK / size_of(class);
    buffers.kept += BLOCK;
    link_block(block);
    return block;
}

static bool
is_unused(const struct block *block)
{
    return block->n_unused == BLOCK / size_of(block->class);
}

/* It is unused, and nobody knows it any more: for free_blocks. */
static void
take_out(struct block *block)
{
    struct block **at = bucket_of(block->memory);

    while (*at != block)
        at = &(*at)->chain;
    *at = block->chain;
    unlink_block(block);
    buffers.kept -= BLOCK;
}

static void
free_blocks(struct block *list)
{
    while (list != NULL) {
        struct block *next = list->next;
        ASAN_UNPOISON_MEMORY_REGION(list->memory, BLOCK);
        munmap(list->memory, BLOCK);
        free(list);
        list = next;
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
    struct block *block = buffers.first[class];
    if (block == NULL)
        block = add_block(class);
    void *buf = block != NULL ? take_from(block) : NULL;
    pthread_mutex_unlock(&buffers.lock);
    return buf;
}

void
buffer_give(void *buf, size_t size)
{
    size_t class_size;
    struct block *over = NULL;

    if (buf == NULL)
        return;
    if (class_of(size, &class_size) == CLASSES) {
        free(buf);
        return;
    }
    pthread_mutex_lock(&buffers.lock);
    struct block *block = block_of(buf);
    if (block->n_unused > 0)
        unlink_block(block);
    put_in(block, buf);
    link_block(block);
    if (is_unused(block) && buffers.kept + buffers.others > KEPT_MAX) {
        take_out(block);
        block->next = NULL;
        over = block;
    }
    pthread_mutex_unlock(&buffers.lock);
    free_blocks(over);
}

void
buffer_trim(void)
{
    struct block *all = NULL, *next;

    pthread_mutex_lock(&buffers.lock);
    for (unsigned class = 0; class < CLASSES; class ++)
        for (struct block *block = buffers.first[class]; block != NULL; block = next) {
            next = block->next;
            if (!is_unused(block))
                continue;
            take_out(block);
            block->next = all;
            all = block;
        }
    pthread_mutex_unlock(&buffers.lock);
    free_blocks(all);
}

void
buffer_others(size_t bytes)
{
    pthread_mutex_lock(&buffers.lock);
    bool full = bytes > buffers.others && buffers.kept + bytes > KEPT_MAX;
    buffers.others = bytes;
    pthread_mutex_unlock(&buffers.lock);
    if (full)
        buffer_trim();
}
