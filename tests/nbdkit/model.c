/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* model.c - random commands, many in flight, against a model of the export in memory
 *
 *     model [-l poll|epoll|nbd] [-c CONNECTIONS] [-d DEPTH] [-n COMMANDS] [-s SEED]
 *           [-e EXPORT] [-b BLOCK] [-w] [-u] URI | [-a|-x] COMMAND ARGUMENT...
 *
 * -l is the main loop: one's own with poll or epoll, or nbd_poll.  -u: the server
 * cannot tell its extents, and that is checked.  -b: commands in multiples of BLOCK.
 * -w: reads and writes only, without FUA.  -a starts the command by socket
 * activation, -x talks to its stdin and stdout.  Commands in flight never overlap where
 * one of them writes, so each answer is known in advance.  What a TRIM leaves behind is
 * not known, and not compared until it is written again.
 */

#include "loops.h"

#include <err.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libnbd.h>

#define MAX_SIZE   (8u << 20)
#define MAX_LENGTH (256u << 10)
#define MAX_DEPTH  1024

enum kind { READ, READ_STRUCTURED, WRITE, ZERO, TRIM, CACHE, FLUSH, STATUS, NR_KINDS };
static const char *const kind_names[] = {"read", "read-structured", "write", "zero",
                                         "trim", "cache",           "flush", "status"};

struct slot {
    bool busy, done, wants_retire;
    enum kind kind;
    struct nbd_handle *nbd;
    int64_t cookie;
    uint64_t offset;
    size_t count, chunk_bytes, extents_seen;
    uint8_t *buf;
};

static struct nbd_handle *handles[MAX_CONNECTIONS];
static unsigned nr_handles = 1, depth = 64, commands = 2000;
static const char *loop = "poll", *export = "";
static bool no_extents, has_extents, plain;
static uint8_t *model, *known; /* known: 1 where the model's byte is */
static uint64_t size, block;
static struct slot slots[MAX_DEPTH];
static uint64_t counts[NR_KINDS], random_state;

static uint64_t
random_below(uint64_t n)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return n ? random_state % n : 0;
}

__attribute__((noreturn)) static void
wrong(const struct slot *s, const char *what)
{
    errx(1, "%s of %zu at %ju: %s (%s)", kind_names[s->kind], s->count,
         (uintmax_t)s->offset, what, nbd_get_error() ? nbd_get_error() : "no text");
}

/* ---- callbacks ---- */

static int
on_chunk(void *user_data, const void *subbuf, size_t count, uint64_t offset,
         unsigned status, int *error)
{
    struct slot *s = user_data;
    if (offset < s->offset || offset - s->offset > s->count ||
        count > s->count - (offset - s->offset) ||
        (const uint8_t *)subbuf != s->buf + (offset - s->offset))
        wrong(s, "a chunk outside of the buffer");
    if (status == LIBNBD_READ_ERROR || *error)
        wrong(s, "a chunk with an error");
    s->chunk_bytes += count;
    return 0;
}

static int
on_extents(void *user_data, const char *context, uint64_t offset, uint32_t *entries,
           size_t nr, int *error)
{
    struct slot *s = user_data;
    if (strcmp(context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
        return 0;
    if (offset != s->offset || nr < 2 || *error)
        wrong(s, "extents of another place");
    uint64_t end = s->offset + s->count;
    for (size_t i = 0; i < nr && offset < end; i += 2) {
        if (entries[i] == 0)
            wrong(s, "an empty extent");
        for (uint64_t at = offset; at < offset + entries[i] && at < end; at++)
            if (entries[i + 1] & LIBNBD_STATE_ZERO && known[at] && model[at])
                wrong(s, "data where the server tells zeros");
        offset += entries[i];
    }
    s->extents_seen++;
    return 0;
}

static void
check_answer(struct slot *s)
{
    if (s->kind == READ_STRUCTURED && s->chunk_bytes != s->count)
        wrong(s, "the chunks are not the whole");
    if (s->kind == STATUS && s->extents_seen != 1)
        wrong(s, "not one answer for base:allocation");
    if (s->kind != READ && s->kind != READ_STRUCTURED)
        return;
    for (size_t i = 0; i < s->count; i++)
        if (known[s->offset + i] && s->buf[i] != model[s->offset + i]) {
            printf("# at %ju: got 0x%02x, want 0x%02x\n", (uintmax_t)(s->offset + i),
                   s->buf[i], model[s->offset + i]);
            wrong(s, "other bytes than the model's");
        }
}

static int
on_complete(void *user_data, int *error)
{
    struct slot *s = user_data;
    if (*error)
        errx(1, "%s of %zu at %ju: errno %d", kind_names[s->kind], s->count,
             (uintmax_t)s->offset, *error);
    if (s->done)
        wrong(s, "completed twice");
    check_answer(s);
    s->done = true;
    return !s->wants_retire;
}

static void
on_free(void *user_data)
{
    struct slot *s = user_data;
    if (!s->done)
        wrong(s, "freed before completion");
    if (!s->wants_retire)
        s->busy = false;
}

/* ---- asking ---- */

static bool
writes(enum kind k)
{
    return k == WRITE || k == ZERO || k == TRIM;
}

static bool
collides(const struct slot *s)
{
    for (unsigned i = 0; i < depth; i++) {
        const struct slot *o = &slots[i];
        if (o != s && o->busy && (writes(o->kind) || writes(s->kind)) &&
            o->offset < s->offset + s->count && s->offset < o->offset + o->count)
            return true;
    }
    return false;
}

static bool
is_possible(struct nbd_handle *nbd, enum kind k)
{
    if (plain && (k == ZERO || k == TRIM || k == CACHE || k == FLUSH))
        return false;
    switch (k) {
    case WRITE:
        return nbd_is_read_only(nbd) == 0;
    case ZERO:
        return nbd_is_read_only(nbd) == 0 && nbd_can_zero(nbd) == 1;
    case TRIM:
        return nbd_is_read_only(nbd) == 0 && nbd_can_trim(nbd) == 1;
    case CACHE:
        return nbd_can_cache(nbd) == 1;
    case FLUSH:
        return nbd_can_flush(nbd) == 1;
    case STATUS:
        return has_extents;
    default:
        return true;
    }
}

static void
choose(struct slot *s)
{
    uint64_t blocks = size / block, limit = MAX_LENGTH / block;
    s->nbd = handles[random_below(nr_handles)];
    do
        s->kind = (enum kind)random_below(NR_KINDS);
    while (!is_possible(s->nbd, s->kind));
    uint64_t first = random_below(blocks), most = blocks - first;
    if (random_below(4) && limit > 16384 / block)
        limit = 16384 / block;
    if (limit == 0)
        limit = 1;
    if (most > limit)
        most = limit;
    s->offset = s->kind == FLUSH ? 0 : first * block;
    s->count = s->kind == FLUSH ? 0 : (1 + random_below(most)) * block;
    s->done = false;
    s->chunk_bytes = s->extents_seen = 0;
    s->wants_retire = random_below(2);
}

/* What the export will hold when the command is done. */
static void
foresee(struct slot *s)
{
    for (size_t i = 0; i < s->count; i++) {
        if (s->kind == WRITE)
            s->buf[i] = random_below(8) ? (uint8_t)(random_state >> 32) : 0;
        if (writes(s->kind)) {
            model[s->offset + i] = s->kind == WRITE ? s->buf[i] : 0;
            known[s->offset + i] = s->kind != TRIM;
        } else {
            s->buf[i] = 0xaa;
        }
    }
}

static int64_t
submit_command(struct slot *s)
{
    nbd_completion_callback done = {on_complete, s, on_free};
    nbd_chunk_callback chunk = {on_chunk, s, NULL};
    nbd_extent_callback extents = {on_extents, s, NULL};
    uint32_t fua = !plain && random_below(8) == 0 && nbd_can_fua(s->nbd) == 1;
    uint32_t flags = fua ? LIBNBD_CMD_FLAG_FUA : 0;
    switch (s->kind) {
    case READ:
        return nbd_aio_pread(s->nbd, s->buf, s->count, s->offset, done, 0);
    case READ_STRUCTURED:
        return nbd_aio_pread_structured(s->nbd, s->buf, s->count, s->offset, chunk,
                                        done, 0);
    case WRITE:
        return nbd_aio_pwrite(s->nbd, s->buf, s->count, s->offset, done, flags);
    case ZERO:
        if (random_below(2))
            flags |= LIBNBD_CMD_FLAG_NO_HOLE;
        return nbd_aio_zero(s->nbd, s->count, s->offset, done, flags);
    case TRIM:
        return nbd_aio_trim(s->nbd, s->count, s->offset, done, flags);
    case CACHE:
        return nbd_aio_cache(s->nbd, s->count, s->offset, done, 0);
    case FLUSH:
        return nbd_aio_flush(s->nbd, done, 0);
    default:
        return nbd_aio_block_status(s->nbd, s->count, s->offset, extents, done, 0);
    }
}

static bool
submit_one(struct slot *s)
{
    choose(s);
    if (collides(s))
        return false;
    foresee(s);
    s->busy = true;
    s->cookie = submit_command(s);
    if (s->cookie < 1)
        wrong(s, "refused");
    counts[s->kind]++;
    return true;
}

/* ---- running ---- */

static void
run_once(void)
{
    if (strcmp(loop, "poll") == 0)
        poll_once(handles, nr_handles);
    else if (strcmp(loop, "epoll") == 0)
        epoll_once(handles, nr_handles);
    else if (nbd_poll(handles[0], DEADLINE_MS) != 1)
        errx(1, "nbd_poll: %s", nbd_get_error() ? nbd_get_error() : "hung");
}

/* Slots whose commands are to be retired by hand; the number that is still busy. */
static unsigned
reap(void)
{
    unsigned busy = 0;
    for (unsigned i = 0; i < depth; i++) {
        struct slot *s = &slots[i];
        if (s->busy && s->done && s->wants_retire) {
            if (nbd_aio_command_completed(s->nbd, (uint64_t)s->cookie) != 1)
                wrong(s, "completed, but not to be retired");
            s->busy = false;
        }
        busy += s->busy;
    }
    return busy;
}

static void
run_all(void)
{
    for (unsigned left = commands, busy = 0; left > 0 || busy > 0; busy = reap()) {
        for (unsigned i = 0; i < depth && left > 0; i++)
            if (!slots[i].busy && submit_one(&slots[i]))
                left--;
        if (reap() > 0)
            run_once();
    }
    for (unsigned i = 0; i < nr_handles; i++)
        if (nbd_aio_in_flight(handles[i]) != 0 ||
            nbd_aio_peek_command_completed(handles[i]) > 0)
            errx(1, "commands are left over");
}

/* ---- begin and end ---- */

static void
connect_one(struct nbd_handle *nbd, char how, char **argv)
{
    int r;
    if (nbd_set_export_name(nbd, export) == -1 ||
        nbd_add_meta_context(nbd, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1)
        errx(1, "%s", nbd_get_error());
    if (how == 'a')
        r = nbd_connect_systemd_socket_activation(nbd, argv);
    else if (how == 'x')
        r = nbd_connect_command(nbd, argv);
    else
        r = nbd_connect_uri(nbd, argv[0]);
    if (r == -1)
        errx(1, "%s", nbd_get_error());
}

static void
compare_all(void)
{
    uint8_t *buf = malloc(MAX_LENGTH);
    if (!buf)
        err(1, "malloc");
    for (uint64_t at = 0; at < size; at += MAX_LENGTH) {
        size_t n = size - at < MAX_LENGTH ? size - at : MAX_LENGTH;
        if (nbd_pread(handles[0], buf, n, at, 0) == -1)
            errx(1, "%s", nbd_get_error());
        for (size_t i = 0; i < n; i++)
            if (known[at + i] && buf[i] != model[at + i])
                errx(1, "byte %ju differs at the end", (uintmax_t)(at + i));
    }
    free(buf);
}

static void
prepare(void)
{
    int64_t n = nbd_get_size(handles[0]);
    int64_t min = nbd_get_block_size(handles[0], LIBNBD_SIZE_MINIMUM);
    if (n < 512 || min < 0)
        errx(1, "the export is too small or has no size");
    if (block == 0)
        block = min > 0 ? (uint64_t)min : 1;
    size = (uint64_t)n < MAX_SIZE ? (uint64_t)n : MAX_SIZE;
    size -= size % block;
    has_extents = nbd_can_meta_context(handles[0], LIBNBD_CONTEXT_BASE_ALLOCATION) == 1;
    if (has_extents == no_extents)
        errx(1, "the server %s its extents", has_extents ? "tells" : "does not tell");
    if (nr_handles > 1 && nbd_can_multi_conn(handles[0]) != 1)
        errx(1, "the server does not take several connections");
    model = calloc(1, size);
    known = calloc(1, size);
    for (unsigned i = 0; i < depth; i++)
        if (!(slots[i].buf = malloc(MAX_LENGTH)))
            err(1, "malloc");
    if (!model || !known)
        err(1, "calloc");
    for (uint64_t at = 0; at < size; at += MAX_LENGTH) {
        size_t part = size - at < MAX_LENGTH ? size - at : MAX_LENGTH;
        if (nbd_pread(handles[0], model + at, part, at, 0) == -1)
            errx(1, "%s", nbd_get_error());
    }
    memset(known, 1, size);
}

static void
finish(void)
{
    printf("# size %ju, block %ju:", (uintmax_t)size, (uintmax_t)block);
    for (int k = 0; k < NR_KINDS; k++)
        printf(" %ju %s", (uintmax_t)counts[k], kind_names[k]);
    printf("\n");
    for (unsigned i = 0; i < nr_handles; i++) {
        if (nbd_shutdown(handles[i], 0) == -1)
            errx(1, "%s", nbd_get_error());
        nbd_close(handles[i]);
    }
    for (unsigned i = 0; i < depth; i++)
        free(slots[i].buf);
    free(model);
    free(known);
}

int
main(int argc, char **argv)
{
    uint64_t seed = (uint64_t)getpid();
    char how = 'U';
    int option;
    while ((option = getopt(argc, argv, "+l:c:d:n:s:e:b:wuax")) != -1) {
        unsigned long n = optarg ? strtoul(optarg, NULL, 0) : 0;
        if (option == 'l')
            loop = optarg;
        else if (option == 'c')
            nr_handles = n < MAX_CONNECTIONS ? (unsigned)n : MAX_CONNECTIONS;
        else if (option == 'd')
            depth = n < MAX_DEPTH ? (unsigned)n : MAX_DEPTH;
        else if (option == 'n')
            commands = (unsigned)n;
        else if (option == 's')
            seed = n;
        else if (option == 'e')
            export = optarg;
        else if (option == 'b')
            block = n;
        else if (option == 'w')
            plain = true;
        else if (option == 'u')
            no_extents = true;
        else if (option == 'a' || option == 'x')
            how = (char)option;
        else
            return 2;
    }
    if (optind == argc || nr_handles == 0 || depth == 0)
        errx(2, "model [OPTION...] URI | -a|-x COMMAND...");
    printf("# seed %ju\n", (uintmax_t)seed);
    random_state = seed * UINT64_C(0x9e3779b97f4a7c15) + 1;
    for (unsigned i = 0; i < nr_handles; i++) {
        if (!(handles[i] = nbd_create()))
            errx(1, "%s", nbd_get_error());
        connect_one(handles[i], how, argv + optind);
    }
    prepare();
    run_all();
    compare_all();
    finish();
    return 0;
}
