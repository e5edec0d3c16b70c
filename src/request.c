/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.c - see request.h */

#define FUSE_USE_VERSION 314

#include "request.h"
#include "bundle.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <inttypes.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#define WINDOW_MS 150 /* connections call for a look every 200 ms */
#define LOOKS_MAX 250 /* in a window */

/* A program that ends without closing its file has nobody to tell of errors, but what
 * comes after it expects its bytes to be there; and it cannot be killed. */
#define EXIT_WAITS_MS 5000

/* request.answered.  Who looks whether somebody still waits keeps the answer away for
 * that long, because it frees what libfuse knows of the request. */
enum { UNANSWERED, LOOKING, ANSWERED };

void
request_begin(struct request *request, struct export *export, struct fuse_req *fuse)
{
    request->fuse = fuse;
    request->export = export;
    atomic_init(&request->answered, UNANSWERED);
    atomic_init(&request->error, 0);
    request->look_round = 0;
    request->close_ms = 0;
    export_request_begins(export);
}

void
request_is_close(struct request *request)
{
    request->close_ms = conn_clock_ms();
}

void
request_step(struct request *request, void (*next)(struct request *))
{
    request->step = next;
    atomic_store(&request->parts, 1);
}

static void
part_ends(struct request *request)
{
    if (atomic_fetch_sub(&request->parts, 1) == 1)
        request->step(request);
}

static void
on_done(struct command *cmd, int error)
{
    struct request *request = cmd->owner;
    int none = 0;

    if (error != 0)
        atomic_compare_exchange_strong(&request->error, &none, error);
    if (error != 0 && cmd->kind == COMMAND_FLUSH)
        export_flush_failed(request->export, error);
    part_ends(request);
}

static void
on_look(struct command *cmd)
{
    request_look(cmd->owner);
}

void
request_submit(struct request *request, struct command *cmd)
{
    cmd->owner = request;
    cmd->done = on_done;
    cmd->look = on_look;
    atomic_fetch_add(&request->parts, 1);
    pool_submit(request->export->pool, cmd);
}

void
request_go(struct request *request)
{
    part_ends(request);
}

int
request_errno(int error)
{
    switch (error) {
    case 0:
    case EPERM:
    case ENOMEM:
    case ENOSPC:
    case EROFS:
    case EOPNOTSUPP:
    case ESTALE:
        return error;
    default: /* what else goes wrong between us and a server is no fault of the program
              */
        return EIO;
    }
}

bool
request_hand_over(struct request *request)
{
    int state = UNANSWERED;

    while (!atomic_compare_exchange_weak(&request->answered, &state, ANSWERED)) {
        if (state == ANSWERED)
            return false;
        if (state == LOOKING)
            sched_yield();
        state = UNANSWERED;
    }
    return true;
}

/* Whether SIGKILL has come for a thread.  Other signals interrupt a request too, but a
 * program that handles them does not expect a file to say EINTR.  The kernel does not
 * interrupt what it sends in the background, such as O_DIRECT reads, though somebody
 * waits for it and cannot be killed otherwise; so this is asked of all that are late.
 * Who has ended need not have been killed, unless its request was interrupted. */
static bool
is_killed(pid_t thread, bool interrupted)
{
    char path[64], line[256];
    uint64_t pending;
    bool killed = false;

    if (thread <= 0) /* it is in a namespace that is not seen from here */
        return false;
    snprintf(path, sizeof path, "/proc/%d/status", (int)thread);
    FILE *status = fopen(path, "re");
    if (status == NULL)
        return interrupted && errno == ENOENT;
    while (!killed && fgets(line, sizeof line, status) != NULL)
        killed = (sscanf(line, "SigPnd: %" SCNx64, &pending) == 1 ||
                  sscanf(line, "ShdPnd: %" SCNx64, &pending) == 1) &&
                 (pending & (UINT64_C(1) << (SIGKILL - 1))) != 0;
    fclose(status);
    return killed;
}

/* Whether a thread is about to end: its files are closed for it, and it cannot be
 * killed any more.  *killed: a signal ends it, where we may know that. */
static bool
is_exiting(pid_t thread, bool *killed)
{
    const unsigned exiting = 0x4; /* PF_EXITING, in the seventh word behind the name */
    char path[64], line[1024];
    unsigned flags = 0;

    *killed = false;
    if (thread <= 0)
        return false;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)thread);
    FILE *stat = fopen(path, "re");
    if (stat == NULL)
        return false;
    const char *words =
        fgets(line, sizeof line, stat) != NULL ? strrchr(line, ')') : NULL;
    fclose(stat);
    if (words == NULL || sscanf(words, ") %*c %*d %*d %*d %*d %*d %u", &flags) != 1 ||
        (flags & exiting) == 0)
        return false;
    const char *status = strrchr(words, ' '); /* as for wait(2) */
    *killed = status != NULL && WIFSIGNALED((int)strtol(status, NULL, 10));
    return true;
}

bool
request_is_exit(struct fuse_req *fuse)
{
    bool killed;

    return is_exiting(fuse_req_ctx(fuse)->pid, &killed);
}

static bool
nobody_waits(const struct request *request)
{
    pid_t thread = fuse_req_ctx(request->fuse)->pid;
    bool killed;

    if (is_killed(thread, fuse_req_interrupted(request->fuse) != 0))
        return true;
    return request->close_ms != 0 && is_exiting(thread, &killed) &&
           (killed || conn_clock_ms() - request->close_ms >= EXIT_WAITS_MS);
}

/* To look costs some system calls, so in each window there are looks for so many only.
 * Who had one has no other in the same round, which ends with the first window in which
 * there were looks for all. */
static struct {
    _Atomic int64_t begin_ms;
    atomic_uint used;
    atomic_uint round;
} window = {.round = 1};

static bool
may_look(struct request *request)
{
    int64_t now = conn_clock_ms(), begin = atomic_load(&window.begin_ms);

    if (now - begin >= WINDOW_MS &&
        atomic_compare_exchange_strong(&window.begin_ms, &begin, now) &&
        atomic_exchange(&window.used, 0) < LOOKS_MAX)
        atomic_fetch_add(&window.round, 1);
    unsigned round = atomic_load(&window.round);
    if (request->look_round == round || atomic_load(&window.used) >= LOOKS_MAX)
        return false;
    atomic_fetch_add(&window.used, 1);
    request->look_round = round;
    return true;
}

bool
request_look(struct request *request)
{
    int state = UNANSWERED;

    if (!atomic_compare_exchange_strong(&request->answered, &state, LOOKING))
        return state != ANSWERED;
    state = UNANSWERED;
    if (may_look(request) && nobody_waits(request)) {
        fuse_reply_err(request->fuse, EINTR);
        state = ANSWERED;
    }
    atomic_store(&request->answered, state);
    return state != ANSWERED;
}

/* What libfuse says of the answers below is of no use to anybody. */
static bool
hand_over_answer(struct request *request)
{
    bool answer = request_hand_over(request);

    if (answer)
        bundle_allow();
    return answer;
}

void
request_answer_error(struct request *request, int error)
{
    if (hand_over_answer(request))
        fuse_reply_err(request->fuse, error);
}

void
request_answer_data(struct request *request, const void *data, size_t len)
{
    if (hand_over_answer(request))
        fuse_reply_buf(request->fuse, data, len);
}

void
request_answer_pieces(struct request *request, const struct iovec *pieces, int n)
{
    if (hand_over_answer(request))
        fuse_reply_iov(request->fuse, pieces, n);
}

void
request_answer_written(struct request *request, size_t len)
{
    if (hand_over_answer(request))
        fuse_reply_write(request->fuse, len);
}

/* For this moment only: the kernel has to ask again. */
void
request_answer_attr(struct request *request, const struct stat *attr)
{
    if (hand_over_answer(request))
        fuse_reply_attr(request->fuse, attr, 0);
}

void
request_answer_offset(struct request *request, int64_t off)
{
    if (hand_over_answer(request))
        fuse_reply_lseek(request->fuse, off);
}

void
request_end(struct request *request)
{
    export_request_ends(request->export);
}
