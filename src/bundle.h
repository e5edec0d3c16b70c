/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* bundle.h - small writes of a thread that go to the kernel together
 *
 * An answer wakes the program that waits for it, and that may take the processor from
 * whoever answers: then it sends one request more, waits again, and each answer costs
 * two switches of threads.  What is given to the kernel with one system call
 * (io_uring) is all written before that.
 *
 * Each thread has a bundle of its own, which nobody else touches.  Without io_uring, or
 * where the system does not allow it, all is written at once, as if this were not here.
 */

#ifndef NBDMOUNT_BUNDLE_H
#define NBDMOUNT_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct iovec;

#define BUNDLE_WRITES 32   /* at most in one */
#define BUNDLE_BYTES  8448 /* of the largest write that is kept: 8 KiB and a header */

/* From now on this thread's writes may be kept: there are several to come. */
void bundle_begin(void);

/* The next one may be: nobody wants to know what comes of it. */
void bundle_allow(void);

/* As writev(2), with a copy of the bytes.  False: it is not kept, and nothing has
 * happened.  True: *n is their number; what goes wrong later is told to failed, with an
 * errno, in this thread. */
bool bundle_writev(int fd, const struct iovec *iov, int count,
                   void (*failed)(int error), ssize_t *n);

/* When it returns, all that was kept is written, or failed was told. */
void bundle_end(void);

/* Gives back the thread's memory and its io_uring, if it has any.  Not between
 * bundle_begin and bundle_end. */
void bundle_free(void);

#endif
