/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs-xattr.h - FUSE's side of extended attributes
 *
 * There is no operation that sets one: libfuse answers ENOSYS, so that the kernel says
 * EOPNOTSUPP without asking again, which programs that copy files know how to take.
 */

#ifndef NBDMOUNT_FS_XATTR_H
#define NBDMOUNT_FS_XATTR_H

#include "attributes.h"

#include <stdint.h>

struct fuse_req;

/* The operations for a mount of one export. */
void fs_getxattr(struct fuse_req *req, uint64_t ino, const char *name, size_t size);
void fs_listxattr(struct fuse_req *req, uint64_t ino, size_t size);

/* Answers with what the subject has, in the way that the kernel wants for size. */
void fs_xattr_answer(struct fuse_req *req, const struct attribute_subject *subject,
                     enum attribute attribute, uint64_t from, size_t size);
void fs_xattr_answer_names(struct fuse_req *req, const struct status_file *file,
                           size_t size);

#endif
