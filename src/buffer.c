/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffer.c - see buffer.h
 *
 * One stack for each power of two.  The last one given back is the first one taken: it
 * is still in the processor's cache.
 */

#include "buffer.h"
#include "processors.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#define SMALLEST 4096
#define CLASSES  10                 /* 4 KiB to 2 MiB */
#define KEPT_MAX ((size_t)16 << 20) /* bytes kept in all classes together */

/* Lies at the beginning of a buffer that nobody uses. */
struct unused {
    struct unused *next;
};

static struct {
    pthread_mutex_t lock; /* a leaf: guards all below */
    struct unused *stack[CLASSES];
    size_t kept;
    size_t others; /* bytes that others keep */
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

void *
buffer_take(size_t size)
{
    size_t class_size;
    unsigned class = class_of(size, &class_size);
    struct unused *found = NULL;

    if (class == CLASSES)
        return aligned_alloc(SMALLEST, (size + SMALLEST - 1) / SMALLEST * SMALLEST);
    pthread_mutex_lock(&buffers.lock);
    found = buffers.stack[class];
    if (found != NULL) {
        buffers.stack[class] = found->next;
        buffers.kept -= class_size;
    }
    pthread_mutex_unlock(&buffers.lock);
    return found != NULL ? (void *)found : aligned_alloc(SMALLEST, class_size);
}

void
buffer_give(void *buf, size_t size)
{
    size_t class_size;
    unsigned class = class_of(size, &class_size);

    if (buf != NULL && class < CLASSES) {
        struct unused *unused = buf;
        pthread_mutex_lock(&buffers.lock);
        if (buffers.kept + buffers.others + class_size <= KEPT_MAX) {
            unused->next = buffers.stack[class];
            buffers.stack[class] = unused;
            buffers.kept += class_size;
            buf = NULL;
        }
        pthread_mutex_unlock(&buffers.lock);
    }
    free(buf);
}

void
buffer_trim(void)
{
    struct unused *all[CLASSES];

    pthread_mutex_lock(&buffers.lock);
    for (unsigned class = 0; class < CLASSES; class ++) {
        all[class] = buffers.stack[class];
        buffers.stack[class] = NULL;
    }
    buffers.kept = 0;
    pthread_mutex_unlock(&buffers.lock);
    for (unsigned class = 0; class < CLASSES; class ++)
        while (all[class] != NULL) {
            struct unused *next = all[class]->next;
            free(all[class]);
            all[class] = next;
        }
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
