/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bundle.c - see bundle.h
 *
 * A kernel that can do it well does each write while it takes it over, for /dev/fuse is
 * always ready to be written to.  An older one leaves them to threads of its own, which
 * takes longer than to write one after the other: where that is seen, it is not done
 * again.
 */

#include "bundle.h"

#include "config.h"

#ifdef HAVE_LIBURING

#include <errno.h>
#include <liburing.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct kept {
    int fd;
    void (*failed)(int error);
    size_t len;
    uint8_t bytes[BUNDLE_BYTES];
};

struct bundle {
    struct io_uring uring;
    bool usable; /* uring is there, and has not failed */
    bool open;   /* between begin and end */
    bool allowed;
    unsigned n;
    struct kept kept[BUNDLE_WRITES];
};

static _Thread_local struct bundle *own;
static atomic_bool done_elsewhere; /* by the kernel's threads */

void
bundle_begin(void)
{
    struct bundle *bundle = own;

    if (bundle == NULL && (own = bundle = calloc(1, sizeof *bundle)) != NULL)
        bundle->usable = io_uring_queue_init(BUNDLE_WRITES, &bundle->uring,
                                             IORING_SETUP_SINGLE_ISSUER) == 0;
    if (bundle != NULL)
        bundle->open = bundle->usable && !atomic_load(&done_elsewhere);
}

void
bundle_allow(void)
{
    if (own != NULL)
        own->allowed = own->open;
}

static void
note_result(const struct kept *kept, ssize_t result)
{
    if (result < 0)
        kept->failed((int)-result);
    else if ((size_t)result < kept->len)
        kept->failed(EIO);
}

static void
write_alone(const struct kept *kept)
{
    ssize_t r = write(kept->fd, kept->bytes, kept->len);

    note_result(kept, r < 0 ? -errno : r);
}

/* Returns how many were done.  What the kernel could not do this way, it may the other:
 * nothing of it was written. */
static unsigned
look_at_cqes(struct bundle *bundle)
{
    struct io_uring_cqe *cqe;
    unsigned head, n = 0;

    io_uring_for_each_cqe(&bundle->uring, head, cqe)
    {
        const struct kept *kept = &bundle->kept[cqe->user_data];
        if (cqe->res < 0)
            write_alone(kept);
        else
            note_result(kept, cqe->res);
        n++;
    }
    io_uring_cq_advance(&bundle->uring, n);
    return n;
}

/* What the kernel has not taken over is written here.  What it has taken it may yet
 * write: then its io_uring and the memory stay, for good. */
static void
give_up(struct bundle *bundle, unsigned left)
{
    unsigned not_taken = io_uring_sq_ready(&bundle->uring);

    for (unsigned i = bundle->n - not_taken; i < bundle->n; i++)
        write_alone(&bundle->kept[i]);
    bundle->usable = bundle->open = false;
    bundle->n = 0;
    if (left > not_taken)
        own = NULL;
    else
        io_uring_queue_exit(&bundle->uring);
}

static void
write_together(struct bundle *bundle)
{
    unsigned left = bundle->n;

    for (unsigned i = 0; i < bundle->n; i++) {
        struct kept *kept = &bundle->kept[i];
        struct io_uring_sqe *sqe = io_uring_get_sqe(&bundle->uring); /* there is room */
        io_uring_prep_write(sqe, kept->fd, kept->bytes, (unsigned)kept->len, 0);
        io_uring_sqe_set_data64(sqe, i);
    }
    for (unsigned wait = 0; left > 0; wait = left) {
        int r = io_uring_submit_and_wait(&bundle->uring, wait);
        left -= look_at_cqes(bundle);
        if (r == (int)bundle->n && left > 0)
            atomic_store(&done_elsewhere, true);
        if (r < 0 && r != -EINTR) {
            give_up(bundle, left);
            return;
        }
    }
    bundle->n = 0;
}

static void
write_all(struct bundle *bundle)
{
    if (bundle->n > 1) {
        write_together(bundle);
    } else if (bundle->n == 1) {
        bundle->n = 0;
        write_alone(&bundle->kept[0]);
    }
}

bool
bundle_writev(int fd, const struct iovec *iov, int count, void (*failed)(int error),
              ssize_t *n)
{
    struct bundle *bundle = own;
    size_t len = 0;

    if (bundle == NULL || !bundle->allowed)
        return false;
    bundle->allowed = false;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > BUNDLE_BYTES - len)
            return false;
        len += iov[i].iov_len;
    }
    if (bundle->n == BUNDLE_WRITES)
        write_all(bundle);
    if (!bundle->open) /* just now it has failed */
        return false;
    struct kept *kept = &bundle->kept[bundle->n++];
    kept->fd = fd;
    kept->failed = failed;
    kept->len = 0;
    for (int i = 0; i < count; i++) {
        if (iov[i].iov_len > 0)
            memcpy(kept->bytes + kept->len, iov[i].iov_base, iov[i].iov_len);
        kept->len += iov[i].iov_len;
    }
    *n = (ssize_t)len;
    return true;
}

void
bundle_end(void)
{
    struct bundle *bundle = own;

    if (bundle == NULL || !bundle->open)
        return;
    write_all(bundle);
    bundle->open = bundle->allowed = false;
}

void
bundle_free(void)
{
    if (own != NULL && own->usable)
        io_uring_queue_exit(&own->uring);
    free(own);
    own = NULL;
}

#else /* !HAVE_LIBURING */

void
bundle_begin(void)
{
}

void
bundle_allow(void)
{
}

bool
bundle_writev(int fd, const struct iovec *iov, int count, void (*failed)(int error),
              ssize_t *n)
{
    (void)fd;
    (void)iov;
    (void)count;
    (void)failed;
    (void)n;
    return false;
}

void
bundle_end(void)
{
}

void
bundle_free(void)
{
}

#endif
