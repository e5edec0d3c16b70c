/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.c - reading, seeking and syncing: see file.h
 *
 * Split to the server's payload limit and aligned to its blocks.  The end of an export
 * that is no multiple of the block is asked for as it is.
 */

#define FUSE_USE_VERSION 314

#include "file.h"
#include "buffer.h"
#include "request.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX 16

struct reading {
    struct request request;
    uint8_t *buf;
    size_t buf_len;
    size_t skip; /* the answer begins here in buf */
    size_t len;
    struct command cmd[];
};

const uint8_t file_zeros[FILE_TRANSFER_MAX];

static void
read_end(struct request *request)
{
    struct reading *reading = (struct reading *)request;
    int error = atomic_load(&request->error);

    if (error != 0)
        request_answer_error(request, request_errno(error));
    else
        request_answer_data(request, reading->buf + reading->skip, reading->len);
    buffer_give(reading->buf, reading->buf_len);
    request_end(request);
    free(reading);
}

/* Aligns pieces outwards; those that touch then become one.  Returns their number. */
static unsigned
align_pieces(const struct conn_info *info, uint64_t size, struct piece *pieces,
             unsigned n)
{
    unsigned kept = 0;

    for (unsigned i = 0; i < n; i++) {
        uint64_t off = pieces[i].off - pieces[i].off % info->minimum;
        uint64_t end = pieces[i].off + pieces[i].len;
        uint64_t over = end % info->minimum;
        if (over > 0)
            end = info->minimum - over < size - end ? end + info->minimum - over : size;
        if (kept > 0 && off <= pieces[kept - 1].off + pieces[kept - 1].len)
            pieces[kept - 1].len = end - pieces[kept - 1].off;
        else
            pieces[kept++] = (struct piece){off, end - off};
    }
    return kept;
}

static size_t
count_commands(const struct piece *pieces, unsigned n, uint32_t maximum)
{
    size_t count = 0;

    for (unsigned i = 0; i < n; i++)
        count += (pieces[i].len + maximum - 1) / maximum;
    return count;
}

/* Zeroes what is between the pieces, which lie in [base, base + buf_len). */
static void
fill_holes(struct reading *reading, uint64_t base, const struct piece *pieces,
           unsigned n)
{
    size_t pos = 0;

    for (unsigned i = 0; i < n; i++) {
        memset(reading->buf + pos, 0, pieces[i].off - base - pos);
        pos = pieces[i].off - base + pieces[i].len;
    }
    memset(reading->buf + pos, 0, reading->buf_len - pos);
}

static void
submit_pieces(struct reading *reading, uint64_t base, const struct piece *pieces,
              unsigned n, uint32_t maximum)
{
    struct command *cmd = reading->cmd;

    request_step(&reading->request, read_end);
    for (unsigned i = 0; i < n; i++)
        for (uint64_t done = 0; done < pieces[i].len; cmd++) {
            uint64_t len = pieces[i].len - done;
            if (len > maximum)
                len = maximum;
            *cmd = (struct command){
                .kind = COMMAND_READ,
                .off = pieces[i].off + done,
                .len = len,
                .buf = reading->buf + (pieces[i].off - base + done),
            };
            request_submit(&reading->request, cmd);
            done += len;
        }
    request_go(&reading->request);
}

void
file_read(struct export *export, struct fuse_req *fuse, uint64_t off, size_t len)
{
    const struct conn_info *info = &export->info;
    uint64_t size = (uint64_t)export_size(export);
    struct piece pieces[PIECES_MAX];

    if (off >= size)
        len = 0;
    else if (len > size - off)
        len = size - off;
    unsigned n = sparse_plan(export->sparse, off, len, pieces, PIECES_MAX);
    if (n == 0 && len <= sizeof file_zeros) {
        fuse_reply_buf(fuse, (const char *)file_zeros, len);
        return;
    }
    n = align_pieces(info, size, pieces, n);
    uint64_t base = off, end = off + len;
    if (n > 0 && pieces[0].off < base)
        base = pieces[0].off;
    if (n > 0 && pieces[n - 1].off + pieces[n - 1].len > end)
        end = pieces[n - 1].off + pieces[n - 1].len;

    size_t commands = count_commands(pieces, n, info->maximum);
    struct reading *reading =
        malloc(sizeof *reading + commands * sizeof reading->cmd[0]);
    uint8_t *buf = buffer_take(end - base);
    if (reading == NULL || buf == NULL) {
        free(reading);
        buffer_give(buf, end - base);
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    request_begin(&reading->request, export, fuse);
    reading->buf = buf;
    reading->buf_len = end - base;
    reading->skip = off - base;
    reading->len = len;
    fill_holes(reading, base, pieces, n);
    submit_pieces(reading, base, pieces, n, info->maximum);
}

/* ---- lseek */

static void
on_seek_answer(void *user_data, int64_t result)
{
    struct request *request = user_data;

    if (result < 0)
        request_answer_error(request, (int)-result);
    else
        request_answer_offset(request, result);
    request_end(request);
    free(request);
}

static void
on_seek_late(void *user_data)
{
    request_look(user_data);
}

void
file_seek(struct export *export, struct fuse_req *fuse, uint64_t off, bool data)
{
    struct request *request = malloc(sizeof *request);

    if (request == NULL) {
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    request_begin(request, export, fuse);
    sparse_seek(export->sparse, off, data, on_seek_answer, on_seek_late, request);
    if (data)
        sparse_learn(export->sparse, off); /* it goes on from there */
}

/* ---- fsync */

struct syncing {
    struct request request;
    struct ordered ordered;
    struct command cmd;
    struct flush_mark mark; /* what the flush covers */
};

static void
sync_end(struct request *request)
{
    struct syncing *syncing = (struct syncing *)request;
    struct export *export = request->export;
    int error = atomic_load(&request->error);

    if (error == 0 && export->info.can_flush)
        export_flushed(export, &syncing->mark);
    if (error == 0)
        error = atomic_exchange(&export->flush_error, 0);
    request_answer_error(request, request_errno(error));
    ordering_leave(&export->changes, &syncing->ordered);
    request_end(request);
    free(syncing);
}

static void
sync_look(struct ordered *ordered)
{
    request_look(
        &((struct syncing *)((char *)ordered - offsetof(struct syncing, ordered)))
             ->request);
}

/* All earlier changes have been answered. */
static void
sync_start(struct ordered *ordered)
{
    struct syncing *syncing =
        (struct syncing *)((char *)ordered - offsetof(struct syncing, ordered));
    struct export *export = syncing->request.export;

    export_mark(export, &syncing->mark);
    request_step(&syncing->request, sync_end);
    if (export_may_have_lost(export, &syncing->mark)) {
        atomic_store(&syncing->request.error, EIO);
    } else if (export->info.can_flush) {
        syncing->cmd = (struct command){.kind = COMMAND_FLUSH};
        request_submit(&syncing->request, &syncing->cmd);
    }
    request_go(&syncing->request);
}

void
file_sync(struct export *export, struct fuse_req *fuse)
{
    if (export->read_only) {
        fuse_reply_err(fuse, 0);
        return;
    }
    struct syncing *syncing = calloc(1, sizeof *syncing);
    if (syncing == NULL) {
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    request_begin(&syncing->request, export, fuse);
    syncing->ordered.flush = true;
    syncing->ordered.start = sync_start;
    syncing->ordered.look = sync_look;
    ordering_enter(&export->changes, &syncing->ordered);
}
