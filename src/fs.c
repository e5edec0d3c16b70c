/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs.c - see fs.h */

#define FUSE_USE_VERSION 314

#include "fs.h"
#include "all.h"
#include "file.h"
#include "fs-names.h"
#include "fs-xattr.h"
#include "log.h"
#include "opened.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INODE_FILE      (FUSE_ROOT_ID + 1) /* where the root is a directory */
#define TIMEOUT_ENTRY_S 3600.0             /* names do not change */
#define TIME_MAX_S      (INT64_MAX / 1000000000 - 5)
#define BLKSIZE_MAX     (1 << 20)
#define BLKSIZE_DIRECT  (128 << 10) /* where each read of a program is a request */

static struct fs *
fs_of(fuse_req_t req)
{
    return fuse_req_userdata(req);
}

/* The export that an inode shows, or NULL: it is the root directory, or none. */
static struct export *
export_of(const struct fs *fs, fuse_ino_t ino)
{
    if (fs->all != NULL)
        return all_export(fs->all, ino);
    return ino == fs_file(fs) ? fs->export : NULL;
}

uint64_t
fs_file(const struct fs *fs)
{
    return fs->filename == NULL ? FUSE_ROOT_ID : INODE_FILE;
}

static void
set_owner_and_times(const struct fs *fs, struct export *export, struct stat *st)
{
    static _Atomic int64_t begun;
    int64_t ns = atomic_load_explicit(export != NULL ? &export->mtime_ns : &begun,
                                      memory_order_relaxed);

    if (ns == 0) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
        atomic_store(&begun, ns);
    }
    st->st_uid = fs->options->uid;
    st->st_gid = fs->options->gid;
    int64_t s = ns / 1000000000 - (ns % 1000000000 < 0); /* also before 1970 */
    st->st_mtim = (struct timespec){s, ns - s * 1000000000};
    st->st_ctim = st->st_atim = st->st_mtim;
}

/* Fills *st and tells how long the kernel may believe it: not at all before all its
 * blocks are known. */
static double
stat_file(const struct fs *fs, struct export *export, fuse_ino_t ino, struct stat *st)
{
    mode_t mode = fs->options->mode;
    bool exact;
    uint32_t preferred = export->info.preferred;
    bool behind = behind_any(&export->behind); /* before the map is looked at */

    memset(st, 0, sizeof *st);
    st->st_ino = ino;
    st->st_mode = S_IFREG | (export->read_only ? mode & ~0222U : mode);
    st->st_nlink = 1;
    st->st_size = export_size(export);
    if (fs->options->cache == CACHE_READAHEAD && preferred < BLKSIZE_DIRECT)
        preferred = BLKSIZE_DIRECT;
    st->st_blksize = preferred < BLKSIZE_MAX ? preferred : BLKSIZE_MAX;
    st->st_blocks = (blkcnt_t)sparse_blocks(export->sparse, &exact);
    /* To tar, 0 means that there is nothing in it: the kernel may have something, or
     * the server does not know of it yet. */
    if (st->st_blocks == 0 && st->st_size > 0 &&
        (behind || fs->options->cache == CACHE_WRITEBACK))
        st->st_blocks = 1;
    set_owner_and_times(fs, export, st);
    return exact && !behind ? fs->options->attr_timeout_s : 0;
}

double
fs_stat(const struct fs *fs, struct export *export, uint64_t ino, struct stat *st)
{
    if (export != NULL)
        return stat_file(fs, export, ino, st);
    memset(st, 0, sizeof *st);
    st->st_ino = ino;
    /* who may read the file may go there */
    st->st_mode =
        S_IFDIR | (fs->options->mode & 0444) | (fs->options->mode & 0444) >> 2;
    st->st_nlink = 2;
    set_owner_and_times(fs, fs->export, st);
    return fs->options->attr_timeout_s;
}

static void
fs_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct fs *fs = fs_of(req);
    struct fuse_entry_param entry = {.entry_timeout = TIMEOUT_ENTRY_S};

    if (parent != FUSE_ROOT_ID || fs->filename == NULL ||
        strcmp(name, fs->filename) != 0) {
        fuse_reply_err(req, ENOENT);
        return;
    }
    entry.ino = INODE_FILE;
    entry.attr_timeout = stat_file(fs, fs->export, INODE_FILE, &entry.attr);
    fuse_reply_entry(req, &entry);
}

static void
fs_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct fs *fs = fs_of(req);
    struct export *export = export_of(fs, ino);
    struct stat st;

    (void)fi;
    double timeout = fs_stat(fs, export, ino, &st);
    fuse_reply_attr(req, &st, timeout);
}

/* Whether nothing changes: the mode and the owner are as they were mounted, and
 * programs that copy files set them again. */
static bool
is_so(const struct fs *fs, struct export *export, fuse_ino_t ino,
      const struct stat *attr, int to_set)
{
    struct stat st;

    stat_file(fs, export, ino, &st);
    return (!(to_set & FUSE_SET_ATTR_MODE) ||
            (attr->st_mode & 07777) == (st.st_mode & 07777)) &&
           (!(to_set & FUSE_SET_ATTR_UID) || attr->st_uid == st.st_uid) &&
           (!(to_set & FUSE_SET_ATTR_GID) || attr->st_gid == st.st_gid);
}

/* The times, and what is already so.  An export has the size it has. */
static void
fs_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
           struct fuse_file_info *fi)
{
    struct fs *fs = fs_of(req);
    struct export *export = export_of(fs, ino);
    const int same = FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID |
                     FUSE_SET_ATTR_KILL_SUID | FUSE_SET_ATTR_KILL_SGID;
    const int times = FUSE_SET_ATTR_ATIME | FUSE_SET_ATTR_MTIME |
                      FUSE_SET_ATTR_ATIME_NOW | FUSE_SET_ATTR_MTIME_NOW |
                      FUSE_SET_ATTR_CTIME;
    struct timespec when = attr->st_mtim;
    int64_t size = export != NULL ? export_size(export) : 0;

    if (export == NULL || (to_set & ~(times | same | FUSE_SET_ATTR_SIZE)) != 0 ||
        !is_so(fs, export, ino, attr, to_set)) {
        fuse_reply_err(req, EPERM);
        return;
    }
    if ((to_set & FUSE_SET_ATTR_SIZE) && export->read_only) {
        fuse_reply_err(req, EROFS);
        return;
    }
    if ((to_set & FUSE_SET_ATTR_SIZE) && attr->st_size < size && attr->st_size >= 0 &&
        fs->options->truncate == TRUNCATE_ZERO) {
        /* The kernel gets what it asked for, so that it drops what it has cached behind
         * that, and is not to believe it any longer. */
        struct stat st;
        stat_file(fs, export, ino, &st);
        st.st_size = attr->st_size;
        file_truncate(export, req, &st);
        return;
    }
    if ((to_set & FUSE_SET_ATTR_SIZE) && attr->st_size != size) {
        if (!fs->told_truncate)
            log_warning("%s: an export cannot change its size: "
                        "write without truncating (conv=notrunc in dd), or mount it "
                        "with truncate=zero",
                        export->source.text);
        fs->told_truncate = true;
        fuse_reply_err(req, EPERM);
        return;
    }
    if (to_set & FUSE_SET_ATTR_MTIME_NOW)
        clock_gettime(CLOCK_REALTIME, &when);
    /* What nanoseconds have room for: from 1677 to 2262. */
    if (when.tv_sec > TIME_MAX_S || when.tv_sec < -TIME_MAX_S)
        when.tv_sec = when.tv_sec > 0 ? TIME_MAX_S : -TIME_MAX_S;
    if (to_set & (FUSE_SET_ATTR_MTIME | FUSE_SET_ATTR_MTIME_NOW))
        atomic_store(&export->mtime_ns,
                     (int64_t)when.tv_sec * 1000000000 + when.tv_nsec);
    fs_getattr(req, ino, fi);
}

static void
fs_open(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct export *export = export_of(fs_of(req), ino);

    if (export == NULL)
        fuse_reply_err(req, EISDIR);
    else
        fs_open_file(req, export, fi);
}

static void
fs_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct export *export = export_of(fs_of(req), ino);

    if (export != NULL)
        fs_close_file(fs_of(req), export, fi);
    fuse_reply_err(req, 0);
}

static void
fs_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
        struct fuse_file_info *fi)
{
    struct export *export = export_of(fs_of(req), ino);

    if (export == NULL) {
        fuse_reply_err(req, EISDIR);
    } else if (off < 0) {
        fuse_reply_err(req, EINVAL);
    } else {
        struct opened *opened = opened_hold(fi->fh);
        /* With O_DIRECT, what the server has now: where nobody else writes to it, that
         * is what it had when it was read ahead. */
        bool strict = fi->flags & O_DIRECT && fs_of(req)->options->cache == CACHE_OPEN;
        struct stream *stream = strict ? NULL : opened->stream;
        opened_let_go(opened); /* once it is answered the export may be gone */
        file_read_ahead(export, stream, req, (uint64_t)off, size);
    }
}

/* O_DIRECT asks for the server's own answer, as does whoever syncs each write, or has
 * not been told yet that an earlier one failed.  Of what the kernel has kept it takes a
 * short count for all.
 */
static enum write_how
how_to_write(const struct export *export, const struct fuse_file_info *fi)
{
    if (fi->writepage)
        return WRITE_WHOLE;
    if (fi->flags & O_DIRECT)
        return WRITE_THROUGH;
    struct opened *opened = opened_hold(fi->fh);
    bool behind = opened_writes(opened) &&
                  !late_errors_since(&export->late, &opened->errors_seen);
    opened_let_go(opened);
    return behind ? WRITE_BEHIND : WRITE_THROUGH;
}

static void
fs_write_buf(fuse_req_t req, fuse_ino_t ino, struct fuse_bufvec *data, off_t off,
             struct fuse_file_info *fi)
{
    struct export *export = export_of(fs_of(req), ino);

    if (export == NULL)
        fuse_reply_err(req, EISDIR);
    else if (export->read_only)
        fuse_reply_err(req, EROFS);
    else if (off < 0)
        fuse_reply_err(req, EINVAL);
    else
        file_write(export, req, data, (uint64_t)off, how_to_write(export, fi));
}

static void
fs_fsync(fuse_req_t req, fuse_ino_t ino, int datasync, struct fuse_file_info *fi)
{
    struct export *export = export_of(fs_of(req), ino);

    (void)datasync;
    if (export == NULL)
        fuse_reply_err(req, 0);
    else
        file_sync(export, req, opened_hold(fi->fh));
}

/* A close(2), or the end of a program. */
static void
fs_flush(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct export *export = export_of(fs_of(req), ino);

    if (fs_of(req)->options->writebehind == 0 || fs_of(req)->options->read_only)
        fuse_reply_err(req, ENOSYS); /* never asked again */
    else if (export == NULL)
        fuse_reply_err(req, 0);
    else
        file_close(export, req, opened_hold(fi->fh));
}

static void
fs_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t off, off_t len,
             struct fuse_file_info *fi)
{
    struct export *export = export_of(fs_of(req), ino);
    const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    const int discard = fs_of(req)->options->discard;
    int64_t size = export != NULL ? export_size(export) : 0;

    (void)fi;
    if (export == NULL)
        fuse_reply_err(req, EISDIR);
    else if (export->read_only)
        fuse_reply_err(req, EROFS);
    else if (off < 0 || len <= 0)
        fuse_reply_err(req, EINVAL);
    else if ((mode != punch && (mode & ~FALLOC_FL_KEEP_SIZE) != FALLOC_FL_ZERO_RANGE) ||
             (mode == punch && discard == DISCARD_NONE))
        fuse_reply_err(req, EOPNOTSUPP);
    else if (!(mode & FALLOC_FL_KEEP_SIZE) && (off > size || len > size - off))
        fuse_reply_err(req, ENOSPC); /* it would have to grow */
    else
        file_zero(export, req, (uint64_t)off, (uint64_t)len,
                  mode != punch             ? ZERO_KEEP
                  : discard == DISCARD_TRIM ? ZERO_TRIM
                                            : ZERO_HOLE);
}

/* All is data. */
static void
seek_in_data(fuse_req_t req, uint64_t size, uint64_t off, int whence)
{
    if (off >= size)
        fuse_reply_err(req, ENXIO);
    else
        fuse_reply_lseek(req, (off_t)(whence == SEEK_DATA ? off : size));
}

static void
fs_lseek(fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
         struct fuse_file_info *fi)
{
    struct export *export = export_of(fs_of(req), ino);

    (void)fi;
    if (export == NULL || (whence != SEEK_DATA && whence != SEEK_HOLE))
        fuse_reply_err(req, EINVAL);
    else if (off < 0)
        fuse_reply_err(req, ENXIO);
    else if (atomic_load(&export->writers) > 0) /* only the kernel knows */
        seek_in_data(req, (uint64_t)export_size(export), (uint64_t)off, whence);
    else
        file_seek(export, req, (uint64_t)off, whence == SEEK_DATA);
}

static void
fs_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct fs *fs = fs_of(req);
    uint64_t total = ((uint64_t)export_size(fs->export) + 511) / 512;
    bool exact;
    uint64_t used = sparse_blocks(fs->export->sparse, &exact);
    struct statvfs st = {
        .f_bsize = fs->export->info.preferred,
        .f_frsize = 512,
        .f_blocks = total,
        .f_bfree = used < total ? total - used : 0,
        .f_bavail = used < total ? total - used : 0,
        .f_files = 1,
        .f_namemax = NAME_MAX,
    };

    (void)ino;
    fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops fs_ops = {
    .mknod = fs_mknod,
    .mkdir = fs_mkdir,
    .unlink = fs_unlink,
    .rmdir = fs_unlink,
    .symlink = fs_symlink,
    .rename = fs_rename,
    .getxattr = fs_getxattr,
    .listxattr = fs_listxattr,
    .init = fs_init,
    .lookup = fs_lookup,
    .getattr = fs_getattr,
    .setattr = fs_setattr,
    .open = fs_open,
    .flush = fs_flush,
    .release = fs_release,
    .read = fs_read,
    .write_buf = fs_write_buf,
    .fsync = fs_fsync,
    .fallocate = fs_fallocate,
    .lseek = fs_lseek,
    .readdir = fs_readdir,
    .statfs = fs_statfs,
};
