/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fs-xattr.c - see fs-xattr.h */

#define FUSE_USE_VERSION 314

#include "fs-xattr.h"
#include "fs.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdlib.h>
#include <string.h>

/* size 0: how long is it?  What is not the same the next time may be longer by then. */
static void
answer(fuse_req_t req, const char *value, size_t len, size_t size, bool changes)
{
    if (size == 0 && changes)
        len =
            len + len / 4 + 1024 < ATTRIBUTE_MAX ? len + len / 4 + 1024 : ATTRIBUTE_MAX;
    if (size == 0)
        fuse_reply_xattr(req, len);
    else if (len > size)
        fuse_reply_err(req, ERANGE);
    else
        fuse_reply_buf(req, value, len);
}

void
fs_xattr_answer(fuse_req_t req, const struct attribute_subject *subject,
                enum attribute attribute, uint64_t from, size_t size)
{
    size_t len;
    char *value = attribute_value(subject, attribute, from, &len);

    if (value == NULL)
        fuse_reply_err(req, ENODATA);
    else
        answer(req, value, len, size, attribute >= ATTRIBUTES_LISTED);
    free(value);
}

void
fs_xattr_answer_names(fuse_req_t req, const struct status_file *file, size_t size)
{
    size_t len;
    char *names = attribute_names(file, &len);

    if (names == NULL)
        fuse_reply_err(req, ENOMEM);
    else
        answer(req, names, len, size, false);
    free(names);
}

/* ---- a mount of one export */

/* The file, whether it is asked for itself or for the folder that it is in. */
static char *
next_open(void *user_data, uint64_t from, uint64_t *next)
{
    const char *path = user_data;

    *next = 1;
    return from == 0 ? strdup(path) : NULL;
}

static void
describe(const struct fs *fs, struct conn_info *info, struct status_file *file)
{
    struct export *export = fs->export;
    const char *own = fs->options->export;

    *info = export->info;
    info->size = export_size(export);
    *file = (struct status_file){
        .path = fs->filename != NULL ? fs->filename : "",
        .name = !info->long_name ? info->name : own,
        .uri = export->source.uri != NULL ? export->source.text : NULL,
        .description = info->description,
        .info = info,
        .read_only = export->read_only,
    };
}

void
fs_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    struct fs *fs = fuse_req_userdata(req);
    struct conn_info info;
    struct status_file file;
    uint64_t from;
    enum attribute attribute = attribute_of(name, &from);
    bool is_file = ino == fs_file(fs);

    if (attribute == ATTRIBUTE_NONE || (!is_file && attribute < ATTRIBUTES_LISTED)) {
        fuse_reply_err(req, ENODATA);
        return;
    }
    describe(fs, &info, &file);
    struct attribute_subject subject = {
        .mount = {.source = fs->export->source.text,
                  .options = fs->options,
                  .exports = 1,
                  .open = 1},
        .file = &file,
        .export = fs->export,
        .next_open = next_open,
        .user_data = (void *)(uintptr_t)(is_file ? "" : file.path),
    };
    fs_xattr_answer(req, &subject, attribute, from, size);
}

void
fs_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    struct fs *fs = fuse_req_userdata(req);
    struct conn_info info;
    struct status_file file;

    describe(fs, &info, &file);
    fs_xattr_answer_names(req, ino == fs_file(fs) ? &file : NULL, size);
}
