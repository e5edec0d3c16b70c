/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session-loop.h - the threads that take requests from the kernel
 *
 * In place of libfuse's own loop, because they have something to do after each request:
 * see conn_lead.
 */

#ifndef NBDMOUNT_SESSION_LOOP_H
#define NBDMOUNT_SESSION_LOOP_H

struct fuse_session;

/* Serves until the session is told to exit, by a signal that comes for this thread or
 * because it was unmounted.  0 or a negative errno. */
int session_loop(struct fuse_session *session);

/* From any thread while it serves, and later: it is to end, with an errno or 0. */
void session_loop_end(int error);

#endif
