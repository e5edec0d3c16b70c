/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.c - reading and seeking: see file.h
 *
 * Split to the server's payload limit, or shared by idle connections, and aligned to
 * its blocks.  The end of an export that is no multiple of the block is asked for as it
 * is.
 */

#define FUSE_USE_VERSION 314

#include "file.h"
#include "buffer.h"
#include "file-after.h"
#include "request.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>

#define PIECES_MAX  16
#define SHARE_LEAST (256 << 10) /* bytes that are worth a request of their own */

struct reading {
    struct request request;
    uint8_t *buf;
    size_t buf_len;
    size_t skip; /* the answer begins here in buf */
    size_t len;
    int64_t give_up_ms; /* 0: as the pool says */
    struct command cmd[];
};

/* A read that waits until less is being read. */
struct late_reading {
    struct request request;
    struct quota_wait wait;
    uint64_t off;
    int64_t give_up_ms;
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
    quota_give(&request->export->reads, reading->len);
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

/* The most that one request asks for.  A large read is shared by the connections that
 * have nothing to do: the server and we are then at work on it with several processors,
 * and a network has several windows for it. */
static uint32_t
request_max(const struct export *export, const struct piece *pieces, unsigned n_pieces)
{
    uint32_t maximum = export->info.maximum;
    size_t len = 0;

    for (unsigned i = 0; i < n_pieces; i++)
        len += pieces[i].len;
    if (len < 2 * SHARE_LEAST)
        return maximum;
    size_t idle = pool_idle(export->pool), most = len / SHARE_LEAST;
    size_t n = idle < most ? idle : most;
    if (n < 2)
        return maximum;
    size_t blocks = (len / n + CONN_BLOCK_MAX - 1) / CONN_BLOCK_MAX;
    size_t share = blocks * CONN_BLOCK_MAX;
    return share < maximum ? (uint32_t)share : maximum;
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
                .give_up_ms = reading->give_up_ms,
            };
            request_submit(&reading->request, cmd);
            done += len;
        }
    request_go(&reading->request);
}

/* len bytes of the quota are taken, and n pieces planned. */
static void
read_now(struct export *export, struct fuse_req *fuse, uint64_t off, size_t len,
         struct piece *pieces, unsigned n, int64_t give_up_ms)
{
    const struct conn_info *info = &export->info;

    n = align_pieces(info, (uint64_t)export_size(export), pieces, n);
    uint64_t base = off, end = off + len;
    if (n > 0 && pieces[0].off < base)
        base = pieces[0].off;
    if (n > 0 && pieces[n - 1].off + pieces[n - 1].len > end)
        end = pieces[n - 1].off + pieces[n - 1].len;

    uint32_t maximum = request_max(export, pieces, n);
    size_t commands = count_commands(pieces, n, maximum);
    struct reading *reading =
        malloc(sizeof *reading + commands * sizeof reading->cmd[0]);
    uint8_t *buf = buffer_take(end - base);
    if (reading == NULL || buf == NULL) {
        free(reading);
        buffer_give(buf, end - base);
        fuse_reply_err(fuse, ENOMEM);
        quota_give(&export->reads, len);
        return;
    }
    request_begin(&reading->request, export, fuse);
    reading->buf = buf;
    reading->buf_len = end - base;
    reading->skip = off - base;
    reading->len = len;
    reading->give_up_ms = give_up_ms;
    fill_holes(reading, base, pieces, n);
    submit_pieces(reading, base, pieces, n, maximum);
}

static void
on_turn(struct quota_wait *wait)
{
    struct late_reading *late =
        (struct late_reading *)((char *)wait - offsetof(struct late_reading, wait));
    struct export *export = late->request.export;
    struct piece pieces[PIECES_MAX];

    if (request_hand_over(&late->request)) {
        unsigned n =
            sparse_plan(export->sparse, late->off, wait->bytes, pieces, PIECES_MAX);
        read_now(export, late->request.fuse, late->off, wait->bytes, pieces, n,
                 late->give_up_ms);
    } else {
        quota_give(&export->reads, wait->bytes);
    }
    request_end(&late->request);
    free(late);
}

static void
on_late_look(struct quota_wait *wait)
{
    request_look(
        &((struct late_reading *)((char *)wait - offsetof(struct late_reading, wait)))
             ->request);
}

/* It waits its turn; a connection it waits for no longer than if it had not. */
static void
read_later(struct export *export, struct fuse_req *fuse, uint64_t off, size_t len,
           int64_t give_up_ms)
{
    struct late_reading *late = malloc(sizeof *late);

    if (late == NULL) {
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    request_begin(&late->request, export, fuse);
    late->off = off;
    late->give_up_ms = give_up_ms != 0 ? give_up_ms : file_give_up_ms(export);
    late->wait = (struct quota_wait){
        .bytes = len,
        .start = on_turn,
        .look = on_late_look,
    };
    quota_wait(&export->reads, &late->wait);
}

/* No change that was answered is under way there. */
static void
read_after(struct export *export, struct fuse_req *fuse, const struct after *after)
{
    uint64_t off = after->off;
    size_t len = (size_t)after->len;
    struct piece pieces[PIECES_MAX];

    unsigned n = sparse_plan(export->sparse, off, len, pieces, PIECES_MAX);
    if (n == 0 && len <= sizeof file_zeros)
        fuse_reply_buf(fuse, (const char *)file_zeros, len);
    else if (quota_try(&export->reads, len))
        read_now(export, fuse, off, len, pieces, n, after->give_up_ms);
    else
        read_later(export, fuse, off, len, after->give_up_ms);
}

void
file_read(struct export *export, struct fuse_req *fuse, uint64_t off, size_t len)
{
    uint64_t size = (uint64_t)export_size(export);
    struct after after = {.go = read_after, .off = off, .len = len};

    if (off >= size)
        after.len = 0;
    else if (len > size - off)
        after.len = size - off;
    file_after(export, fuse, &after);
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

static bool
on_seek_late(void *user_data)
{
    return request_look(user_data);
}

static void
seek_after(struct export *export, struct fuse_req *fuse, const struct after *after)
{
    struct request *request = malloc(sizeof *request);
    uint64_t off = after->off;
    bool data = after->data;

    if (request == NULL) {
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    request_begin(request, export, fuse);
    export_request_begins(export); /* it stays until sparse_learn has returned */
    sparse_seek(export->sparse, off, data, on_seek_answer, on_seek_late, request);
    if (data)
        sparse_learn(export->sparse, off); /* it goes on from there */
    export_request_ends(export);
}

void
file_seek(struct export *export, struct fuse_req *fuse, uint64_t off, bool data)
{
    uint64_t size = (uint64_t)export_size(export);
    struct after after = {.go = seek_after, .off = off, .data = data};

    after.len = off < size ? size - off : 0;
    file_after(export, fuse, &after);
}
