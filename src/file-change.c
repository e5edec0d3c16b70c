/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-change.c - writing and zeroing: see file.h
 *
 * A change has a middle of whole blocks, sent as it is, and at either side an edge: a
 * block of which it changes a part, so that it is read, patched and written back.
 * Changes of overlapping blocks are kept in order (ordering.h), which makes that safe
 * between programs that use this mount.
 */

#define FUSE_USE_VERSION 314

#include "buffer.h"
#include "file.h"
#include "request.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH    16                  /* commands in flight for one change */
#define ZERO_MAX (UINT64_C(1) << 30) /* bytes in one WRITE_ZEROES */

static uint8_t zeros[FILE_TRANSFER_MAX]; /* never written */

struct edge {
    uint64_t off;
    size_t len;
    uint8_t *buf;
};

/* What is remembered of a change: two edges and a middle. */
struct remembered {
    struct replay_entry entry;
    struct change *change;
};

struct change {
    struct request request;
    atomic_uint refs;        /* itself, and each that is remembered */
    struct replay_wait room; /* for them */
    struct remembered remembered[3];
    unsigned n_remembered;
    struct ordered ordered; /* the blocks that it touches */
    enum command_kind kind; /* COMMAND_WRITE, COMMAND_ZERO or COMMAND_TRIM */
    uint32_t flags;
    uint64_t off, end;        /* what is changed */
    uint64_t middle, mid_end; /* whole blocks; middle moves on as they are sent */
    uint8_t *data;            /* end - off bytes; NULL: zeros */
    struct stat *attr;        /* the answer, or NULL */
    enum extent_kind becomes;
    struct prefetch_change ahead;
    unsigned losses; /* pool_losses() when it was sent */
    unsigned n_edges;
    struct edge edge[2];
    struct command edge_cmd[2];
    unsigned batch; /* commands in flight: the room in cmd */
    struct command cmd[];
};

static struct change *
change_new(uint64_t len, uint64_t most)
{
    uint64_t batch = len / most + 1; /* one more, as it need not begin at a block */

    if (batch > BATCH)
        batch = BATCH;
    struct change *change = calloc(1, sizeof *change + batch * sizeof change->cmd[0]);
    if (change == NULL)
        return NULL;
    change->batch = (unsigned)batch;
    atomic_init(&change->refs, 1);
    return change;
}

/* It, or something that is remembered of it, is not needed any more. */
static void
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
    buffer_give(change->data, change->end - change->off);
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
    replay_add(replay, &remembered->entry);
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
    if (error != 0)
        request_answer_error(request, request_errno(error));
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
        change_end(request);
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
        change_end(request);
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
    change_end(&change->request);
}

/* No earlier change of these blocks is under way. */
static void
change_start(struct ordered *ordered)
{
    struct change *change =
        (struct change *)((char *)ordered - offsetof(struct change, ordered));
    struct replay *replay = change->request.export->replay;

    change->ahead = (struct prefetch_change){.off = ordered->off, .end = ordered->end};
    prefetch_changing(change->request.export->prefetch, &change->ahead);
    if (replay == NULL) {
        change_go(change);
        return;
    }
    change->room.bytes = sizeof *change + change->batch * sizeof change->cmd[0];
    if (change->data != NULL)
        change->room.bytes += change->end - change->off;
    for (unsigned i = 0; i < change->n_edges; i++)
        change->room.bytes += change->edge[i].len;
    change->room.start = on_room;
    replay_take(replay, &change->room);
}

static void
change_look(struct ordered *ordered)
{
    char *change = (char *)ordered - offsetof(struct change, ordered);

    request_look(&((struct change *)change)->request);
}

static bool
add_edge(struct change *change, uint64_t off, uint64_t end)
{
    uint8_t *buf = buffer_take(end - off);

    if (buf == NULL)
        return false;
    change->edge[change->n_edges++] = (struct edge){off, end - off, buf};
    return true;
}

/* Divides [off, end) into edges and middle. */
static bool
divide(struct change *change, const struct conn_info *info)
{
    uint64_t size = (uint64_t)info->size, block = info->minimum;
    uint64_t first = change->off - change->off % block;
    uint64_t last = change->end - change->end % block;
    uint64_t past = block < size - last ? last + block : size; /* of the last block */
    bool head = first < change->off;
    bool tail = last < change->end && change->end < size;

    change->ordered.off = first;
    change->ordered.end = last < change->end ? past : last;
    change->middle = head ? first + block : first;
    change->mid_end = tail ? last : change->end;
    if (head && change->middle >= change->ordered.end) {
        /* it is all in one block */
        change->middle = change->mid_end = change->end;
        return add_edge(change, first, change->ordered.end);
    }
    if (head && !add_edge(change, first, first + block))
        return false;
    return !tail || add_edge(change, last, past);
}

static void
change_begin(struct export *export, struct fuse_req *fuse, struct change *change)
{
    if (!divide(change, &export->info)) {
        change_free(change);
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    request_begin(&change->request, export, fuse);
    change->ordered.flush = false;
    change->ordered.start = change_start;
    change->ordered.look = change_look;
    ordering_enter(&export->changes, &change->ordered);
}

void
file_write(struct export *export, struct fuse_req *fuse, struct fuse_bufvec *data,
           uint64_t off)
{
    uint64_t size = (uint64_t) export->info.size;
    size_t len = fuse_buf_size(data);

    if (len == 0 || off >= size) {
        if (len == 0)
            fuse_reply_write(fuse, 0);
        else
            fuse_reply_err(fuse, ENOSPC);
        return;
    }
    if (len > size - off)
        len = size - off; /* as much as there is room for */
    struct change *change = change_new(len, export->info.maximum);
    uint8_t *copy = buffer_take(len);
    if (change == NULL || copy == NULL) {
        free(change);
        buffer_give(copy, len);
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    change->kind = COMMAND_WRITE;
    change->off = off;
    change->end = off + len;
    change->data = copy;
    change->becomes = EXTENT_DATA;
    struct fuse_bufvec to = FUSE_BUFVEC_INIT(len);
    to.buf[0].mem = copy;
    ssize_t copied = fuse_buf_copy(&to, data, 0);
    if (copied != (ssize_t)len) {
        change_free(change);
        fuse_reply_err(fuse, copied < 0 ? (int)-copied : EIO);
        return;
    }
    change_begin(export, fuse, change);
}

void
file_zero(struct export *export, struct fuse_req *fuse, uint64_t off, uint64_t len,
          enum zero_how how)
{
    uint64_t size = (uint64_t) export->info.size;
    bool trim = how == ZERO_TRIM && export->info.can_trim;

    if (!export->info.can_zero && !trim) {
        fuse_reply_err(fuse, EOPNOTSUPP);
        return;
    }
    if (off >= size || len == 0) {
        fuse_reply_err(fuse, 0); /* nothing there to change */
        return;
    }
    struct change *change = change_new(len, ZERO_MAX);
    if (change == NULL) {
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    change->kind = trim ? COMMAND_TRIM : COMMAND_ZERO;
    change->flags = how == ZERO_KEEP ? LIBNBD_CMD_FLAG_NO_HOLE : 0;
    change->off = off;
    change->end = len > size - off ? size : off + len;
    /* Whether zeros that stay allocated, and what was trimmed, are called a hole is for
     * the server to say. */
    change->becomes = how == ZERO_KEEP || trim ? EXTENT_UNKNOWN : EXTENT_HOLE;
    change_begin(export, fuse, change);
}

void
file_truncate(struct export *export, struct fuse_req *fuse, const struct stat *attr)
{
    struct change *change =
        change_new((uint64_t) export->info.size,
                   export->info.can_zero ? ZERO_MAX : FILE_TRANSFER_MAX);
    struct stat *copy = malloc(sizeof *copy);

    if (change == NULL || copy == NULL) {
        free(change);
        free(copy);
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    *copy = *attr;
    change->kind = export->info.can_zero ? COMMAND_ZERO : COMMAND_WRITE;
    change->off = (uint64_t)attr->st_size;
    change->end = (uint64_t) export->info.size;
    change->attr = copy;
    change->becomes = export->info.can_zero ? EXTENT_HOLE : EXTENT_DATA;
    change_begin(export, fuse, change);
}
