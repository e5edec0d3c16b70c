/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-after.c - see file-after.h */

#define FUSE_USE_VERSION 314

#include "file-after.h"
#include "request.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>

struct waiting {
    struct request request;
    struct ordered ordered;
    struct after after;
};

static struct waiting *
waiting_of(struct ordered *ordered)
{
    return (struct waiting *)((char *)ordered - offsetof(struct waiting, ordered));
}

static void
on_start(struct ordered *ordered)
{
    struct waiting *waiting = waiting_of(ordered);
    struct request *request = &waiting->request;
    struct export *export = request->export;

    if (request_hand_over(request))
        waiting->after.go(export, request->fuse, &waiting->after);
    ordering_leave(&export->changes, ordered);
    request_end(request);
    free(waiting);
}

static void
on_look(struct ordered *ordered)
{
    request_look(&waiting_of(ordered)->request);
}

int64_t
file_give_up_ms(const struct export *export)
{
    int64_t now = conn_clock_ms(), retry_ms = export->source.retry_ms;

    return retry_ms < INT64_MAX - now ? now + retry_ms : INT64_MAX;
}

void
file_after(struct export *export, struct fuse_req *fuse, const struct after *after)
{
    uint64_t off = after->off, end = after->off + after->len;

    /* Whoever was answered has raised this before. */
    if (!behind_any(&export->behind) || after->len == 0 ||
        !ordering_overlaps(&export->changes, off, end)) {
        after->go(export, fuse, after);
        return;
    }
    struct waiting *waiting = malloc(sizeof *waiting);
    if (waiting == NULL) {
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    request_begin(&waiting->request, export, fuse);
    waiting->after = *after;
    waiting->after.give_up_ms = file_give_up_ms(export);
    waiting->ordered = (struct ordered){
        .kind = ORDERED_LOOK,
        .off = off,
        .end = end,
        .start = on_start,
        .look = on_look,
    };
    ordering_enter(&export->changes, &waiting->ordered);
}
