/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device.c - see device.h
 *
 * libfuse lets its user read and write /dev/fuse: so flags can be set in the one answer
 * that has them, and answers taken to where they belong.  All else goes through as it
 * is.
 */

#define FUSE_USE_VERSION 314

#include "device.h"
#include "bundle.h"
#include "log.h"
#include "ring-abi.h"
#include "ring.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

/* libfuse 3.17 and later can. */
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
#define LIBFUSE_SAYS_KILLPRIV true
#else
#define LIBFUSE_SAYS_KILLPRIV false
#endif
#ifdef FUSE_CAP_DIRECT_IO_ALLOW_MMAP
#define LIBFUSE_SAYS_MMAP true
#else
#define LIBFUSE_SAYS_MMAP false
#endif

/* In flags2: FUSE_DIRECT_IO_ALLOW_MMAP of Linux 6.6, bit 36 of all. */
#define DIRECT_MMAP_FLAG2 (UINT32_C(1) << (36 - 32))

/* Where FUSE_INIT has got to.  It is the first request, and until it is answered there
 * is no other; one session in a process. */
static _Atomic enum { AWAITED, SEEN, OVER } init_state;
static uint64_t init_unique;
static uint32_t offered, offered2; /* flags and flags2 */
static struct ring *ring;          /* NULL: not wanted */

void
device_want(struct fuse_conn_info *conn)
{
#ifdef FUSE_CAP_HANDLE_KILLPRIV_V2
    if (conn->capable & FUSE_CAP_HANDLE_KILLPRIV_V2)
        conn->want |= FUSE_CAP_HANDLE_KILLPRIV_V2;
#endif
#ifdef FUSE_CAP_DIRECT_IO_ALLOW_MMAP
    if (conn->capable & FUSE_CAP_DIRECT_IO_ALLOW_MMAP)
        conn->want |= FUSE_CAP_DIRECT_IO_ALLOW_MMAP;
#endif
    (void)conn;
}

/* ---- FUSE_INIT */

static void
look_at_init(const void *buf, size_t len)
{
    const struct fuse_in_header *header = buf;
    struct fuse_init_in init = {0};
    size_t least = offsetof(struct fuse_init_in, flags) + sizeof init.flags;

    if (len < sizeof *header + least || header->opcode != FUSE_INIT) {
        atomic_store(&init_state, OVER);
        return;
    }
    len -= sizeof *header;
    memcpy(&init, header + 1, len < sizeof init ? len : sizeof init);
    init_unique = header->unique;
    offered = init.flags;
    offered2 = (init.flags & FUSE_INIT_EXT) ? init.flags2 : 0;
    atomic_store(&init_state, SEEN);
}

static bool
has_flags2(size_t len)
{
    return len >= offsetof(struct fuse_init_out, flags2) +
                      sizeof((struct fuse_init_out *)0)->flags2;
}

/* Whether the ring is used from now on; if not, it is said why. */
static bool
promise_ring(struct fuse_init_out *init, size_t len)
{
    if (!(offered2 & RING_INIT_FLAG2)) {
        log_warning(
            "io_uring: the kernel does not offer it, so it is not used; root can "
            "turn it on: echo Y >/sys/module/fuse/parameters/enable_uring");
        return false;
    }
    if (!has_flags2(len) || init->max_write > ring_payload_max(ring) ||
        (size_t)init->max_pages * (size_t)getpagesize() > ring_payload_max(ring)) {
        log_warning(
            "io_uring: this libfuse asks for what there is no room for, so it is "
            "not used");
        return false;
    }
    init->flags |= FUSE_INIT_EXT;
    init->flags2 |= RING_INIT_FLAG2;
    return true;
}

/* True: it is the answer to FUSE_INIT, and the ring is used from then on. */
static bool
look_at_answer(const struct iovec *iov, int count)
{
    const struct fuse_out_header *header = iov[0].iov_base;
    struct fuse_init_out *init = count > 1 ? iov[1].iov_base : NULL;

    if (iov[0].iov_len < sizeof *header || header->unique != init_unique)
        return false;
    atomic_store(&init_state, OVER);
    if (header->error != 0 || init == NULL ||
        iov[1].iov_len < offsetof(struct fuse_init_out, flags) + sizeof init->flags)
        return false;
    if (!LIBFUSE_SAYS_KILLPRIV && (offered & FUSE_HANDLE_KILLPRIV_V2))
        init->flags |= FUSE_HANDLE_KILLPRIV_V2;
    if (!LIBFUSE_SAYS_MMAP && (offered2 & DIRECT_MMAP_FLAG2) &&
        has_flags2(iov[1].iov_len)) {
        init->flags |= FUSE_INIT_EXT;
        init->flags2 |= DIRECT_MMAP_FLAG2;
    }
    if (ring == NULL || promise_ring(init, iov[1].iov_len))
        return ring != NULL;
    ring_end(ring);
    return false;
}

/* ---- what libfuse calls */

/* It names the request by the kernel's number. */
static void
name_interrupted(void *buf, size_t len)
{
    struct fuse_in_header *header = buf;
    struct fuse_interrupt_in *interrupt = (struct fuse_interrupt_in *)(header + 1);

    if (len >= sizeof *header + sizeof *interrupt && header->opcode == FUSE_INTERRUPT)
        interrupt->unique = ring_name_of(interrupt->unique);
}

static ssize_t
on_read(int fd, void *buf, size_t len, void *userdata)
{
    ssize_t n = read(fd, buf, len);

    (void)userdata;
    if (n > 0 && ring != NULL)
        name_interrupted(buf, (size_t)n);
    if (n > 0 && atomic_load_explicit(&init_state, memory_order_relaxed) == AWAITED)
        look_at_init(buf, (size_t)n);
    return n;
}

/* What libfuse says of an answer that fails. */
static void
on_failed(int error)
{
    switch (error) {
    case ENOENT: /* it was interrupted */
    case ENODEV: /* unmounted */
    case ENOTCONN:
        return;
    default:
        log_error("/dev/fuse: an answer failed: %s", strerror(error));
    }
}

static ssize_t
on_writev(int fd, struct iovec *iov, int count, void *userdata)
{
    bool use_ring = false;
    ssize_t n;

    (void)userdata;
    if (ring_answer(iov, count, &n) || bundle_writev(fd, iov, count, on_failed, &n))
        return n;
    if (count > 0 && atomic_load_explicit(&init_state, memory_order_acquire) == SEEN)
        use_ring = look_at_answer(iov, count);
    n = writev(fd, iov, count);
    if (use_ring && n >= 0)
        ring_go(ring, fd);
    return n;
}

void
device_use(struct fuse_session *session, struct ring *its_ring)
{
    static const struct fuse_custom_io io = {.writev = on_writev, .read = on_read};

    ring = its_ring;
    if (fuse_session_custom_io(session, &io, fuse_session_fd(session)) == 0 ||
        ring == NULL)
        return;
    log_warning(
        "io_uring: this libfuse lets nobody read and write for it, so it is not "
        "used; 3.18 and later have to be built with enable-custom-io for that");
    ring_end(ring);
    ring = NULL;
}

/* ---- what came */

bool
device_is_small(const struct fuse_buf *request, uint32_t most)
{
    const struct fuse_in_header *header = request->mem;

    if ((request->flags & FUSE_BUF_IS_FD) || request->size < sizeof *header)
        return false;
    size_t len = request->size - sizeof *header;
    if (header->opcode == FUSE_READ && len >= sizeof(struct fuse_read_in)) {
        const struct fuse_read_in *in = (const void *)(header + 1);
        return in->size <= most;
    }
    return header->opcode == FUSE_WRITE && len <= sizeof(struct fuse_write_in) + most;
}
