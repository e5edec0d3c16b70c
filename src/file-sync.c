/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-sync.c - fsync and close: see file.h
 *
 * Both wait for the changes before them, and tell what went wrong with those that were
 * answered before they were done.
 */

#define FUSE_USE_VERSION 314

#include "file.h"
#include "opened.h"
#include "request.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>

struct syncing {
    struct request request;
    struct ordered ordered;
    struct opened *opened;
    struct command cmd;
    struct flush_mark mark; /* what the flush covers */
};

static void
syncing_end(struct syncing *syncing)
{
    struct export *export = syncing->request.export;

    opened_let_go(syncing->opened);
    ordering_leave(&export->changes, &syncing->ordered);
    request_end(&syncing->request);
    free(syncing);
}

/* What is told here is not told again. */
static void
sync_end(struct request *request)
{
    struct syncing *syncing = (struct syncing *)request;
    struct export *export = request->export;
    int error = atomic_load(&request->error);

    if (error == 0 && export->info.can_flush)
        export_flushed(export, &syncing->mark);
    /* The next flush may know nothing of it, and others have written too. */
    if (error != 0 && error != ENOTCONN && error != ESTALE && export->replay == NULL)
        late_error(&export->late, error);
    if (request_hand_over(request)) {
        int late = late_errors_take(&export->late, &syncing->opened->errors_seen);
        fuse_reply_err(request->fuse, request_errno(error != 0 ? error : late));
    }
    syncing_end(syncing);
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
        late_error(&export->late, EIO);
    } else if (export->info.can_flush) {
        syncing->cmd = (struct command){.kind = COMMAND_FLUSH};
        request_submit(&syncing->request, &syncing->cmd);
    }
    request_go(&syncing->request);
}

/* What a close is told.  A program that ends hears nothing of it. */
static int
error_of_close(struct export *export, struct fuse_req *fuse, struct opened *opened)
{
    if (!late_errors_since(&export->late, &opened->errors_seen) ||
        request_is_exit(fuse))
        return 0;
    return request_errno(late_errors_tell(&export->late, &opened->errors_seen));
}

static void
close_start(struct ordered *ordered)
{
    struct syncing *syncing =
        (struct syncing *)((char *)ordered - offsetof(struct syncing, ordered));
    struct request *request = &syncing->request;

    if (request_hand_over(request))
        fuse_reply_err(request->fuse,
                       error_of_close(request->export, request->fuse, syncing->opened));
    syncing_end(syncing);
}

/* start is called after all changes that came before. */
static void
begin_sync(struct export *export, struct fuse_req *fuse, struct opened *opened,
           void (*start)(struct ordered *ordered))
{
    struct syncing *syncing = calloc(1, sizeof *syncing);

    if (syncing == NULL) {
        opened_let_go(opened);
        fuse_reply_err(fuse, ENOMEM);
        return;
    }
    request_begin(&syncing->request, export, fuse);
    syncing->opened = opened;
    syncing->ordered.kind = ORDERED_FLUSH;
    syncing->ordered.start = start;
    syncing->ordered.look = sync_look;
    if (start == close_start)
        request_is_close(&syncing->request);
    ordering_enter(&export->changes, &syncing->ordered);
}

void
file_sync(struct export *export, struct fuse_req *fuse, struct opened *opened)
{
    if (!export->read_only) {
        opened_syncs(opened);
        begin_sync(export, fuse, opened, sync_start);
        return;
    }
    opened_let_go(opened);
    fuse_reply_err(fuse, 0);
}

void
file_close(struct export *export, struct fuse_req *fuse, struct opened *opened)
{
    if (behind_any(&export->behind)) {
        begin_sync(export, fuse, opened, close_start);
        return;
    }
    int error = error_of_close(export, fuse, opened);
    opened_let_go(opened); /* once it is answered the export may be gone */
    fuse_reply_err(fuse, error);
}
