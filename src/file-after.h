/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-after.h - what looks at the file after changes that were answered and are not
 * done yet
 *
 * Nobody waits unless there are some where it looks.
 */

#ifndef NBDMOUNT_FILE_AFTER_H
#define NBDMOUNT_FILE_AFTER_H

#include "export.h"

struct fuse_req;

struct after {
    /* Takes the request over. */
    void (*go)(struct export *export, struct fuse_req *fuse, const struct after *after);
    uint64_t off; /* where it looks */
    uint64_t len;
    bool data;          /* for go */
    int64_t give_up_ms; /* too: when it stops to wait for a connection; 0: unset */
};

/* Calls after->go, now or later. */
void file_after(struct export *export, struct fuse_req *fuse,
                const struct after *after);

/* When something that comes now stops to wait for a connection. */
int64_t file_give_up_ms(const struct export *export);

#endif
