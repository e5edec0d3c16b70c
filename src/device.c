/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* killpriv.c - see killpriv.h
 *
 * libfuse before 3.17 cannot say it, but lets its user read and write /dev/fuse: so the
 * flag is set in the one answer that has it.  All else goes through as it is.
 */

#define FUSE_USE_VERSION 314

#include "killpriv.h"

#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2

void
killpriv_want(struct fuse_conn_info *conn)
{
    if (conn->capable & FUSE_CAP_HANDLE_KILLPRIV_V2)
        conn->want |= FUSE_CAP_HANDLE_KILLPRIV_V2;
}

void
killpriv_promise(struct fuse_session *session)
{
    (void)session;
}

#else

/* Where FUSE_INIT has got to.  It is the first request, and until it is answered there
 * is no other; one session in a process. */
static _Atomic enum { AWAITED, OFFERED, OVER } init_state;
static uint64_t init_unique;

static void
look_at_request(const void *buf, size_t len)
{
    const struct fuse_in_header *header = buf;
    struct fuse_init_in init;
    size_t least = offsetof(struct fuse_init_in, flags) + sizeof init.flags;

    if (len < sizeof *header + least || header->opcode != FUSE_INIT) {
        atomic_store(&init_state, OVER);
        return;
    }
    memcpy(&init, header + 1, least);
    init_unique = header->unique;
    atomic_store(&init_state, init.flags & FUSE_HANDLE_KILLPRIV_V2 ? OFFERED : OVER);
}

static void
look_at_answer(const struct iovec *iov, int count)
{
    const struct fuse_out_header *header = iov[0].iov_base;
    struct fuse_init_out *init = count > 1 ? iov[1].iov_base : NULL;

    if (iov[0].iov_len < sizeof *header || header->unique != init_unique)
        return;
    if (header->error == 0 && init != NULL &&
        iov[1].iov_len >= offsetof(struct fuse_init_out, flags) + sizeof init->flags)
        init->flags |= FUSE_HANDLE_KILLPRIV_V2;
    atomic_store(&init_state, OVER);
}

static ssize_t
on_read(int fd, void *buf, size_t len, void *userdata)
{
    ssize_t n = read(fd, buf, len);

    (void)userdata;
    if (n > 0 && atomic_load_explicit(&init_state, memory_order_relaxed) == AWAITED)
        look_at_request(buf, (size_t)n);
    return n;
}

static ssize_t
on_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    (void)userdata;
    if (count > 0 && atomic_load_explicit(&init_state, memory_order_acquire) == OFFERED)
        look_at_answer(iov, count);
    return writev(fd, iov, count);
}

void
killpriv_want(struct fuse_conn_info *conn)
{
    (void)conn;
}

void
killpriv_promise(struct fuse_session *session)
{
    static const struct fuse_custom_io io = {.writev = on_writev, .read = on_read};

    fuse_session_custom_io(session, &io, fuse_session_fd(session));
}

#endif
