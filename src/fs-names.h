/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs-names.h - the names in the folder; to make, take away and change some is not
 * permitted
 *
 * They are those of the exports.  Without an operation the kernel answers ENOSYS, which
 * looks like a fault of the file system.
 */

#ifndef NBDMOUNT_FS_NAMES_H
#define NBDMOUNT_FS_NAMES_H

#include <stdint.h>
#include <sys/types.h>

struct fuse_req;
struct fuse_file_info;

/* Of the one export; all-fs.c has its own. */
void fs_readdir(struct fuse_req *req, uint64_t ino, size_t size, off_t off,
                struct fuse_file_info *fi);

void fs_mknod(struct fuse_req *req, uint64_t parent, const char *name, mode_t mode,
              dev_t rdev);
void fs_mkdir(struct fuse_req *req, uint64_t parent, const char *name, mode_t mode);
void fs_unlink(struct fuse_req *req, uint64_t parent, const char *name);
void fs_symlink(struct fuse_req *req, const char *link, uint64_t parent,
                const char *name);
void fs_rename(struct fuse_req *req, uint64_t parent, const char *name,
               uint64_t new_parent, const char *new_name, unsigned flags);

#endif
