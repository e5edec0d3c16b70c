/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file.h - what is done with the file that shows an export
 *
 * Each function takes the FUSE request over and answers it, now or later, in this
 * thread or in another one.  None waits for the network.
 */

#ifndef NBDMOUNT_FILE_H
#define NBDMOUNT_FILE_H

#include "export.h"

struct fuse_bufvec;
struct fuse_req;

/* The greatest read and write that the kernel may send. */
#define FILE_TRANSFER_MAX ((size_t)1 << 20)

/* As many zeros. */
extern const uint8_t file_zeros[FILE_TRANSFER_MAX];

void file_read(struct export *export, struct fuse_req *fuse, uint64_t off, size_t len);

/* The same, for an open file; stream may be NULL. */
void file_read_ahead(struct export *export, struct stream *stream,
                     struct fuse_req *fuse, uint64_t off, size_t len);

/* The data is taken or copied before this returns.  What is past the end is not
 * written. */
enum write_how {
    WRITE_THROUGH, /* answered when the server has done it */
    WRITE_BEHIND, /* that may be later: file_close and file_sync tell what went wrong */
    WRITE_WHOLE,  /* through; and it is an error if there is no room for all of it */
};
void file_write(struct export *export, struct fuse_req *fuse, struct fuse_bufvec *data,
                uint64_t off, enum write_how how);

/* Zeroes a range that may reach past the end.  ZERO_TRIM leaves it to the server what
 * is read there, and is the same as ZERO_HOLE if that cannot trim. */
enum zero_how { ZERO_KEEP /* allocated */, ZERO_HOLE, ZERO_TRIM };
void file_zero(struct export *export, struct fuse_req *fuse, uint64_t off, uint64_t len,
               enum zero_how how);

/* Zeroes all from attr->st_size on, by writing if the server has nothing better, and
 * answers with attr. */
struct stat;
void file_truncate(struct export *export, struct fuse_req *fuse,
                   const struct stat *attr);

/* Everything that was written before is on the server's disk when this is answered.
 * What went wrong since it was told for this open file is told, once.  opened is held
 * by the caller, and let go when it is answered. */
struct opened;
void file_sync(struct export *export, struct fuse_req *fuse, struct opened *opened);

/* The same, but that it is at the server, and what went wrong is told again. */
void file_close(struct export *export, struct fuse_req *fuse, struct opened *opened);

/* SEEK_DATA (data) or SEEK_HOLE. */
void file_seek(struct export *export, struct fuse_req *fuse, uint64_t off, bool data);

#endif
