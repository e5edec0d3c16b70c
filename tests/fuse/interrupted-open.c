/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* interrupted-open.c - an open(2) whose answer nobody takes keeps no export open
 *
 *     interrupted-open SOCKET
 *
 * The kernel answers a reply with ENOENT if who asked is gone, and sends no release
 * then.  That is hard to get from a real one, so libfuse writes to this program. SOCKET
 * is that of a server with a default export.
 */

#define FUSE_USE_VERSION 314

#include "all.h"
#include "choose.h"
#include "comes.h"
#include "fs.h"
#include "tap.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define DEADLINE_MS 30000

enum { INIT = 1, LOOKUP, OPEN_INTERRUPTED, OPEN_KEPT, RELEASE };

static _Atomic int answered[RELEASE + 1]; /* 1, or the negative error */
static _Atomic uint64_t found, handle;
static sem_t answers, closings;

/* What the daemon calls in place of export_close: see local.mk. */
int __real_export_close(struct export *export, int64_t deadline_ms, int hurry);
int __wrap_export_close(struct export *export, int64_t deadline_ms, int hurry);

int
__wrap_export_close(struct export *export, int64_t deadline_ms, int hurry)
{
    int r = __real_export_close(export, deadline_ms, hurry);

    sem_post(&closings);
    return r;
}

static ssize_t
on_read(int fd, void *buf, size_t len, void *userdata)
{
    (void)fd;
    (void)buf;
    (void)len;
    (void)userdata;
    errno = ENODEV;
    return -1;
}

static ssize_t
on_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    const struct fuse_out_header *out = iov[0].iov_base;
    ssize_t len = 0;

    (void)fd;
    (void)userdata;
    for (int i = 0; i < count; i++)
        len += (ssize_t)iov[i].iov_len;
    if (out->error == 0 && out->unique == LOOKUP)
        found = ((struct fuse_entry_out *)iov[1].iov_base)->nodeid;
    if (out->error == 0 && out->unique == OPEN_KEPT)
        handle = ((struct fuse_open_out *)iov[1].iov_base)->fh;
    answered[out->unique] = out->error != 0 ? out->error : 1;
    sem_post(&answers);
    if (out->unique != OPEN_INTERRUPTED)
        return len;
    errno = ENOENT;
    return -1;
}

/* Sends a request, and waits for its answer. */
static int
ask(struct fuse_session *session, uint64_t unique, uint32_t opcode, uint64_t node,
    const void *body, size_t len)
{
    struct {
        struct fuse_in_header header;
        uint8_t body[1024];
    } message = {.header = {.len = (uint32_t)(sizeof message.header + len),
                            .opcode = opcode,
                            .unique = unique,
                            .nodeid = node}};
    struct fuse_buf buf = {.mem = &message, .size = message.header.len};

    memcpy(message.body, body, len);
    fuse_session_process_buf(session, &buf);
    while (answered[unique] == 0 && comes(&answers, DEADLINE_MS / 1000))
        ;
    return answered[unique];
}

static unsigned
count_open(struct all *all)
{
    struct figures figures;
    unsigned exports, open;

    all_look(all, &exports, &open, &figures);
    return open;
}

static bool
is_closed_in_the_end(struct all *all)
{
    return comes(&closings, DEADLINE_MS / 1000) && count_open(all) == 0;
}

static void
test_opens(struct fuse_session *session, struct all *all)
{
    struct fuse_open_in open = {0};
    struct fuse_init_in init = {.major = 7, .minor = 31, .max_readahead = 131072};

    is_int(ask(session, INIT, FUSE_INIT, 0, &init, sizeof init), 1,
           "the session begins");
    is_int(ask(session, LOOKUP, FUSE_LOOKUP, FUSE_ROOT_ID, "nbd", 4), 1,
           "the file is there");
    is_int(ask(session, OPEN_INTERRUPTED, FUSE_OPEN, found, &open, sizeof open), 1,
           "it is opened, and nobody takes the answer");
    ok(is_closed_in_the_end(all), "its export is closed when it has not been used");

    is_int(ask(session, OPEN_KEPT, FUSE_OPEN, found, &open, sizeof open), 1,
           "it is opened, and somebody does");
    is_int(count_open(all), 1, "then its export is open");
    struct fuse_release_in release = {.fh = handle};
    is_int(ask(session, RELEASE, FUSE_RELEASE, found, &release, sizeof release), 1,
           "it is closed");
    ok(is_closed_in_the_end(all), "and its export too");
}

int
main(int argc, char **argv)
{
    static const struct fuse_custom_io io = {.read = on_read, .writev = on_writev};
    char name[] = "nbdmount", flag[] = "-o", all_flags[] = "all,idle=0",
         uri[] = "nbd:", place[] = "/", most[] = "max_read=1048576";
    char *words[] = {name, flag, all_flags, uri, place, NULL};
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    struct options options;
    struct choice choice = {0};
    char *why = NULL;

    sem_init(&answers, 0, 0);
    sem_init(&closings, 0, 0);
    if (argc != 2 || !options_parse(&options, 5, words, &why))
        return 99;
    struct source source = {.socket = argv[1], .text = argv[1]};
    struct fs fs = {.options = &options};
    fs.all = all_open(&source, &options, &fs, &choice, &why);
    if (fs.all == NULL || fuse_opt_add_arg(&args, name) != 0 ||
        fuse_opt_add_arg(&args, flag) != 0 || fuse_opt_add_arg(&args, most) != 0) {
        diag("%s", why != NULL ? why : "out of memory");
        return 99;
    }
    const struct fuse_lowlevel_ops *ops = all_fs_ops();
    struct fuse_session *session = fuse_session_new(&args, ops, sizeof *ops, &fs);
    if (session == NULL)
        return 99;
    if (fuse_session_custom_io(session, &io, dup(2)) != 0) {
        if (fuse_version() >= 318)
            skip_all("libfuse was built without enable-custom-io");
        return 99;
    }
    test_opens(session, fs.all);
    is_int(all_close(fs.all, conn_clock_ms() + DEADLINE_MS, -1), 0, "all ends well");
    fuse_session_destroy(session);
    fuse_opt_free_args(&args);
    options_clear(&options);
    done_testing();
}
