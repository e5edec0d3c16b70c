/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs-open.c - opening and closing a file, and what the kernel may keep of it: see fs.h
 */

#define FUSE_USE_VERSION 314

#include "fs.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define PARALLEL_DIRECT_WRITES (1 << 6) /* FOPEN_...: Linux 6.2 and later */

/* Until the last file that is open for writing is released, the kernel may have bytes
 * of which we know nothing; by then it has sent them all. */
static bool
may_keep_writes(const struct fs *fs, const struct fuse_file_info *fi)
{
    return fs->options->cache == CACHE_WRITEBACK && (fi->flags & O_ACCMODE) != O_RDONLY;
}

/* Without a cache, writes of several programs need not wait for each other: those that
 * overlap are kept in order here (ordering.h). */
static int
reply_open(fuse_req_t req, struct fuse_file_info *fi)
{
#ifdef HAVE_STRUCT_FUSE_FILE_INFO_PARALLEL_DIRECT_WRITES
    fi->parallel_direct_writes = fi->direct_io;
    return fuse_reply_open(req, fi);
#else
    /* libfuse before 3.15 has no name for it. */
    struct fuse_open_out out = {
        .fh = fi->fh,
        .open_flags = (fi->keep_cache ? FOPEN_KEEP_CACHE : 0) |
                      (fi->direct_io ? FOPEN_DIRECT_IO | PARALLEL_DIRECT_WRITES : 0),
    };
    return fuse_reply_buf(req, (const char *)&out, sizeof out);
#endif
}

bool
fs_open_file(fuse_req_t req, struct export *export, struct fuse_file_info *fi)
{
    const struct fs *fs = fuse_req_userdata(req);
    int cache = fs->options->cache;
    bool writer = may_keep_writes(fs, fi);

    if ((fi->flags & O_ACCMODE) != O_RDONLY && export->read_only) {
        fuse_reply_err(req, EROFS);
        return false;
    }
    fi->keep_cache = cache == CACHE_ALWAYS || cache == CACHE_WRITEBACK;
    fi->direct_io = cache == CACHE_NONE;
    /* Who wants no cache wants what the server has now; and where others write to the
     * export, holes are not asked for without need. */
    struct stream *stream =
        fi->direct_io ? NULL : stream_new(export->prefetch, fi->keep_cache);
    fi->fh = (uint64_t)(uintptr_t)stream;
    if (writer)
        atomic_fetch_add(&export->writers, 1);
    if (reply_open(req, fi) == 0)
        return true;
    if (writer)
        atomic_fetch_sub(&export->writers, 1);
    stream_free(export->prefetch, stream); /* interrupted, or there is no session */
    return false;
}

void
fs_close_file(const struct fs *fs, struct export *export,
              const struct fuse_file_info *fi)
{
    stream_free(export->prefetch, (struct stream *)(uintptr_t)fi->fh);
    if (may_keep_writes(fs, fi))
        atomic_fetch_sub(&export->writers, 1);
}
