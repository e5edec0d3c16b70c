/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* device.h - what goes through /dev/fuse that libfuse does not say or know
 *
 * Before each write(2) the kernel asks a file system that has extended attributes for
 * security.capability, which a write is to take away.  Not where the file system has
 * promised to do that itself (FUSE_HANDLE_KILLPRIV_V2), and for files that have neither
 * set-user-ID bits nor capabilities there is nothing to do.
 *
 * A file past the kernel's cache can be mapped with MAP_SHARED only where the file
 * system says that it may (FUSE_DIRECT_IO_ALLOW_MMAP, Linux 6.6).  Ours may: the kernel
 * itself keeps mappings and what is read and written past them the same.
 *
 * And where requests come through a ring, the kernel has to be told so, and the answers
 * belong there.
 */

#ifndef NBDMOUNT_DEVICE_H
#define NBDMOUNT_DEVICE_H

#include <stdbool.h>
#include <stdint.h>

struct fuse_buf;
struct fuse_conn_info;
struct fuse_session;
struct ring;

/* For the init operation: what libfuse can say. */
void device_want(struct fuse_conn_info *conn);

/* After fuse_session_mount: what it cannot say is put into the answer to FUSE_INIT, and
 * answers go to the kernel together where that can be (bundle.h).  Where libfuse lets
 * nobody do that, writes may cost one more request each, and the ring, if it is not
 * NULL, is not used, which is logged. */
void device_use(struct fuse_session *session, struct ring *ring);

/* Whether the request that was received is a read or a write of at most that many
 * bytes. */
bool device_is_small(const struct fuse_buf *request, uint32_t most);

#endif
