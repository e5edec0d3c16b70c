/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-ahead.c - reading what was fetched before it was asked for: see file.h
 *
 * What is not there is read as if there were no read-ahead, and so is what could not be
 * fetched: the program gets the error of its own read only.
 */

#include "file.h"
#include "request.h"

#include <stdlib.h>

struct reading {
    struct request request;
    struct prefetch_read ahead;
};

static void
reading_end(struct reading *reading)
{
    request_end(&reading->request);
    free(reading);
}

static void
answer(struct reading *reading)
{
    struct export *export = reading->request.export;
    struct iovec pieces[PREFETCH_PARTS_MAX];
    unsigned n = reading->ahead.n_parts;

    for (unsigned i = 0; i < n; i++) {
        const void *data = prefetch_piece(&reading->ahead, i, &pieces[i].iov_len);
        pieces[i].iov_base = (void *)(uintptr_t)(data != NULL ? data : file_zeros);
    }
    request_answer_pieces(&reading->request, pieces, (int)n);
    prefetch_done(export->prefetch, &reading->ahead);
    reading_end(reading);
}

static void
on_ready(struct prefetch_read *ahead, int error)
{
    struct reading *reading =
        (struct reading *)((char *)ahead - offsetof(struct reading, ahead));
    struct request *request = &reading->request;

    if (error == 0) {
        answer(reading);
        return;
    }
    if (request_hand_over(request))
        file_read(request->export, request->fuse, ahead->off, ahead->len);
    prefetch_done(request->export->prefetch, ahead);
    reading_end(reading);
}

static void
on_look(struct prefetch_read *ahead)
{
    request_look(&((struct reading *)((char *)ahead - offsetof(struct reading, ahead)))
                      ->request);
}

/* A change that is held was answered, and prefetch does not know of it before it
 * starts: what was fetched there is too old. */
static bool
is_changing(struct export *export, uint64_t off, size_t len)
{
    return behind_any(&export->behind) &&
           ordering_overlaps(&export->changes, off, off + len);
}

void
file_read_ahead(struct export *export, struct stream *stream, struct fuse_req *fuse,
                uint64_t off, size_t len)
{
    uint64_t size = (uint64_t)export_size(export);
    struct reading *reading = NULL;

    if (stream != NULL && len > 0 && len <= FILE_TRANSFER_MAX && off < size &&
        !prefetch_passes(export->prefetch, stream, off, len) &&
        !is_changing(export, off, len))
        reading = malloc(sizeof *reading);
    if (reading == NULL) {
        file_read(export, fuse, off, len);
        return;
    }
    request_begin(&reading->request, export, fuse);
    export_request_begins(export); /* it stays until prefetch_ahead has returned */
    reading->ahead.off = off;
    reading->ahead.len = len < size - off ? len : size - off;
    reading->ahead.ready = on_ready;
    reading->ahead.look = on_look;
    switch (prefetch_take(export->prefetch, stream, &reading->ahead)) {
    case PREFETCH_NO:
        file_read(export, fuse, off, len);
        reading_end(reading);
        break;
    case PREFETCH_NOW:
        answer(reading);
        break;
    case PREFETCH_LATER:
        break; /* on_ready has it */
    }
    prefetch_ahead(stream);
    export_request_ends(export);
}
