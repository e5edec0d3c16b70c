/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ring-entry.c - memory for requests, and the bytes in it: see ring-own.h
 *
 * An entry is two pages more than nothing and room for the largest payload, of which
 * only what has been used takes memory.  The page before the payload is where a request
 * is put together: libfuse wants its headers and its payload in one piece, as read(2)
 * gives them, and the payload is long.
 *
 * To libfuse a request goes by the entry's place in place of the kernel's number, so
 * that nothing has to be looked up when it is answered; and by how often the entry has
 * been used, so that no answer and no interruption can be taken for another request's.
 */

#define FUSE_USE_VERSION 314

#include "config.h"

#ifdef HAVE_LIBURING

#include "file.h"
#include "ring-own.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define PAGE   ((size_t)4096)
#define STRIDE (2 * PAGE + FILE_TRANSFER_MAX)
/* A name is this, what the entry was used for before, the entry's number, and bit 0,
 * which is for interrupts.  The kernel does not get there by counting. */
#define NAME_BIT     (UINT64_C(1) << 62)
#define USES_SHIFT   25
#define USES_MASK    ((UINT64_C(1) << (62 - USES_SHIFT)) - 1)
#define NUMBER_SHIFT 1
#define NUMBER_MASK  ((UINT64_C(1) << (USES_SHIFT - NUMBER_SHIFT)) - 1)

struct ring *_Atomic ring_current;

static void
make_entry(struct ring *ring, size_t i, unsigned queue)
{
    struct entry *entry = &ring->entries[i];
    uint8_t *memory = ring->memory + i * STRIDE;

    entry->thread = &ring->thread[queue % ring->n_threads];
    entry->thread->n_entries++;
    entry->queue = (uint16_t)queue;
    entry->header = (struct ring_header *)(void *)memory;
    entry->payload = memory + 2 * PAGE;
    entry->iov[0] = (struct iovec){entry->header, sizeof *entry->header};
    entry->iov[1] = (struct iovec){entry->payload, FILE_TRANSFER_MAX};
}

bool
ring_make_entries(struct ring *ring, unsigned depth)
{
    size_t n = (size_t)ring->n_queues * depth;

    ring->entries = n <= NUMBER_MASK ? calloc(n, sizeof ring->entries[0]) : NULL;
    if (ring->entries == NULL)
        return false;
    void *memory = mmap(NULL, n * STRIDE, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    ring->memory = memory;
    ring->memory_len = n * STRIDE;
    for (size_t i = 0; i < n; i++)
        make_entry(ring, i, (unsigned)(i / depth));
    ring->n_entries = (unsigned)n;
    return true;
}

void
ring_free_entries(struct ring *ring)
{
    if (ring->memory != NULL)
        munmap(ring->memory, ring->memory_len);
    free(ring->entries);
}

size_t
ring_payload_max(const struct ring *ring)
{
    return ring->entries[0].iov[1].iov_len;
}

/* For the request that comes to it now. */
static uint64_t
next_name(struct entry *entry)
{
    uint64_t number = (uint64_t)(entry - entry->thread->ring->entries);

    entry->uses++;
    return NAME_BIT | (entry->uses & USES_MASK) << USES_SHIFT | number << NUMBER_SHIFT;
}

/* NULL: there is none. */
static struct entry *
entry_of(uint64_t name)
{
    struct ring *ring = atomic_load_explicit(&ring_current, memory_order_acquire);
    uint64_t i = name >> NUMBER_SHIFT & NUMBER_MASK;

    return ring != NULL && i < ring->n_entries ? &ring->entries[i] : NULL;
}

uint64_t
ring_name_of(uint64_t unique)
{
    struct ring *ring = atomic_load(&ring_current);

    for (unsigned i = 0; ring != NULL && i < ring->n_entries; i++) {
        struct entry *entry = &ring->entries[i];
        if (atomic_load(&entry->unique) != unique)
            continue;
        uint64_t name = atomic_load(&entry->name);
        if (atomic_load(&entry->unique) == unique) /* still: it is that one's */
            return name;
    }
    return unique;
}

void
ring_take_request(struct entry *entry)
{
    const struct ring_header *header = entry->header;
    struct fuse_in_header in;
    size_t payload_len = header->payload_len;

    memcpy(&in, header->in_out, sizeof in);
    if (payload_len > FILE_TRANSFER_MAX || in.len < sizeof in + payload_len ||
        in.len - sizeof in - payload_len > sizeof header->op_in) {
        struct fuse_out_header out = {sizeof out, -EIO, in.unique};
        memcpy(entry->header->in_out, &out, sizeof out);
        entry->header->payload_len = 0;
        ring_thread_answered(entry);
        return;
    }
    size_t op_len = in.len - sizeof in - payload_len;
    uint8_t *request = entry->payload - op_len - sizeof in;
    uint64_t name = next_name(entry);
    atomic_store(&entry->name, name);
    atomic_store(&entry->unique, in.unique);
    in.unique = name;
    memcpy(request, &in, sizeof in);
    memcpy(request + sizeof in, header->op_in, op_len);
    struct fuse_buf buf = {.mem = request, .size = in.len};
    fuse_session_process_buf(entry->thread->ring->use.session, &buf);
}

/* Copies what comes after the header.  Its length, or more than there is room for. */
static size_t
copy_payload(struct entry *entry, const struct iovec *iov, int count)
{
    size_t len = 0;

    for (int i = 1; i < count; i++) {
        if (iov[i].iov_len > FILE_TRANSFER_MAX - len)
            return SIZE_MAX;
        memcpy(entry->payload + len, iov[i].iov_base, iov[i].iov_len);
        len += iov[i].iov_len;
    }
    return len;
}

bool
ring_answer(const struct iovec *iov, int count, ssize_t *n)
{
    struct fuse_out_header out;

    if (count < 1 || iov[0].iov_len != sizeof out)
        return false;
    memcpy(&out, iov[0].iov_base, sizeof out);
    if ((out.unique & NAME_BIT) == 0)
        return false;
    struct entry *entry = entry_of(out.unique);
    bool is_its = entry != NULL && atomic_load(&entry->name) == out.unique;
    out.unique = is_its ? atomic_exchange(&entry->unique, 0) : 0;
    *n = -1;
    errno = ENOENT; /* as where the kernel has no such request */
    if (out.unique == 0)
        return true;
    size_t len = copy_payload(entry, iov, count);
    if (len == SIZE_MAX) {
        out.error = -EIO;
        len = 0;
    }
    out.len = (uint32_t)(sizeof out + len);
    memcpy(entry->header->in_out, &out, sizeof out);
    entry->header->payload_len = (uint32_t)len;
    *n = (ssize_t)out.len;
    ring_thread_answered(entry);
    return true;
}

#endif
