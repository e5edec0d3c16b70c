/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export-log.c - see export-log.h
 *
 * What is in the file is given to the replay as if a server had answered it and then
 * died; so it is sent again before anything else.  The file stays as it was until the
 * server has flushed all of that.
 */

#include "export-log.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define LOOK_MS 200 /* between two looks whether it is worth to go on */

struct export_log {
    struct replay_log *file;
    struct replay_entry *entries; /* what was in it */
    struct command flush;         /* of that */
    struct flush_mark mark;
    int done;         /* eventfd */
    atomic_int error; /* set before it is written */
};

__attribute__((format(printf, 3, 4))) static bool
refuse(const struct export *export, char **why, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) == -1)
        text = NULL;
    va_end(args);
    if (text == NULL || asprintf(why, "replay-file %s: %s",
                                 replay_log_path(export->log->file), text) == -1)
        *why = NULL;
    free(text);
    return false;
}

/* The entries are freed all at once. */
static void
on_release(struct replay_entry *entry)
{
    (void)entry;
}

static enum command_kind
kind_of(const struct replay_record *record)
{
    return record->kind == REPLAY_TRIM   ? COMMAND_TRIM
           : record->kind == REPLAY_ZERO ? COMMAND_ZERO
                                         : COMMAND_WRITE;
}

static bool
load(struct export *export)
{
    struct export_log *log = export->log;
    const struct replay_records *records = replay_log_records(log->file);

    log->entries = calloc(records->n, sizeof log->entries[0]);
    if (log->entries == NULL)
        return false;
    for (size_t i = 0; i < records->n; i++) {
        const struct replay_record *record = &records->record[i];
        log->entries[i] = (struct replay_entry){
            .kind = kind_of(record),
            .flags = record->flags,
            .off = record->off,
            .len = record->len,
            /* only read */
            .data = record->kind == REPLAY_WRITE ? (uint8_t *)record->data : NULL,
            .release = on_release,
        };
        replay_put(export->replay, &log->entries[i]);
    }
    return true;
}

static void
on_flushed(struct command *cmd, int error)
{
    struct export_log *log = cmd->owner;

    atomic_store(&log->error, error);
    eventfd_write(log->done, 1);
}

/* Waits for the flush, which waits until all was sent.  An errno. */
static int
wait_for_flush(struct export *export)
{
    struct export_log *log = export->log;
    struct pollfd fd = {.fd = log->done, .events = POLLIN};
    int64_t until = INT64_MAX, retry_ms = export->source.retry_ms;
    unsigned losses = pool_losses(export->pool);

    while (poll(&fd, 1, LOOK_MS) <= 0) {
        int64_t now = conn_clock_ms();
        if (export->source.keep_trying != NULL && !export->source.keep_trying())
            return EINTR;
        if (until == INT64_MAX && pool_losses(export->pool) != losses &&
            retry_ms < INT64_MAX - now)
            until = now + retry_ms;
        if (now > until)
            return ENOTCONN;
    }
    return atomic_load(&log->error);
}

/* What is in the file goes to the server. */
static bool
send_again(struct export *export, char **why)
{
    struct export_log *log = export->log;
    size_t n = replay_log_records(log->file)->n;

    if (n == 0)
        return true;
    if (export->read_only)
        return refuse(export, why,
                      "it has %zu changes that the server may not have; mount the "
                      "export for writing once",
                      n);
    if (!load(export))
        return refuse(export, why, "out of memory");
    pool_replay(export->pool);
    export_mark(export, &log->mark);
    log->flush = (struct command){
        .kind = COMMAND_FLUSH,
        .owner = log,
        .done = on_flushed,
        .give_up_ms = INT64_MAX, /* wait_for_flush does */
    };
    pool_submit(export->pool, &log->flush);
    int error = wait_for_flush(export);
    bool refused = late_errors_untold(&export->late) != 0; /* it was logged why */
    late_errors_all_told(&export->late);
    if (refused)
        return refuse(
            export, why,
            "the server refuses some of the %zu changes in it; it was left as "
            "it is",
            n);
    if (error != 0)
        return refuse(export, why,
                      "the %zu changes in it were not all taken by the server: %s; it "
                      "was left as it is",
                      n, strerror(error));
    export_flushed(export, &log->mark);
    free(log->entries);
    log->entries = NULL;
    log_info("%s: sent %zu changes again that an earlier mount had left in %s",
             export->source.text, n, replay_log_path(log->file));
    return true;
}

bool
export_use_log(struct export *export, struct replay_log *file, const char *text,
               char **why)
{
    struct export_log *log = calloc(1, sizeof *log);
    struct replay_log_export identity = {
        .text = text,
        .name = export->info.name,
        .size = (uint64_t) export->info.size,
        .minimum = export->info.minimum,
    };

    *why = NULL;
    if (log == NULL) {
        replay_log_close(file, false);
        return false;
    }
    export->log = log;
    log->file = file;
    log->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (log->done == -1)
        return refuse(export, why, "%s", strerror(errno));
    if (!replay_log_check(file, &identity, why))
        return false;
    if (!export->read_only && !export->info.can_flush)
        return refuse(export, why,
                      "the server has no flush, without which it grows "
                      "for ever");
    if (!send_again(export, why))
        return false;
    if (export->read_only)
        return true; /* there will be nothing to log */
    if (!replay_log_begin(file, &identity, export->source.replay,
                          replay_next_seq(export->replay), replay_want_room,
                          export->replay, why))
        return false;
    replay_use_log(export->replay, file);
    return true;
}

void
export_log_stop(struct export *export)
{
    if (export->log != NULL)
        replay_log_stop(export->log->file);
}

void
export_log_end(struct export *export, bool flushed)
{
    struct export_log *log = export->log;

    if (log == NULL)
        return;
    bool begun = export->replay != NULL && replay_has_log(export->replay);
    if (begun && !flushed)
        log_warning("%s: what was not flushed is in %s, for the next mount",
                    export->source.text, replay_log_path(log->file));
    if (export->replay != NULL)
        replay_use_log(export->replay, NULL);
    replay_free(export->replay); /* it may have what was in the file */
    export->replay = NULL;
    replay_log_close(log->file, begun && flushed);
    if (log->done != -1)
        close(log->done);
    free(log->entries);
    free(log);
    export->log = NULL;
}
