/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all.h - all exports of a server as a tree of folders
 *
 * The names come from a listing that is asked for again when somebody looks and it is
 * older than a second; an export is opened when a file is, and closed when it has not
 * been used for a while.  Nobody who calls waits for the network: what has to wait is
 * put off, and done by a thread of this.
 */

#ifndef NBDMOUNT_ALL_H
#define NBDMOUNT_ALL_H

#include "export.h"
#include "figures.h"
#include "options.h"

struct all;
struct choice;
struct fuse_lowlevel_ops;
struct fs;

/* With the listing in choice, whose catalog it takes; without a catalog there it asks,
 * and waits for the answer.  NULL: *why. */
struct all *all_open(const struct source *source, const struct options *options,
                     struct fs *fs, struct choice *choice, char **why);

/* Closes every export, as export_close does.  -EIO: something could not be flushed. */
int all_close(struct all *all, int64_t deadline_ms, int hurry);

/* The export that a file shows while it is open, or NULL. */
struct export *all_export(struct all *all, uint64_t ino);

/* How it goes: exports that are there and that are open; figures of all that are open,
 * and what was done with those that were. */
void all_look(struct all *all, unsigned *exports, unsigned *open,
              struct figures *figures);

/* Asks for the listing now, and waits for it as long as goes_on.  How many exports
 * there were and are.  -EIO: they cannot be listed, and what was there stays; -EINTR:
 * it did not go on. */
int all_reload(struct all *all, bool (*goes_on)(void), unsigned *before, unsigned *now);

/* The operations; the session's user data is a struct fs with all set. */
const struct fuse_lowlevel_ops *all_fs_ops(void);

#endif
