/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparse.c - see sparse.h
 *
 * A hole is what base:allocation calls ZERO; HOLE without ZERO has undefined contents
 * and is data.
 *
 * Answers that race with changes: every question that is under way is in a list, and a
 * change of a byte in its range, when it is sent and again when it is done, cuts off
 * what may be kept of the answer at that byte.  What is cut off serves the lseek that
 * asked, for which either is right, and is forgotten.
 *
 * The lock is a leaf: nothing is submitted or answered under it.
 */

#include "log.h"
#include "short-lock.h"
#include "sparse-own.h"

#include <errno.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>

#define EXTENTS_MAX     ((size_t)1 << 20)
#define QUESTION_32     0xffff0000 /* a 32-bit length, aligned to any block size */
#define QUESTION_LEAST  (1 << 20)  /* a server that refuses this refuses all */
#define RUNS_FIRST_ROOM 64
#define LOOK_MS         200
#define RUNS_MAX        65536 /* of one answer: 1 MiB; what is behind is asked again */

struct sparse *
sparse_new(struct pool *pool, const struct source *source, const struct conn_info *info)
{
    struct sparse *sparse = calloc(1, sizeof *sparse);

    if (sparse == NULL)
        return NULL;
    sparse->pool = pool;
    sparse->size = (uint64_t)info->size;
    sparse->minimum = info->minimum;
    sparse->can_ask = info->can_extents;
    sparse->is_zero =
        strcmp(source_meta_context(source), LIBNBD_CONTEXT_BASE_ALLOCATION) == 0;
    sparse->is_depth =
        strcmp(source_meta_context(source), LIBNBD_CONTEXT_QEMU_ALLOCATION_DEPTH) == 0;
    sparse->believe_ms = (int64_t)(source->extents_s * 1000);
    sparse->question_max = info->extended ? INT64_MAX / 65536 * 65536 : QUESTION_32;
    sparse->map = extent_map_new(sparse->size, EXTENTS_MAX);
    if (sparse->map == NULL) {
        free(sparse);
        return NULL;
    }
    if (!sparse->can_ask)
        extent_map_set(sparse->map, 0, sparse->size, EXTENT_DATA);
    short_lock_init(&sparse->lock);
    return sparse;
}

void
sparse_free(struct sparse *sparse)
{
    if (sparse == NULL)
        return;
    extent_map_free(sparse->map);
    pthread_mutex_destroy(&sparse->lock);
    free(sparse);
}

void
sparse_grow(struct sparse *sparse, uint64_t size)
{
    pthread_mutex_lock(&sparse->lock);
    uint64_t before = sparse->size;
    if (size > before) {
        sparse->size = size;
        extent_map_grow(sparse->map, size);
        if (!sparse->can_ask)
            extent_map_set(sparse->map, before, size - before, EXTENT_DATA);
    }
    pthread_mutex_unlock(&sparse->lock);
}

void
sparse_forget_if_old(struct sparse *sparse)
{
    if (sparse->forget_ms == 0 || conn_clock_ms() < sparse->forget_ms)
        return;
    extent_map_set(sparse->map, 0, sparse->size, EXTENT_UNKNOWN);
    sparse->forget_ms = 0;
    for (struct seek *seek = sparse->asking; seek != NULL; seek = seek->next)
        seek->trusted = seek->cmd.off; /* asked too long ago */
}

unsigned
sparse_plan(struct sparse *sparse, uint64_t off, uint64_t len, struct piece *pieces,
            unsigned max)
{
    uint64_t end = off + len, run_end;
    unsigned n = 0;

    if (len == 0)
        return 0;
    if (!sparse->is_zero) { /* its holes are not zeros */
        pieces[0] = (struct piece){off, len};
        return 1;
    }
    pthread_mutex_lock(&sparse->lock);
    sparse_forget_if_old(sparse);
    for (uint64_t pos = off; pos < end; pos = run_end) {
        enum extent_kind kind = extent_map_get(sparse->map, pos, &run_end);
        if (run_end > end)
            run_end = end;
        bool all = pos == off && run_end == end;
        if (kind == EXTENT_HOLE && (all || run_end - pos >= SPARSE_HOLE_LEAST))
            continue;
        if (n > 0 && (pieces[n - 1].off + pieces[n - 1].len == pos || n == max))
            pieces[n - 1].len = run_end - pieces[n - 1].off;
        else
            pieces[n++] = (struct piece){pos, run_end - pos};
    }
    pthread_mutex_unlock(&sparse->lock);
    return n;
}

uint64_t
sparse_hole(struct sparse *sparse, uint64_t off)
{
    uint64_t end = off;

    if (!sparse->is_zero)
        return 0;
    pthread_mutex_lock(&sparse->lock);
    sparse_forget_if_old(sparse);
    bool hole =
        off < sparse->size && extent_map_get(sparse->map, off, &end) == EXTENT_HOLE;
    pthread_mutex_unlock(&sparse->lock);
    return hole ? end - off : 0;
}

/* What is being asked about the range, and what is known of it. */
static void
set_kind(struct sparse *sparse, uint64_t off, uint64_t len, enum extent_kind kind)
{
    pthread_mutex_lock(&sparse->lock);
    for (struct seek *seek = sparse->asking; seek != NULL; seek = seek->next) {
        uint64_t from = off > seek->cmd.off ? off : seek->cmd.off;
        if (off + len > seek->cmd.off && from < seek->trusted)
            seek->trusted = from;
    }
    extent_map_set(sparse->map, off, len, kind);
    pthread_mutex_unlock(&sparse->lock);
}

void
sparse_changing(struct sparse *sparse, uint64_t off, uint64_t len,
                enum extent_kind kind)
{
    /* Of another context than base:allocation: what is changed has changed. */
    bool data = !sparse->is_zero || kind == EXTENT_DATA;

    if (sparse->can_ask)
        set_kind(sparse, off, len, data ? EXTENT_DATA : EXTENT_UNKNOWN);
}

void
sparse_changed(struct sparse *sparse, uint64_t off, uint64_t len, enum extent_kind kind)
{
    bool data = !sparse->is_zero && kind != EXTENT_UNKNOWN;

    if (sparse->can_ask)
        set_kind(sparse, off, len, data ? EXTENT_DATA : kind);
}

/* ---- lseek */

static void seek_on(struct seek *seek);

struct seek *
seek_new(struct sparse *sparse)
{
    struct seek *seek = calloc(1, sizeof *seek);

    if (seek == NULL)
        return NULL;
    seek->sparse = sparse;
    seek->room = RUNS_FIRST_ROOM;
    seek->runs = calloc(seek->room, sizeof *seek->runs);
    if (seek->runs != NULL)
        return seek;
    free(seek);
    return NULL;
}

void
seek_free(struct seek *seek)
{
    free(seek->runs);
    free(seek);
}

static void
seek_end(struct seek *seek, int64_t result)
{
    seek->answer(seek->user_data, result);
    seek_free(seek);
}

/* qemu:allocation-depth: 0 is nowhere, 1 here, more in an image behind it.
 * qemu:dirty-bitmap, and others that we do not know: 0 is "unchanged". */
static bool
is_hole(const struct sparse *sparse, uint32_t flags)
{
    if (sparse->is_zero)
        return flags & LIBNBD_STATE_ZERO;
    return sparse->is_depth ? flags != 1 : flags == 0;
}

static void
add_run(struct seek *seek, uint64_t len, enum extent_kind kind)
{
    if (seek->n_runs > 0 && seek->runs[seek->n_runs - 1].kind == kind) {
        seek->runs[seek->n_runs - 1].len += len;
        seek->got += len;
        return;
    }
    if (seek->n_runs == RUNS_MAX)
        return;
    if (seek->n_runs == seek->room) {
        size_t room = seek->room > 0 ? seek->room * 2 : RUNS_FIRST_ROOM;
        struct run *runs = realloc(seek->runs, room * sizeof *runs);
        if (runs == NULL)
            return; /* a shorter answer is one too */
        seek->runs = runs;
        seek->room = room;
    }
    seek->runs[seek->n_runs++] = (struct run){len, kind};
    seek->got += len;
}

static void
on_extent(struct command *cmd, uint64_t off, uint64_t len, uint32_t flags)
{
    struct seek *seek = cmd->owner;

    /* It goes on where the last one ended, and the last one may reach too far. */
    if (off != cmd->off + seek->got || seek->got >= cmd->len || len == 0)
        return;
    if (len > cmd->len - seek->got)
        len = cmd->len - seek->got;
    add_run(seek, len, is_hole(seek->sparse, flags) ? EXTENT_HOLE : EXTENT_DATA);
}

/* An answer that ends inside of a block, as none should: whole blocks are asked about,
 * so the next question would be the same one.  The rest of the block is data. */
static void
complete_block(struct seek *seek)
{
    uint64_t minimum = seek->sparse->minimum, left = seek->cmd.len - seek->got;
    uint64_t rest = (minimum - seek->got % minimum) % minimum;

    if (rest > 0 && left > 0)
        add_run(seek, rest < left ? rest : left, EXTENT_DATA);
}

/* Keeps what may be kept, and forgets that there was a question. */
static void
keep_answer(struct seek *seek)
{
    struct sparse *sparse = seek->sparse;
    uint64_t off = seek->cmd.off;

    pthread_mutex_lock(&sparse->lock);
    if (sparse->believe_ms > 0 && sparse->forget_ms == 0 && seek->n_runs > 0)
        sparse->forget_ms = conn_clock_ms() + sparse->believe_ms;
    for (size_t i = 0; i < seek->n_runs && off < seek->trusted; i++) {
        uint64_t len = seek->runs[i].len;
        if (len > seek->trusted - off)
            len = seek->trusted - off;
        extent_map_set(sparse->map, off, len, seek->runs[i].kind);
        off += seek->runs[i].len;
    }
    *(seek->prev != NULL ? &seek->prev->next : &sparse->asking) = seek->next;
    if (seek->next != NULL)
        seek->next->prev = seek->prev;
    pthread_mutex_unlock(&sparse->lock);
}

/* The server refused.  True if it is worth asking again for less. */
static bool
ask_for_less(struct sparse *sparse, uint64_t refused, int error)
{
    if (error != EINVAL && error != EOVERFLOW && error != ENOMEM)
        return false;
    pthread_mutex_lock(&sparse->lock);
    bool less = refused > QUESTION_LEAST;
    if (less && sparse->question_max >= refused)
        sparse->question_max = refused / 2 / 65536 * 65536;
    pthread_mutex_unlock(&sparse->lock);
    return less;
}

/* A server may tell of one block in each answer. */
static bool
is_wanted(struct seek *seek)
{
    int64_t now = conn_clock_ms();

    if (now - seek->looked_ms < LOOK_MS)
        return true;
    seek->looked_ms = now;
    return seek->look(seek->user_data);
}

static void
on_answer(struct command *cmd, int error)
{
    struct seek *seek = cmd->owner;
    struct sparse *sparse = seek->sparse;

    if (error != 0)
        seek->n_runs = 0;
    else
        complete_block(seek);
    keep_answer(seek);
    if (seek->answer == NULL) {
        learn_end(seek,
                  error != 0 && ask_for_less(sparse, cmd->len, error) ? 0 : error);
        return;
    }
    if (error == ENOTCONN || error == ESTALE) {
        seek_end(seek, error == ESTALE ? -ESTALE : -EIO);
        return;
    }
    if (error != 0 && ask_for_less(sparse, cmd->len, error)) {
        seek_on(seek);
        return;
    }
    if (error != 0 || seek->n_runs == 0) {
        /* What cannot be told apart from data is data. */
        if (error != EAGAIN && !atomic_exchange(&sparse->failed, true))
            log_warning("the server refuses to say where holes are; "
                        "what it does not tell is taken for data");
        seek->runs[0] = (struct run){cmd->len, EXTENT_DATA};
        seek->n_runs = 1;
    }
    uint64_t off = cmd->off;
    for (size_t i = 0; i < seek->n_runs; i++) {
        uint64_t run_end = off + seek->runs[i].len;
        if (run_end > seek->pos && seek->runs[i].kind == seek->wanted) {
            seek_end(seek, (int64_t)(off > seek->pos ? off : seek->pos));
            return;
        }
        off = run_end;
    }
    if (off > seek->pos)
        seek->pos = off;
    if (is_wanted(seek))
        seek_on(seek);
    else
        seek_end(seek, -EINTR);
}

static void
on_late(struct command *cmd)
{
    struct seek *seek = cmd->owner;

    if (seek->answer != NULL)
        seek->look(seek->user_data);
}

void
seek_prepare(struct seek *seek, uint64_t pos)
{
    struct sparse *sparse = seek->sparse;
    uint64_t off = pos - pos % sparse->minimum;
    uint64_t len = sparse->size - off;

    if (len > sparse->question_max)
        len = sparse->question_max;
    seek->cmd = (struct command){
        .kind = COMMAND_STATUS,
        .off = off,
        .len = len,
        .owner = seek,
        .done = on_answer,
        .look = on_late,
        .extent = on_extent,
    };
    seek->trusted = off + len;
    seek->n_runs = 0;
    seek->got = 0;
    seek->prev = NULL;
    seek->next = sparse->asking;
    if (sparse->asking != NULL)
        sparse->asking->prev = seek;
    sparse->asking = seek;
}

/* Walks the map until the answer is found or a question is to be asked. */
static void
seek_on(struct seek *seek)
{
    struct sparse *sparse = seek->sparse;
    uint64_t run_end;

    pthread_mutex_lock(&sparse->lock);
    sparse_forget_if_old(sparse);
    while (seek->pos < sparse->size) {
        enum extent_kind kind = extent_map_get(sparse->map, seek->pos, &run_end);
        if (kind == EXTENT_UNKNOWN) {
            seek_prepare(seek, seek->pos);
            pthread_mutex_unlock(&sparse->lock);
            pool_submit(sparse->pool, &seek->cmd);
            return;
        }
        if (kind == seek->wanted)
            break;
        seek->pos = run_end;
    }
    bool found = seek->pos < sparse->size;
    pthread_mutex_unlock(&sparse->lock);
    if (found || seek->wanted == EXTENT_HOLE)
        seek_end(seek, (int64_t)seek->pos); /* the end of the file is a hole */
    else
        seek_end(seek, -ENXIO);
}

void
sparse_seek(struct sparse *sparse, uint64_t off, bool data, sparse_answer *answer,
            bool (*look)(void *user_data), void *user_data)
{
    if (off >= sparse->size) {
        answer(user_data, -ENXIO);
        return;
    }
    struct seek *seek = seek_new(sparse);
    if (seek == NULL) {
        answer(user_data, -ENOMEM);
        return;
    }
    seek->pos = off;
    seek->wanted = data ? EXTENT_DATA : EXTENT_HOLE;
    seek->answer = answer;
    seek->look = look;
    seek->user_data = user_data;
    seek->looked_ms = conn_clock_ms();
    seek_on(seek);
}
