/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* killpriv.h - extended attributes that do not cost a request for each write
 *
 * Before each write(2) the kernel asks a file system that has extended attributes for
 * security.capability, which a write is to take away.  Not where the file system has
 * promised to do that itself (FUSE_HANDLE_KILLPRIV_V2), and for files that have neither
 * set-user-ID bits nor capabilities there is nothing to do.
 */

#ifndef NBDMOUNT_KILLPRIV_H
#define NBDMOUNT_KILLPRIV_H

struct fuse_session;
struct fuse_conn_info;

/* For the init operation: where libfuse knows the promise. */
void killpriv_want(struct fuse_conn_info *conn);

/* After fuse_session_mount: where libfuse does not, the answer to FUSE_INIT is made to
 * say so.  Where that fails, writes cost one more request each. */
void killpriv_promise(struct fuse_session *session);

#endif
