/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-change-send.c - doing a change: see file-change.h
 *
 * What it changes a part of is read, all is remembered for a server that forgets, the
 * edges are written and then the middle, some of it at a time.
 */

#define FUSE_USE_VERSION 314

#include "buffer.h"
#include "file-change.h"
#include "received.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static uint8_t zeros[FILE_TRANSFER_MAX]; /* never written */

void
change_free(struct change *change)
{
    struct replay *replay = NULL;
    size_t room = change->room.bytes;

    if (atomic_fetch_sub(&change->refs, 1) != 1)
        return;
    if (room > 0)
        replay = change->request.export->replay;
    for (unsigned i = 0; i < change->n_edges; i++)
        buffer_give(change->edge[i].buf, change->edge[i].len);
    if (change->received != NULL)
        received_give(change->received);
    else
        buffer_give(change->data, change->data_room);
    free(change->attr);
    free(change);
    if (room > 0)
        replay_give_back(replay, room);
}

static void
on_release(struct replay_entry *entry)
{
    change_free(((struct remembered *)entry)->change); /* its first member */
}

static void
remember(struct change *change, enum command_kind kind, uint64_t off, uint64_t len,
         uint8_t *data)
{
    struct replay *replay = change->request.export->replay;

    if (replay == NULL || len == 0)
        return;
    struct remembered *remembered = &change->remembered[change->n_remembered++];
    remembered->change = change;
    remembered->entry = (struct replay_entry){
        .kind = kind,
        .flags = kind == change->kind ? change->flags : 0,
        .off = off,
        .len = len,
        .data = data,
        .release = on_release,
    };
    atomic_fetch_add(&change->refs, 1);
}

/* The program may go on; or the log has to have it first. */
static void
answer_before(struct change *change)
{
    if (change->answer != ANSWER_BEFORE || change->told)
        return;
    change->told = true;
    request_answer_written(&change->request, change->end - change->off);
}

/* Before it is sent: it may be answered now, for all that comes later finds it in
 * ordering, sparse and prefetch. */
static void
choose_answer(struct change *change)
{
    struct behind *behind = &change->request.export->behind;
    size_t len = change->end - change->off;

    if (change->answer != ANSWER_MAY_BE_BEFORE || !behind_take(behind, len))
        return;
    change->answer = ANSWER_BEFORE;
    change->taken = len;
}

/* The server has done it, or has not, of which the program knows nothing. */
static void
end_behind(struct change *change, int error)
{
    struct export *export = change->request.export;

    if (change->told && error != 0)
        export_write_failed(export, change->off, change->end, request_errno(error));
    if (change->answer == ANSWER_BEFORE)
        behind_give(&export->behind, change->taken);
}

static void
change_end(struct request *request)
{
    struct change *change = (struct change *)request;
    struct export *export = request->export;
    int error = atomic_load(&request->error);
    uint64_t len = change->end - change->off;
    struct timespec now;

    sparse_changed(export->sparse, change->off, len,
                   error == 0 ? change->becomes : EXTENT_UNKNOWN);
    prefetch_changed(export->prefetch, &change->ahead);
    /* Before anybody is told; a change that failed may have been done all the same. */
    export_wrote(export, len, change->losses);
    for (unsigned i = 0; i < change->n_remembered; i++)
        replay_end(export->replay, &change->remembered[i].entry, error == 0);
    clock_gettime(CLOCK_REALTIME, &now);
    atomic_store_explicit(&export->mtime_ns,
                          (int64_t)now.tv_sec * 1000000000 + now.tv_nsec,
                          memory_order_relaxed);
    end_behind(change, error);
    if (error != 0)
        request_answer_error(request, request_errno(error));
    else if (change->cut)
        request_answer_error(request, ENOSPC);
    else if (change->attr != NULL)
        request_answer_attr(request, change->attr);
    else if (change->data != NULL)
        request_answer_written(request, len);
    else
        request_answer_error(request, 0);
    ordering_leave(&export->changes, &change->ordered);
    change_free(change);
    export_request_ends(export);
}

/* The server has answered all of it; or the log has it.  The later of the two ends it.
 */
static void
finish(struct change *change)
{
    if (atomic_fetch_sub(&change->pending, 1) == 1)
        change_end(&change->request);
}

static void
on_logged(struct replay_group *group, int error)
{
    struct change *change =
        (struct change *)((char *)group - offsetof(struct change, logged));
    int none = 0;

    if (error != 0)
        atomic_compare_exchange_strong(&change->request.error, &none, error);
    else
        answer_before(change);
    finish(change);
}

/* Before it is sent.  True: the log is to have it before it is answered. */
static bool
add_to_replay(struct change *change)
{
    struct replay *replay = change->request.export->replay;
    struct replay_entry *entries[3];
    bool logs;

    if (change->n_remembered == 0)
        return false;
    for (unsigned i = 0; i < change->n_remembered; i++)
        entries[i] = &change->remembered[i].entry;
    logs = replay_has_log(replay);
    if (logs)
        atomic_fetch_add(&change->pending, 1);
    change->logged.logged = on_logged;
    replay_add(replay, entries, change->n_remembered, &change->logged);
    return logs;
}

/* Sends some of the middle; called again when they have come back. */
static void
send_middle(struct request *request)
{
    struct change *change = (struct change *)request;
    uint64_t most =
        change->kind == COMMAND_WRITE ? request->export->info.maximum : ZERO_MAX;

    if (change->kind == COMMAND_WRITE && change->data == NULL && most > sizeof zeros)
        most = sizeof zeros;

    if (atomic_load(&request->error) != 0 || change->middle == change->mid_end) {
        finish(change);
        return;
    }
    request_step(request, send_middle);
    for (unsigned i = 0; i < change->batch && change->middle < change->mid_end; i++) {
        uint64_t len = change->mid_end - change->middle;
        if (len > most)
            len = most;
        change->cmd[i] = (struct command){
            .kind = change->kind,
            .flags = change->flags,
            .off = change->middle,
            .len = len,
            .behind = change->answer == ANSWER_BEFORE,
        };
        if (change->data != NULL)
            change->cmd[i].buf = change->data + (change->middle - change->off);
        else
            change->cmd[i].buf = zeros; /* only looked at for a write */
        change->middle += len;
        request_submit(request, &change->cmd[i]);
    }
    request_go(request);
}

/* Puts what is changed of the block into it. */
static void
patch(const struct change *change, struct edge *edge)
{
    uint64_t from = edge->off > change->off ? edge->off : change->off;
    uint64_t to = edge->off + edge->len;

    if (to > change->end)
        to = change->end;
    if (change->data != NULL)
        memcpy(edge->buf + (from - edge->off), change->data + (from - change->off),
               to - from);
    else
        memset(edge->buf + (from - edge->off), 0, to - from);
}

static void
send_edges(struct request *request, enum command_kind kind,
           void (*next)(struct request *))
{
    struct change *change = (struct change *)request;

    request_step(request, next);
    for (unsigned i = 0; i < change->n_edges; i++) {
        change->edge_cmd[i] = (struct command){
            .kind = kind,
            .off = change->edge[i].off,
            .len = change->edge[i].len,
            .buf = change->edge[i].buf,
            .behind =
                kind == COMMAND_WRITE ? change->answer == ANSWER_BEFORE : change->told,
        };
        request_submit(request, &change->edge_cmd[i]);
    }
    request_go(request);
}

static void
write_edges(struct request *request)
{
    struct change *change = (struct change *)request;

    if (atomic_load(&request->error) != 0) {
        finish(change);
        return;
    }
    for (unsigned i = 0; i < change->n_edges; i++) {
        struct edge *edge = &change->edge[i];
        patch(change, edge);
        remember(change, COMMAND_WRITE, edge->off, edge->len, edge->buf);
    }
    remember(change, change->kind, change->middle, change->mid_end - change->middle,
             change->data != NULL ? change->data + (change->middle - change->off)
                                  : NULL);
    choose_answer(change);
    if (!add_to_replay(change))
        answer_before(change);
    send_edges(request, COMMAND_WRITE, send_middle);
}

static void
change_go(struct change *change)
{
    struct export *export = change->request.export;
    uint64_t len = change->end - change->off;

    sparse_changing(export->sparse, change->off, len, change->becomes);
    change->losses = pool_losses(export->pool);
    send_edges(&change->request, COMMAND_READ, write_edges);
}

/* There is room to remember it, or no hope of that. */
static void
on_room(struct replay_wait *room, int error)
{
    struct change *change =
        (struct change *)((char *)room - offsetof(struct change, room));

    if (error == 0) {
        change_go(change);
        return;
    }
    room->bytes = 0; /* it was not taken */
    atomic_store(&change->request.error, error);
    finish(change);
}

void
change_send(struct change *change)
{
    struct replay *replay = change->request.export->replay;

    atomic_init(&change->pending, 1);
    change->losses = pool_losses(change->request.export->pool);
    if (atomic_load(&change->request.error) != 0) {
        finish(change);
        return;
    }
    if (replay == NULL) {
        change_go(change);
        return;
    }
    change->room.bytes = sizeof *change + change->batch * sizeof change->cmd[0];
    if (change->data != NULL)
        change->room.bytes += change->data_room;
    for (unsigned i = 0; i < change->n_edges; i++)
        change->room.bytes += change->edge[i].len;
    change->room.start = on_room;
    replay_take(replay, &change->room);
}
