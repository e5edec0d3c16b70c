/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ring.h - requests and answers through io_uring, in place of /dev/fuse
 *
 * The kernel has a queue for each processor, in which requests wait for entries: memory
 * that we have registered.  A few threads have one io_uring each, and the entries of
 * some of the queues.  What libfuse is given is the bytes of a request as read(2) would
 * give them, and what it writes as an answer goes to the entry that the request came
 * in.
 *
 * /dev/fuse has to be read all the same: FUSE_INIT, interrupts and what is to be
 * forgotten come there.
 */

#ifndef NBDMOUNT_RING_H
#define NBDMOUNT_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fuse_session;
struct iovec;
struct ring;

/* What is done by the threads. */
struct ring_use {
    struct fuse_session *session;
    /* No more requests will come, because of error (an errno), or because it has ended:
     * 0.  Called once at most. */
    void (*ended)(void *user_data, int error);
    void *user_data;
};

/* Whether this nbdmount can do it at all. */
bool ring_is_built_in(void);

/* Starts the threads, which wait for ring_go; depth entries for each processor.  NULL:
 * *why says why, for the caller to free. */
struct ring *ring_new(const struct ring_use *use, unsigned depth, char **why);

/* The largest payload that an entry has room for. */
size_t ring_payload_max(const struct ring *ring);

/* FUSE_INIT was answered: fd is /dev/fuse. */
void ring_go(struct ring *ring, int fd);

/* When this has returned, no request is being looked at, nor will be; answers are still
 * given. NULL: nothing. */
void ring_drain(struct ring *ring);

/* After unmounting, or where it is not used: ends the threads. */
void ring_end(struct ring *ring);

/* That too.  NULL: nothing. */
void ring_free(struct ring *ring);

/* An answer as for writev(2), from any thread.  *n is what that would return, or -1
 * with errno.  False: its request did not come in a ring. */
bool ring_answer(const struct iovec *iov, int count, ssize_t *n);

/* What libfuse knows a request as that it is to interrupt, in place of the kernel's
 * number. */
uint64_t ring_name_of(uint64_t unique);

#endif
