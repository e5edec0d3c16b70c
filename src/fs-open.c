/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs-open.c - opening and closing a file, and what the kernel may keep of it: see fs.h
 */

#define FUSE_USE_VERSION 314

#include "fs.h"
#include "opened.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

/* FOPEN_...: of Linux 5.16 and 6.2; others ignore them. */
#define NO_FLUSH               (1 << 5)
#define PARALLEL_DIRECT_WRITES (1 << 6)

/* Until the last file that is open for writing is released, the kernel may have bytes
 * of which we know nothing; by then it has sent them all. */
static bool
may_keep_writes(const struct fs *fs, const struct fuse_file_info *fi)
{
    return fs->options->cache == CACHE_WRITEBACK && (fi->flags & O_ACCMODE) != O_RDONLY;
}

/* Without a cache, writes of several programs need not wait for each other: those that
 * overlap are kept in order here (ordering.h).  Who only reads has nothing to wait for
 * when it closes the file. */
static int
reply_open(fuse_req_t req, struct fuse_file_info *fi)
{
#ifdef HAVE_STRUCT_FUSE_FILE_INFO_PARALLEL_DIRECT_WRITES
    fi->parallel_direct_writes = fi->direct_io;
    fi->noflush = (fi->flags & O_ACCMODE) == O_RDONLY;
    return fuse_reply_open(req, fi);
#else
    /* libfuse before 3.15 has no name for it. */
    struct fuse_open_out out = {
        .fh = fi->fh,
        .open_flags = (fi->keep_cache ? FOPEN_KEEP_CACHE : 0) |
                      ((fi->flags & O_ACCMODE) == O_RDONLY ? NO_FLUSH : 0) |
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
    fi->direct_io = cache == CACHE_NONE || cache == CACHE_READAHEAD;
    /* Who wants no cache wants what the server has now; and where others write to the
     * export, holes are not asked for without need. */
    struct stream *stream =
        cache == CACHE_NONE ? NULL : stream_new(export->prefetch, cache != CACHE_OPEN);
    struct opened *opened =
        opened_new(&export->opened, stream, late_errors_at_open(&export->late));
    if (opened == NULL) {
        stream_free(export->prefetch, stream);
        fuse_reply_err(req, ENOMEM);
        return false;
    }
    fi->fh = opened_number(opened);
    if (writer)
        atomic_fetch_add(&export->writers, 1);
    if (reply_open(req, fi) == 0)
        return true;
    if (writer)
        atomic_fetch_sub(&export->writers, 1);
    stream_free(export->prefetch, stream); /* interrupted, or there is no session */
    opened_let_go(opened);
    return false;
}

void
fs_close_file(const struct fs *fs, struct export *export,
              const struct fuse_file_info *fi)
{
    struct opened *opened = opened_hold(fi->fh);

    stream_free(export->prefetch, opened->stream);
    opened_let_go(opened);
    opened_let_go(opened); /* who opened it did not */
    if (may_keep_writes(fs, fi))
        atomic_fetch_sub(&export->writers, 1);
}
