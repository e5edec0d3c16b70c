/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs-init.c - what the kernel is asked for at the beginning of the mount: see fs.h */

#define FUSE_USE_VERSION 314

#include "device.h"
#include "file.h"
#include "fs.h"

#include <fuse_lowlevel.h>

#define MAX_BACKGROUND 64

static void
set_cap(struct fuse_conn_info *conn, unsigned cap, bool on)
{
    if (!on)
        conn->want &= ~cap;
    else if (conn->capable & cap)
        conn->want |= cap;
}

void
fs_init(void *userdata, struct fuse_conn_info *conn)
{
    const struct fs *fs = userdata;

    conn->max_write = FILE_TRANSFER_MAX;
    conn->max_read = FILE_TRANSFER_MAX; /* as in the mount option */
    conn->max_background = MAX_BACKGROUND;
    conn->congestion_threshold = MAX_BACKGROUND * 3 / 4;
    set_cap(conn, FUSE_CAP_ASYNC_READ, true);
    set_cap(conn, FUSE_CAP_ASYNC_DIO, true);
    set_cap(conn, FUSE_CAP_PARALLEL_DIROPS, true);
    /* O_TRUNC comes as a setattr, which can be refused. */
    set_cap(conn, FUSE_CAP_ATOMIC_O_TRUNC, false);
    device_want(conn);
    /* Nobody but us changes the file, so its cache stays right. */
    set_cap(conn, FUSE_CAP_AUTO_INVAL_DATA, false);
    set_cap(conn, FUSE_CAP_WRITEBACK_CACHE, fs->options->cache == CACHE_WRITEBACK);
    /* Write data is copied once in either case; a pipe is no gain here (measured). */
    set_cap(conn, FUSE_CAP_SPLICE_READ, false);
    set_cap(conn, FUSE_CAP_SPLICE_WRITE, false);
    set_cap(conn, FUSE_CAP_SPLICE_MOVE, false);
    /* Who has mounted it for us has not set default_permissions; this makes the kernel
     * check the mode all the same. */
    set_cap(conn, FUSE_CAP_POSIX_ACL, fs->options->is_open_mount);
}
