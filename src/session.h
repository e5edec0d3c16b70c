/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* session.h - the FUSE session: options, mount, threads, end */

#ifndef NBDMOUNT_SESSION_H
#define NBDMOUNT_SESSION_H

#include "fs.h"
#include "options.h"

struct session;

/* What is to be mounted on.  False: *why says why it cannot be, for the caller to free.
 * *path is absolute and the caller frees it. */
bool session_check_mountpoint(const struct options *options, char **path,
                              bool *is_directory, char **why);

/* Checks the FUSE options, which libfuse complains about in the log.  fs need not be
 * complete before session_mount.  NULL: it is said why. */
struct session *session_new(const struct options *options, const char *source_text,
                            struct fs *fs);

/* -errno, and it is said why in the log. */
int session_mount(struct session *session, const char *path);

/* Serves until it is unmounted or session_quit is called.  -errno if it failed. */
int session_serve(struct session *session);

/* To be called in a signal handler. */
void session_quit(void);

void session_unmount(struct session *session);
void session_free(struct session *session);

#endif
