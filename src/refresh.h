/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* refresh.h - telling the kernel that a file is not as it believes */

#ifndef NBDMOUNT_REFRESH_H
#define NBDMOUNT_REFRESH_H

#include <stdbool.h>
#include <stdint.h>

struct fuse_session;

/* From the mount to the unmount; one session in a process. */
void refresh_start(struct fuse_session *session);

/* The file had size bytes: the kernel is to forget its attributes, and what it keeps of
 * the page in which it ended.  Does not wait; before refresh_start nothing is done. */
void refresh_file(uint64_t ino, int64_t size);

/* The file has not what the kernel keeps of [off, end). In the same way. */
void refresh_range(uint64_t ino, uint64_t off, uint64_t end);

/* False: the kernel did not return in time, and the session is still in use. */
bool refresh_stop(void);

#endif
