/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-change.c - writing and zeroing: see file.h
 *
 * A change has a middle of whole blocks, sent as it is, and at either side an edge: a
 * block of which it changes a part, so that it is read, patched and written back.
 * Changes of overlapping blocks are kept in order (ordering.h), which makes that safe
 * between programs that use this mount.
 */

#define FUSE_USE_VERSION 314

#include "file-change.h"
#include "buffer.h"
#include "received.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define BATCH 16 /* commands in flight for one change */

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

/* Divides [off, end) into edges and middle.  The export may have grown since. */
static bool
divide(struct change *change, uint64_t size)
{
    uint64_t block = change->request.export->info.minimum;
    uint64_t first = change->off - change->off % block;
    uint64_t last = change->end - change->end % block;
    uint64_t past = block < size - last ? last + block : size; /* of the last block */
    bool head = first < change->off;
    bool tail = last < change->end && change->end < size;

    change->middle = head ? first + block : first;
    change->mid_end = tail ? last : change->end;
    if (head && change->end <= change->middle) {
        /* it is all in one block */
        change->middle = change->mid_end = change->end;
        return add_edge(change, first, last < change->end ? past : last);
    }
    if (head && !add_edge(change, first, first + block))
        return false;
    return !tail || add_edge(change, last, past);
}

/* No earlier change of these blocks is under way. */
static void
change_start(struct ordered *ordered)
{
    struct change *change =
        (struct change *)((char *)ordered - offsetof(struct change, ordered));
    struct export *export = change->request.export;
    uint64_t size = (uint64_t)export_size(export);

    if (change->data != NULL)
        change_is_whole(change);
    if (!divide(change, size))
        atomic_store(&change->request.error, ENOMEM);
    change->ahead = (struct prefetch_change){
        .off = ordered->off,
        .end = ordered->end < size ? ordered->end : size,
    };
    prefetch_changing(export->prefetch, &change->ahead);
    change_send(change);
}

static void
change_begin(struct export *export, struct fuse_req *fuse, struct change *change)
{
    uint64_t block = export->info.minimum;
    struct ordered *ordered = &change->ordered;

    request_begin(&change->request, export, fuse);
    ordered->kind = ORDERED_CHANGE;
    ordered->off = change->off - change->off % block;
    ordered->end = (change->end + block - 1) / block * block;
    ordered->grain = block;
    ordered->start = change_start;
    ordered->look = change_look;
    if (ordering_enter(&export->changes, ordered))
        change_is_held(change);
}

/* The data as it was received, or a copy in so much room, if there is.  An errno. */
static int
take_data(struct change *change, struct fuse_bufvec *data, size_t len, size_t room)
{
    const struct fuse_buf *first = &data->buf[0];
    struct fuse_bufvec to = FUSE_BUFVEC_INIT(len);

    change->data_room = len;
    if (room == len && data->count == 1 && data->idx == 0 && data->off == 0 &&
        !(first->flags & FUSE_BUF_IS_FD) && first->size >= len)
        change->received = received_keep(first->mem, first->size);
    if (change->received != NULL) {
        change->data = first->mem;
        return 0;
    }
    change->data = buffer_take(room);
    if (change->data != NULL)
        change->data_room = room;
    else
        change->data = buffer_take(len);
    if (change->data == NULL)
        return ENOMEM;
    to.buf[0].mem = change->data;
    ssize_t copied = fuse_buf_copy(&to, data, 0);
    if (copied == (ssize_t)len)
        return 0;
    buffer_give(change->data, change->data_room);
    return copied < 0 ? (int)-copied : EIO;
}

/* Others may follow it, and join it where it has room.  Then it is answered as soon as
 * it is held for them, so it takes its part of behind before, and that of what may join
 * it. */
static void
let_others_follow(struct change *change, struct behind *behind, uint64_t size)
{
    uint64_t len = change->end - change->off, room = change->data_room;

    change->answer = ANSWER_MAY_BE_BEFORE;
    if (room > len && behind_take(behind, room)) {
        change->answer = ANSWER_BEFORE;
        change->taken = room;
    } else {
        room = len;
    }
    change->ordered.tail_max = room < size - change->off ? change->off + room : size;
}

void
file_write(struct export *export, struct fuse_req *fuse, struct fuse_bufvec *data,
           uint64_t off, enum write_how how)
{
    uint64_t size = (uint64_t)export_size(export);
    size_t len = fuse_buf_size(data), room;
    bool cut = false;

    if (len == 0 || off >= size) {
        if (len == 0)
            fuse_reply_write(fuse, 0);
        else
            fuse_reply_err(fuse, ENOSPC);
        return;
    }
    if (len > size - off) {
        len = size - off; /* as much as there is room for */
        cut = how == WRITE_WHOLE;
    }
    room = len;
    if (how == WRITE_BEHIND && change_join(export, fuse, data, off, len, &room))
        return;
    struct change *change = change_new(room, export->info.maximum);
    int error = change != NULL ? take_data(change, data, len, room) : ENOMEM;
    if (error != 0) {
        free(change);
        fuse_reply_err(fuse, error);
        return;
    }
    change->kind = COMMAND_WRITE;
    change->off = change->ordered.head = off;
    change->end = change->ordered.tail = off + len;
    change->becomes = EXTENT_DATA;
    change->cut = cut;
    if (how == WRITE_BEHIND)
        let_others_follow(change, &export->behind, size);
    change_begin(export, fuse, change);
}

void
file_zero(struct export *export, struct fuse_req *fuse, uint64_t off, uint64_t len,
          enum zero_how how)
{
    uint64_t size = (uint64_t)export_size(export);
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
    uint64_t size = (uint64_t)export_size(export);
    struct change *change =
        change_new(size, export->info.can_zero ? ZERO_MAX : FILE_TRANSFER_MAX);
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
    change->end = size;
    change->attr = copy;
    change->becomes = export->info.can_zero ? EXTENT_HOLE : EXTENT_DATA;
    change_begin(export, fuse, change);
}
