/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export.c - see export.h */

#include "export.h"
#include "export-log.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define READS_MAX ((size_t)128 << 20) /* bytes that are being read */

/* A flush of our own, when there is too much to remember. */
struct own_flush {
    struct command cmd;
    struct flush_mark mark;
    struct export *export;
    bool again; /* the last one failed */
};

static void
export_free(struct export *export)
{
    prefetch_free(export->prefetch);
    replay_free(export->replay);
    free(export->own_flush);
    sparse_free(export->sparse);
    ordering_clear(&export->changes);
    opened_list_clear(&export->opened);
    quota_clear(&export->reads);
    if (export->idle != -1)
        close(export->idle);
    free(export);
}

uint64_t
export_dirty(const struct export *export)
{
    uint64_t flushed = atomic_load(&export->flushed);

    return atomic_load(&export->written) - flushed;
}

void
export_wrote(struct export *export, uint64_t len, unsigned losses)
{
    uint64_t flushed = atomic_load(&export->flushed);

    if (atomic_fetch_add(&export->written, len) == flushed)
        atomic_store(&export->losses_known, losses);
}

void
export_mark(struct export *export, struct flush_mark *mark)
{
    mark->written = atomic_load(&export->written);
    mark->replay = export->replay != NULL ? replay_mark(export->replay) : 0;
}

void
export_flushed(struct export *export, const struct flush_mark *mark)
{
    uint64_t flushed = atomic_load(&export->flushed);

    while (flushed < mark->written &&
           !atomic_compare_exchange_weak(&export->flushed, &flushed, mark->written))
        ;
    if (export->replay != NULL)
        replay_cut(export->replay, mark->replay);
}

void
export_flush_failed(struct export *export, int error)
{
    if (error != ENOTCONN && error != ESTALE)
        pool_send_again(export->pool);
}

/* Only the first one is logged before somebody is told. */
void
export_write_failed(struct export *export, uint64_t off, uint64_t end, int error)
{
    uint64_t file = atomic_load(&export->file);

    if (late_error(&export->late, error))
        log_error("%s: %" PRIu64 " bytes from %" PRIu64
                  " on could not be written after all: %s; fsync and close fail",
                  export->source.text, end - off, off, strerror(error));
    if (file != 0 && export->source.failed != NULL)
        export->source.failed(file, off, end);
}

bool
export_may_have_lost(struct export *export, const struct flush_mark *mark)
{
    unsigned now = pool_losses(export->pool);
    uint64_t dirty = mark->written - atomic_load(&export->flushed);

    if (export->replay != NULL || dirty == 0 || !export->info.can_flush ||
        atomic_exchange(&export->losses_known, now) == now)
        return false;
    export_flushed(export, mark);
    log_error("%s: the connection was lost after %" PRIu64
              " bytes were written and before they were flushed; fsync fails",
              export->source.text, dirty);
    return true;
}

/* ---- what may have to be sent again */

static void on_own_flush(struct command *cmd, int error);

static void
submit_own_flush(struct own_flush *flush)
{
    flush->cmd = (struct command){
        .kind = COMMAND_FLUSH,
        .owner = flush,
        .done = on_own_flush,
    };
    pool_submit(flush->export->pool, &flush->cmd);
}

static void
on_own_flush(struct command *cmd, int error)
{
    struct own_flush *flush = cmd->owner;
    struct export *export = flush->export;
    bool failed = error != 0 && error != ENOTCONN && error != ESTALE;
    bool again = failed && !flush->again;

    flush->again = again;
    if (again) {
        export_flush_failed(export, error);
        submit_own_flush(flush); /* it waits until all is sent again */
        return;
    }
    if (error == 0) {
        export_flushed(export, &flush->mark);
    } else if (failed) {
        log_error("%s: the server cannot flush: %s", export->source.text,
                  strerror(error));
        late_error(&export->late, EIO);
        export_flushed(export, &flush->mark); /* that was the second chance */
        error = 0;
    }
    replay_flushed(export->replay, error);
}

static void
want_flush(void *owner)
{
    struct export *export = owner;
    struct own_flush *flush = export->own_flush;

    export_mark(export, &flush->mark);
    submit_own_flush(flush);
}

static void
on_replayed(void *owner, int error)
{
    struct export *export = owner;

    if (error == 0)
        return;
    log_error("%s: the server does not take again what it has forgotten: %s; "
              "the next fsync fails",
              export->source.text, strerror(error));
    late_error(&export->late, EIO);
}

static void
on_tick(void *owner)
{
    struct export *export = owner;

    ordering_look(&export->changes);
    quota_look(&export->reads);
}

static void
on_grown(void *owner, int64_t size)
{
    struct export *export = owner;

    sparse_grow(export->sparse, (uint64_t)size);
    prefetch_grow(export->prefetch, (uint64_t)size);
    int64_t before = atomic_load(&export->size);
    while (before < size && !atomic_compare_exchange_weak(&export->size, &before, size))
        ;
    if (before >= size)
        return; /* it has grown even more */
    log_info("%s: the export has grown from %" PRId64 " to %" PRId64 " bytes",
             export->source.text, before, size);
    uint64_t file = atomic_load(&export->file);
    if (file != 0 && export->source.grown != NULL)
        export->source.grown(file, before);
}

static const struct pool_events pool_events = {
    .tick = on_tick,
    .replayed = on_replayed,
    .grown = on_grown,
};

/* False: no memory. */
static bool
begin(struct export *export)
{
    if (!export->read_only && !export->info.can_flush)
        log_warning("%s: the server has no flush: fsync cannot promise anything, and "
                    "what the server forgets is lost",
                    export->source.text);
    if (!export->read_only && export->info.can_flush && export->source.replay > 0) {
        export->replay = replay_new(export->source.replay, want_flush, export);
        export->own_flush = calloc(1, sizeof *export->own_flush);
        if (export->replay == NULL || export->own_flush == NULL)
            return false;
        export->own_flush->export = export;
    }
    pool_begin(export->pool, &pool_events, export, export->replay);
    return true;
}

struct export *
export_open(const struct source *source, unsigned connections, bool read_only,
            char **why)
{
    struct export *export = calloc(1, sizeof *export);
    struct timespec now;

    *why = NULL;
    if (export == NULL)
        return NULL;
    export->source = *source;
    export->behind.limit = read_only ? 0 : source->behind;
    ordering_init(&export->changes);
    opened_list_init(&export->opened);
    quota_init(&export->reads, READS_MAX);
    clock_gettime(CLOCK_REALTIME, &now);
    atomic_init(&export->mtime_ns, (int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    export->idle = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (export->idle == -1) {
        *why = strdup(strerror(errno));
        export_free(export);
        return NULL;
    }
    export->pool =
        pool_open(&export->source, connections, read_only, &export->info, why);
    if (export->pool == NULL) {
        export_free(export);
        return NULL;
    }
    atomic_init(&export->size, export->info.size);
    export->read_only = read_only || export->info.read_only;
    export->sparse = sparse_new(export->pool, &export->source, &export->info);
    if (export->sparse != NULL)
        export->prefetch = prefetch_new(export->pool, export->sparse, &export->info);
    if (export->prefetch == NULL || !begin(export)) {
        pool_close(export->pool, conn_clock_ms());
        export_free(export);
        return NULL;
    }
    return export;
}

void
export_request_begins(struct export *export)
{
    atomic_fetch_add_explicit(&export->requests, 1, memory_order_relaxed);
}

void
export_request_ends(struct export *export)
{
    /* Who ends a request does not touch the export after that, for another thread may
     * close and free it.  The exception is the last one while export_close waits:
     * until this is written, or no thread is left that could end one. */
    if (atomic_fetch_sub(&export->requests, 1) == (EXPORT_DRAINING | 1))
        eventfd_write(export->idle, 1);
}

unsigned
export_requests(const struct export *export)
{
    return atomic_load(&export->requests) & ~EXPORT_DRAINING;
}

/* True when fd became readable. */
static bool
wait_for(int fd, int64_t deadline_ms, int hurry)
{
    struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                            {.fd = hurry, .events = POLLIN}};

    for (;;) {
        int64_t left = deadline_ms - conn_clock_ms();
        int r = poll(fds, 2, left <= 0 ? 0 : left > 60000 ? 60000 : (int)left);
        if (fds[0].revents & POLLIN)
            return r > 0;
        if ((r > 0 && fds[1].revents != 0) || left <= 0)
            return false;
    }
}

struct last_flush {
    struct command cmd;
    int done;         /* eventfd */
    atomic_int error; /* set before it is written */
};

static void
on_last_flush(struct command *cmd, int error)
{
    struct last_flush *flush = cmd->owner;

    atomic_store(&flush->error, error);
    eventfd_write(flush->done, 1);
}

static int
flush_once(struct export *export, int64_t deadline_ms, int hurry,
           struct last_flush *flush)
{
    flush->cmd = (struct command){
        .kind = COMMAND_FLUSH,
        .owner = flush,
        .done = on_last_flush,
    };
    atomic_store(&flush->error, ETIMEDOUT);
    pool_submit(export->pool, &flush->cmd);
    if (!wait_for(flush->done, deadline_ms, hurry))
        return ETIMEDOUT;
    eventfd_t n;
    eventfd_read(flush->done, &n);
    return atomic_load(&flush->error);
}

static int
flush_at_end(struct export *export, int64_t deadline_ms, int hurry,
             struct last_flush *flush)
{
    if (export->replay == NULL &&
        atomic_load(&export->losses_known) != pool_losses(export->pool))
        return ENOTCONN; /* the server that had them may have forgotten them */
    int error = flush_once(export, deadline_ms, hurry, flush);
    if (error == 0 || error == ETIMEDOUT || error == ENOTCONN || error == ESTALE ||
        export->replay == NULL)
        return error; /* nothing would be different */
    export_flush_failed(export, error);
    return flush_once(export, deadline_ms, hurry, flush);
}

/* Nobody begins one any more, but for a request that has not ended itself.  So they
 * come to an end once, and it is not their number but what the last one writes that
 * says so. */
static bool
drain(struct export *export, int64_t deadline_ms, int hurry)
{
    return atomic_fetch_or(&export->requests, EXPORT_DRAINING) == 0 ||
           wait_for(export->idle, deadline_ms, hurry);
}

int
export_close(struct export *export, int64_t deadline_ms, int hurry)
{
    struct last_flush flush = {.done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
    int result = 0;

    if (!drain(export, deadline_ms, hurry)) {
        log_error("%s: the server did not answer %u requests in time",
                  export->source.text, export_requests(export));
        result = -EIO;
    }
    uint64_t dirty = export_dirty(export);
    struct flush_mark mark;
    export_mark(export, &mark);
    if (dirty > 0 && export->info.can_flush) {
        int error =
            result != 0 ? ETIMEDOUT : flush_at_end(export, deadline_ms, hurry, &flush);
        if (error != 0) {
            log_error("%s: %" PRIu64 " bytes were written and could not be flushed: %s",
                      export->source.text, dirty, strerror(error));
            result = -EIO;
        }
    }
    int untold = late_errors_untold(&export->late);
    if (result == 0 && untold != 0) {
        log_error("%s: something that was written is not there, which no program was "
                  "told: %s",
                  export->source.text, strerror(untold));
        result = -EIO;
    }
    if (result == 0)
        export_flushed(export, &mark);
    else
        deadline_ms = conn_clock_ms(); /* waiting longer would not help */
    export_log_stop(export);
    pool_close(export->pool, deadline_ms); /* all commands are answered after this */
    close(flush.done);
    export_log_end(export, result == 0 && (export->replay == NULL ||
                                           replay_is_empty(export->replay)));
    export_free(export);
    return result;
}
