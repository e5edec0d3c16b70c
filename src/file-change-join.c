/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-change-join.c - small writes that follow each other, made one: see file-change.h
 *
 * A program that writes a little at a time to a server that is slow, or far away, has
 * some of it on its way when more comes.  That is answered and waits in memory for what
 * follows it, so that it takes as many commands as the server can do, however small the
 * writes are, and no clock.  ordering.h knows which change waits, and lets it go when
 * somebody has to wait for it.
 */

#define FUSE_USE_VERSION 314

#include "buffer.h"
#include "file-change.h"

#include <fuse_lowlevel.h>
#include <string.h>

/* Bytes of all that become one.  A server does so many at a time, each connection has
 * its limit, and what is on its way has one; so the more are under way, the larger they
 * become. */
#define ROOM_LEAST ((size_t)64 << 10)
#define ROOM_EACH  ((size_t)16 << 10) /* for each that is under way */
#define PART       4                  /* of that: what is larger is not worth a copy */

/* With a log in a file the program is answered when that has the write; so it is sent
 * by itself. */
static bool
may_join(const struct export *export, const struct fuse_bufvec *data, size_t len)
{
    return len <= FILE_TRANSFER_MAX / PART && behind_any(&export->behind) &&
           (export->replay == NULL || !replay_has_log(export->replay)) &&
           data->count == 1 && data->idx == 0 && data->off == 0 &&
           !(data->buf[0].flags & FUSE_BUF_IS_FD) && data->buf[0].size >= len;
}

/* For a write that begins a new one. */
static size_t
room_for(size_t len, unsigned others)
{
    size_t room = ROOM_LEAST;

    while (room < others * ROOM_EACH && room < FILE_TRANSFER_MAX)
        room *= 2;
    return others > 0 && len <= room / PART ? room : len;
}

bool
change_join(struct export *export, struct fuse_req *fuse,
            const struct fuse_bufvec *data, uint64_t off, size_t len, size_t *room)
{
    unsigned others;

    *room = len;
    if (!may_join(export, data, len))
        return false;
    struct ordered *ordered = ordering_join(&export->changes, off, off + len, &others);
    if (ordered == NULL) {
        *room = room_for(len, others);
        return false;
    }
    struct change *change =
        (struct change *)((char *)ordered - offsetof(struct change, ordered));
    memcpy(change->data + (off - change->off), data->buf[0].mem, len);
    /* From its answer on: stat does not wait for the change. */
    sparse_changing(export->sparse, off, len, change->becomes);
    ordering_joined(&export->changes, ordered);
    fuse_reply_write(fuse, len);
    return true;
}

void
change_is_held(struct change *change)
{
    struct export *export = change->request.export;
    uint64_t len = change->end - change->off;

    change->told = true;
    sparse_changing(export->sparse, change->off, len, change->becomes);
    request_answer_written(&change->request, len);
    ordering_joined(&export->changes, &change->ordered);
}

/* What was written into it decides how much memory it needs; it may be remembered for
 * long. */
void
change_is_whole(struct change *change)
{
    size_t len = (size_t)(change->ordered.tail - change->off);

    change->end = change->ordered.tail;
    if (change->taken > len) {
        behind_give_back(&change->request.export->behind, change->taken - len);
        change->taken = len;
    }
    if (len > change->data_room / 2)
        return;
    uint8_t *data = buffer_take(len);
    if (data == NULL)
        return;
    memcpy(data, change->data, len);
    buffer_give(change->data, change->data_room);
    change->data = data;
    change->data_room = len;
}
