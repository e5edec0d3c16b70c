/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs.h - the file system: which inode is which export, and who may do what
 *
 * Knows FUSE and no NBD.
 */

#ifndef NBDMOUNT_FS_H
#define NBDMOUNT_FS_H

#include "export.h"
#include "options.h"

#include <sys/types.h>

struct fuse_lowlevel_ops;

struct fs {
    struct export *export; /* or NULL: then all */
    struct all *all;
    const struct options *options;
    const char *filename; /* of the file in the root directory; NULL: it is the root */
    bool told_truncate;   /* only a hint: that this cannot be done was logged */
};

/* The operations; the session's user data is a struct fs. */
extern const struct fuse_lowlevel_ops fs_ops;

/* One of them. */
struct fuse_conn_info;
void fs_init(void *userdata, struct fuse_conn_info *conn);

/* What an inode is like: with an export its file, otherwise a folder.  How long the
 * kernel may believe it. */
struct stat;
double fs_stat(const struct fs *fs, struct export *export, uint64_t ino,
               struct stat *st);

/* Opens a file of an export.  False: nobody has it open, and no release follows. */
struct fuse_req;
struct fuse_file_info;
bool fs_open_file(struct fuse_req *req, struct export *export,
                  struct fuse_file_info *fi);

/* It was released. */
void fs_close_file(const struct fs *fs, struct export *export,
                   const struct fuse_file_info *fi);

/* The inode of the one export's file: after filename was set. */
uint64_t fs_file(const struct fs *fs);

/* The name of the file for an export called name: "nbd" where that is empty or cannot
 * be the name of a file. */
const char *fs_filename(const char *name);

#endif
