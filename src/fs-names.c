/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs-names.c - see fs-names.h; and fs_filename, of fs.h */

#define FUSE_USE_VERSION 314

#include "fs-names.h"
#include "fs.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

const char *
fs_filename(const char *name)
{
    if (name == NULL || *name == '\0' || strcmp(name, ".") == 0 ||
        strcmp(name, "..") == 0 || strlen(name) > NAME_MAX || strchr(name, '/') != NULL)
        return "nbd";
    for (const char *p = name; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return "nbd";
    return name;
}

void
fs_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
           struct fuse_file_info *fi)
{
    const struct fs *fs = fuse_req_userdata(req);
    const char *names[] = {".", "..", fs->filename};
    size_t used = 0;

    (void)fi;
    if (ino != FUSE_ROOT_ID || fs->filename == NULL) {
        fuse_reply_err(req, ENOTDIR);
        return;
    }
    char *buf = malloc(size);
    if (buf == NULL) {
        fuse_reply_err(req, ENOMEM);
        return;
    }
    for (off_t i = off < 0 ? 3 : off; i < 3; i++) {
        struct stat st = {.st_ino = i < 2 ? FUSE_ROOT_ID : fs_file(fs),
                          .st_mode = i < 2 ? S_IFDIR : S_IFREG};
        size_t n =
            fuse_add_direntry(req, buf + used, size - used, names[i], &st, i + 1);
        if (n > size - used)
            break;
        used += n;
    }
    fuse_reply_buf(req, buf, used);
    free(buf);
}

void
fs_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t rdev)
{
    (void)parent, (void)name, (void)mode, (void)rdev;
    fuse_reply_err(req, EPERM);
}

void
fs_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
    (void)parent, (void)name, (void)mode;
    fuse_reply_err(req, EPERM);
}

void
fs_unlink(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

void
fs_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name)
{
    (void)link, (void)parent, (void)name;
    fuse_reply_err(req, EPERM);
}

void
fs_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
          const char *new_name, unsigned flags)
{
    (void)parent, (void)name, (void)new_parent, (void)new_name, (void)flags;
    fuse_reply_err(req, EPERM);
}
