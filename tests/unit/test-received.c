/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-received.c - the memory that requests are received in is kept, used again, and
 * given back
 *
 * The test is libfuse here: it allocates what it is not given.
 */

#define FUSE_USE_VERSION 314

#include "received.h"
#include "resident.h"
#include "tap.h"

#include <fuse_lowlevel.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEN   ((1 << 20) + 4096) /* of all memory */
#define HEAD  80                 /* in front of a write's data */
#define DATA  (1 << 20)
#define SLOTS 40
#define MANY  60

static void *kept[MANY];
static unsigned n_allocated;

static void
receive(struct fuse_buf *buf, unsigned byte)
{
    received_prepare(buf);
    if (buf->mem == NULL) {
        buf->mem = malloc(LEN);
        n_allocated++;
    }
    if (buf->mem == NULL)
        bail_out("no memory");
    memset(buf->mem, (int)byte, HEAD + DATA);
    buf->size = HEAD + DATA;
}

static void *
keep(struct fuse_buf *buf)
{
    return received_keep((uint8_t *)buf->mem + HEAD, DATA);
}

/* Nobody else has written to it. */
static bool
is_whole(const uint8_t *mem, unsigned byte)
{
    return mem[0] == byte && memcmp(mem, mem + 1, HEAD + DATA - 1) == 0;
}

/* As many writes as fill kept, all under way at the same time. */
static bool
keep_many(struct fuse_buf *buf)
{
    bool fine = true;

    n_allocated = 0;
    for (unsigned i = 0; i < MANY; i++) {
        receive(buf, i);
        kept[i] = keep(buf);
        fine &= kept[i] != NULL && buf->mem == NULL;
    }
    for (unsigned i = 0; i < MANY; i++)
        fine &= is_whole(kept[i], i);
    return fine;
}

static void
give_many(void)
{
    for (unsigned i = 0; i < MANY; i++)
        received_give(kept[i * 7 % MANY]);
}

static void
test_what_is_kept(struct fuse_buf *buf)
{
    received_handle(buf);
    receive(buf, 1);
    void *mem = buf->mem;
    ok(received_keep((uint8_t *)mem + HEAD, 4096) == NULL && buf->mem == mem,
       "a small write is not worth it");
    ok(received_keep((uint8_t *)mem + HEAD + 1, DATA) == NULL && buf->mem == mem,
       "nor is what is not all there");
    static uint8_t elsewhere[DATA];
    ok(received_keep(elsewhere, DATA) == NULL && buf->mem == mem,
       "nor what lies elsewhere");
    receive(buf, 2);
    ok(buf->mem == mem, "then the same memory serves the next request");
    ok(keep(buf) == mem && buf->mem == NULL, "a large write keeps it");
    ok(keep(buf) == NULL, "once");
    received_give(mem);
    received_give(NULL);
    pass("and gives it back; NULL is ignored");
}

static void
test_many(struct fuse_buf *buf)
{
    ok(keep_many(buf), "%d writes under way have memory each, that no other has", MANY);
    ok(n_allocated == MANY - SLOTS, "libfuse has allocated for %u of them",
       n_allocated);
    give_many();
    ok(keep_many(buf) && n_allocated == MANY - SLOTS, "the rest is used again");
    give_many();
}

static void
test_memory(struct fuse_buf *buf)
{
    received_trim();
    long before = resident_kib();
    bool fine = keep_many(buf);
    give_many();
    long with = resident_kib() - before;
    ok(fine && (SANITIZED || with >= SLOTS * 1000), "%ld KiB more are kept of them",
       with);
    received_trim();
    long left = resident_kib() - before;
    ok(SANITIZED || left <= 4096, "after a while nothing is: %ld KiB", left);

    /* What is in use between two that are not. */
    fine = keep_many(buf);
    void *used = kept[10];
    kept[10] = NULL;
    give_many();
    received_trim();
    left = resident_kib() - before;
    ok(SANITIZED || left <= 8192, "but what is used: %ld KiB", left);
    ok(fine && is_whole(used, 10), "which is as it was");
    received_give(used);
    ok(keep_many(buf) && n_allocated == MANY - SLOTS, "and all is there again");
    give_many();
}

int
main(void)
{
    struct fuse_buf buf = {.mem = NULL};

    if (FUSE_VERSION >= FUSE_MAKE_VERSION(3, 17))
        skip_all("with this libfuse nothing is kept");

    test_what_is_kept(&buf);
    test_many(&buf);
    test_memory(&buf);
    received_give(buf.mem);
    done_testing();
}
