/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session.c - see session.h
 *
 * One session in a process.
 */

#define FUSE_USE_VERSION 314

#include "session.h"
#include "all.h"
#include "device.h"
#include "file.h"
#include "log.h"
#include "mountinfo.h"
#include "refresh.h"
#include "ring.h"
#include "session-loop.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING_DEPTH 32   /* requests of each processor */
#define SOURCE_MAX 1024 /* bytes of the source's name; mount(2) takes a page */

struct session {
    struct fuse_session *fuse;
    const struct options *options;
    const char *source_text;
    struct fs *fs;
    struct ring *ring; /* or NULL */
    bool mounted;
    bool in_use; /* by a thread that hangs in the kernel */
};

static struct fuse_session *quit_session; /* set once, before signals are caught */

static bool
refuse(char **why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(why, format, args) == -1)
        *why = NULL;
    va_end(args);
    return false;
}

bool
session_check_mountpoint(const struct options *options, char **path, bool *is_directory,
                         char **why)
{
    const char *mountpoint = options->mountpoint;
    struct stat st;

    *why = NULL;
    *path = NULL;
    if (options->is_open_mount) {
        *is_directory = true; /* nobody can tell before it works */
        *path = strdup(mountpoint);
        return *path != NULL;
    }
    int cleaned = mountinfo_clean(mountpoint, why);
    if (cleaned < 0)
        return false;
    if (cleaned > 0)
        log_info("%s: took away a mount whose daemon was gone", mountpoint);
    if (stat(mountpoint, &st) == -1)
        return refuse(why, "mountpoint %s: %s", mountpoint, strerror(errno));
    if (!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode))
        return refuse(why, "mountpoint %s: neither a directory nor a regular file",
                      mountpoint);
    *is_directory = S_ISDIR(st.st_mode);
    *path = realpath(mountpoint, NULL);
    if (*path == NULL)
        return refuse(why, "mountpoint %s: %s", mountpoint, strerror(errno));
    if (mountinfo_is_busy(*path)) {
        free(*path);
        *path = NULL;
        return refuse(why,
                      "mountpoint %s: busy, something is mounted there; take another, "
                      "or unmount it first",
                      mountpoint);
    }
    return true;
}

static void
say_nothing(enum fuse_log_level level, const char *format, va_list args)
{
    (void)level;
    (void)format;
    (void)args;
}

/* libfuse gives a line in pieces: it is told when its newline comes. */
static void
on_fuse_log(enum fuse_log_level level, const char *format, va_list args)
{
    static _Thread_local char line[1024];
    static _Thread_local size_t used;
    int n = vsnprintf(line + used, sizeof line - used, format, args);

    if (n < 0)
        return;
    used += (size_t)n;
    if (used >= sizeof line)
        used = sizeof line - 1;
    if (used > 0 && line[used - 1] != '\n' && used < sizeof line - 1)
        return;
    line[strcspn(line, "\n")] = '\0';
    used = 0;
    if (level <= FUSE_LOG_ERR)
        log_error("%s", line);
    else if (level <= FUSE_LOG_WARNING)
        log_warning("%s", line);
    else
        log_debug("%s", line);
}

/* The words on libfuse's command line. */
static bool
add_arguments(struct fuse_args *args, const struct options *options,
              const char *source_text)
{
    char *own = NULL, *name = NULL;
    /* default_permissions: the kernel checks the file's mode, also with allow_other */
    bool fine = asprintf(&own, "subtype=nbdmount,default_permissions,max_read=%zu",
                         FILE_TRANSFER_MAX) != -1 &&
                asprintf(&name, "fsname=%.*s%s", SOURCE_MAX, source_text,
                         strlen(source_text) > SOURCE_MAX ? "..." : "") != -1;
    char *all = NULL;
    /* escaped: a URI may have commas, and must not be able to add options */
    fine = fine && fuse_opt_add_opt(&all, own) == 0 &&
           fuse_opt_add_opt_escaped(&all, name) == 0 &&
           (!options->read_only || fuse_opt_add_opt(&all, "ro") == 0) &&
           (*options->fuse == '\0' || fuse_opt_add_opt(&all, options->fuse) == 0) &&
           fuse_opt_add_arg(args, "nbdmount") == 0 &&
           fuse_opt_add_arg(args, "-o") == 0 && fuse_opt_add_arg(args, all) == 0 &&
           (!options->debug || fuse_opt_add_arg(args, "-d") == 0);
    free(all);
    free(own);
    free(name);
    return fine;
}

/* With the operations for what is shown. */
static bool
make_session(struct session *session)
{
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    const struct fuse_lowlevel_ops *ops =
        session->fs->all != NULL ? all_fs_ops() : &fs_ops;
    struct fuse_session *before = session->fuse;

    session->fuse = NULL;
    if (!add_arguments(&args, session->options, session->source_text))
        log_error("out of memory");
    else
        session->fuse = fuse_session_new(&args, ops, sizeof *ops, session->fs);
    fuse_opt_free_args(&args);
    quit_session = session->fuse != NULL ? session->fuse : before;
    if (before != NULL && session->fuse != NULL) {
        /* A signal that came since then has told the one before. */
        if (fuse_session_exited(before))
            fuse_session_exit(session->fuse);
        fuse_session_destroy(before);
    } else if (before != NULL) {
        session->fuse = before;
        return false;
    }
    return session->fuse != NULL;
}

struct session *
session_new(const struct options *options, const char *source_text, struct fs *fs)
{
    struct session *session = calloc(1, sizeof *session);

    fuse_set_log_func(on_fuse_log);
    if (session == NULL) {
        log_error("out of memory");
        return NULL;
    }
    session->options = options;
    session->source_text = source_text;
    session->fs = fs;
    if (!make_session(session)) {
        free(session);
        return NULL;
    }
    return session;
}

static void
on_ring_ended(void *user_data, int error)
{
    (void)user_data;
    session_loop_end(error);
}

/* The mount works without too. */
static void
make_ring(struct session *session)
{
    unsigned depth = session->options->io_uring_depth;
    char *why = NULL;

    if (!session->options->io_uring)
        return;
    const struct ring_use use = {session->fuse, on_ring_ended, NULL};
    session->ring = ring_new(&use, depth == 0 ? RING_DEPTH : depth, &why);
    if (session->ring == NULL)
        log_warning("io_uring: it cannot be set up, so it is not used: %s",
                    why != NULL ? why : "out of memory");
    free(why);
}

int
session_mount(struct session *session, const char *path)
{
    /* It was first made to see whether its options are fine. */
    if (session->fs->all != NULL && !make_session(session))
        return -ENOMEM;
    if (fuse_session_mount(session->fuse, path) != 0) {
        log_error("mountpoint %s: the mount failed", path);
        return -EIO;
    }
    session->mounted = true;
    make_ring(session);
    /* Where libfuse has no custom io it says so, and device.c does where it matters. */
    fuse_set_log_func(say_nothing);
    device_use(session->fuse, session->ring);
    fuse_set_log_func(on_fuse_log);
    refresh_start(session->fuse);
    return 0;
}

int
session_serve(struct session *session)
{
    int r = session_loop(session->fuse);

    ring_drain(session->ring);
    return r;
}

void
session_quit(void)
{
    fuse_session_exit(quit_session);
}

void
session_unmount(struct session *session)
{
    session->in_use |= !refresh_stop();
    if (session->mounted)
        fuse_session_unmount(session->fuse);
    session->mounted = false;
    ring_free(session->ring);
    session->ring = NULL;
}

void
session_free(struct session *session)
{
    if (session == NULL)
        return;
    session_unmount(session);
    if (session->in_use)
        return; /* the process ends all the same */
    fuse_session_destroy(session->fuse);
    free(session);
}
