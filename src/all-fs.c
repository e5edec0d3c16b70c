/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all-fs.c - FUSE operations on the tree of all exports
 *
 * Only what has to do with names and with opening: what is done to an open file is in
 * fs.c.
 */

#include "all-own.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#define ENTRY_S 1.0 /* exports come and go */

static struct all *
all_of(fuse_req_t req)
{
    const struct fs *fs = fuse_req_userdata(req);

    return fs->all;
}

struct pending *
all_put_off(fuse_req_t req, struct node *node, struct fuse_file_info *fi,
            void (*resume)(struct all *, struct pending *, int))
{
    struct pending *pending = calloc(1, sizeof *pending);

    if (pending == NULL) {
        fuse_reply_err(req, ENOMEM);
        return NULL;
    }
    pending->req = req;
    pending->node = node;
    pending->resume = resume;
    if (fi != NULL)
        pending->fi = *fi;
    pending->has_fi = fi != NULL;
    return pending;
}

/* A request was handed to fs.c, or answered. */
static void
let_go(struct all *all, struct node *node)
{
    pthread_mutex_lock(&all->lock);
    node->holds--;
    node->used_ms = conn_clock_ms();
    pthread_mutex_unlock(&all->lock);
}

/* ---- attributes and names */

/* Under the lock, for what is known. */
static double
stat_node(struct all *all, struct node *node, struct stat *st)
{
    const struct conn_info *info =
        node->export != NULL ? &node->export->info : &node->info;
    bool read_only = all->options->read_only || info->read_only;

    if (!node->is_file || node->export != NULL)
        return fs_stat(all->fs, node->export, node->ino, st);
    fs_stat(all->fs, NULL, node->ino, st);
    st->st_mode =
        S_IFREG | (read_only ? all->options->mode & ~0222U : all->options->mode);
    st->st_nlink = 1;
    st->st_size = info->size;
    st->st_blksize = info->preferred < (1 << 20) ? info->preferred : 1 << 20;
    /* Nothing is known of its holes, and whoever copies it is to ask: above 0 and less
     * than the size, as in sparse_blocks. */
    st->st_blocks = info->size > 512;
    return 0;
}

static void
answer_attributes(struct all *all, struct pending *pending, int error)
{
    struct fuse_entry_param entry = {.entry_timeout = ENTRY_S};

    if (error != 0) {
        fuse_reply_err(pending->req, error);
        return;
    }
    pthread_mutex_lock(&all->lock);
    entry.ino = pending->node->ino;
    entry.attr_timeout = stat_node(all, pending->node, &entry.attr);
    pthread_mutex_unlock(&all->lock);
    if (pending->lookup)
        fuse_reply_entry(pending->req, &entry);
    else
        fuse_reply_attr(pending->req, &entry.attr, entry.attr_timeout);
}

/* As it had to be opened for that, it is held. */
static void
answer_opened_attributes(struct all *all, struct pending *pending, int error)
{
    answer_attributes(all, pending, error);
    if (error == 0)
        let_go(all, pending->node);
}

static void
give_attributes(struct all *all, fuse_req_t req, struct node *node, bool lookup)
{
    struct pending now = {.req = req, .node = node, .lookup = lookup};

    pthread_mutex_lock(&all->lock);
    bool known = !node->is_file || all_knows(node);
    if (node->is_file)
        all_looked_at(all, node);
    pthread_mutex_unlock(&all->lock);
    if (known) {
        answer_attributes(all, &now, 0);
        return;
    }
    struct pending *pending = all_put_off(req, node, NULL, answer_attributes);
    if (pending != NULL) {
        pending->lookup = lookup;
        pending->resume_opened = answer_opened_attributes;
        all_wait_for_info(all, pending);
    }
}

static void
lookup_listed(struct all *all, struct pending *pending, int error)
{
    pthread_mutex_lock(&all->lock);
    struct node *node = all_find(all, pending->parent, pending->name);
    pthread_mutex_unlock(&all->lock);
    if (error != 0 || node == NULL)
        fuse_reply_err(pending->req, error != 0 ? error : ENOENT);
    else
        give_attributes(all, pending->req, node, true);
}

static void
all_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
    struct all *all = all_of(req);

    if (strlen(name) > NAME_MAX) {
        fuse_reply_err(req, ENAMETOOLONG);
        return;
    }
    pthread_mutex_lock(&all->lock);
    struct node *node = all_find(all, parent, name);
    bool old = all_listing_is_old(all);
    pthread_mutex_unlock(&all->lock);
    if (node != NULL) {
        give_attributes(all, req, node, true);
    } else if (!old) {
        fuse_reply_err(req, ENOENT);
    } else {
        struct pending *pending = all_put_off(req, NULL, NULL, lookup_listed);
        if (pending != NULL) {
            pending->parent = parent;
            memcpy(pending->name, name, strlen(name) + 1);
            all_wait_for_list(all, pending);
        }
    }
}

static struct node *
node_of(struct all *all, fuse_ino_t ino)
{
    pthread_mutex_lock(&all->lock);
    struct node *node = all_node(all, ino);
    pthread_mutex_unlock(&all->lock);
    return node;
}

static void
all_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct all *all = all_of(req);
    struct node *node = node_of(all, ino);

    (void)fi;
    if (node == NULL)
        fuse_reply_err(req, ENOENT);
    else
        give_attributes(all, req, node, false);
}

/* ---- what needs an open export */

static void
set_opened(struct all *all, struct pending *pending, int error)
{
    if (error != 0) {
        fuse_reply_err(pending->req, error);
        return;
    }
    fs_ops.setattr(pending->req, pending->node->ino, &pending->attr, pending->to_set,
                   pending->has_fi ? &pending->fi : NULL);
    let_go(all, pending->node);
}

static void
all_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
            struct fuse_file_info *fi)
{
    struct all *all = all_of(req);
    struct node *node = node_of(all, ino);

    if (node == NULL || !node->is_file) {
        fuse_reply_err(req, EPERM);
        return;
    }
    struct pending *pending = all_put_off(req, node, fi, set_opened);
    if (pending != NULL) {
        pending->attr = *attr;
        pending->to_set = to_set;
        all_wait_for_open(all, pending);
    }
}

static void
file_opened(struct all *all, struct pending *pending, int error)
{
    if (error != 0)
        fuse_reply_err(pending->req, error);
    else if (!fs_open_file(pending->req, pending->node->export, &pending->fi))
        let_go(all, pending->node); /* otherwise held until it is released */
}

static void
all_open_file(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct all *all = all_of(req);
    struct node *node = node_of(all, ino);

    if (node == NULL || !node->is_file) {
        fuse_reply_err(req, EISDIR);
        return;
    }
    struct pending *pending = all_put_off(req, node, fi, file_opened);
    if (pending != NULL)
        all_wait_for_open(all, pending);
}

static void
all_release(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct all *all = all_of(req);
    struct node *node = node_of(all, ino);

    if (fs_ops.release != NULL)
        fs_ops.release(req, ino, fi);
    else
        fuse_reply_err(req, 0);
    if (node != NULL)
        let_go(all, node);
}

/* ---- folders */

static void
folder_listed(struct all *all, struct pending *pending, int error)
{
    (void)all;
    if (error != 0)
        fuse_reply_err(pending->req, error);
    else
        fuse_reply_open(pending->req, &pending->fi);
}

static void
all_opendir(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
    struct all *all = all_of(req);

    (void)ino;
    pthread_mutex_lock(&all->lock);
    bool old = all_listing_is_old(all);
    pthread_mutex_unlock(&all->lock);
    if (!old) {
        fuse_reply_open(req, fi);
        return;
    }
    struct pending *pending = all_put_off(req, NULL, fi, folder_listed);
    if (pending != NULL)
        all_wait_for_list(all, pending);
}

/* The offset is the place among the children, which keep theirs. */
static size_t
fill_folder(struct all *all, struct node *folder, fuse_req_t req, char *buf,
            size_t size, size_t from)
{
    size_t used = 0;

    for (size_t i = from; i < folder->n_children + 2; i++) {
        struct node *node = i < 2 ? folder : folder->children[i - 2];
        const char *name = i == 0 ? "." : i == 1 ? ".." : node->name;
        struct stat st = {.st_ino = node->ino,
                          .st_mode = node->is_file ? S_IFREG : S_IFDIR};
        if (i >= 2 && !all_is_there(all, node))
            continue;
        size_t n =
            fuse_add_direntry(req, buf + used, size - used, name, &st, (off_t)i + 1);
        if (n > size - used)
            break;
        used += n;
    }
    return used;
}

static void
all_readdir(fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
            struct fuse_file_info *fi)
{
    struct all *all = all_of(req);
    struct node *folder = node_of(all, ino);
    char *buf = malloc(size);

    (void)fi;
    if (folder == NULL || folder->is_file || buf == NULL) {
        fuse_reply_err(req, buf == NULL ? ENOMEM : ENOTDIR);
        free(buf);
        return;
    }
    pthread_mutex_lock(&all->lock);
    size_t used = fill_folder(all, folder, req, buf, size, off < 0 ? 0 : (size_t)off);
    pthread_mutex_unlock(&all->lock);
    fuse_reply_buf(req, buf, used);
    free(buf);
}

static void
all_statfs(fuse_req_t req, fuse_ino_t ino)
{
    struct all *all = all_of(req);
    struct statvfs st = {.f_bsize = 4096, .f_frsize = 512, .f_namemax = NAME_MAX};

    (void)ino;
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->n_nodes; i++) {
        struct node *node = all->nodes[i];
        if (!node->is_file || !all_is_there(all, node))
            continue;
        st.f_files++;
        if (node->export != NULL || node->info_ms != 0)
            st.f_blocks += (fsblkcnt_t)(node->export != NULL ? export_size(node->export)
                                                             : node->info.size) /
                           512;
    }
    pthread_mutex_unlock(&all->lock);
    fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops *
all_fs_ops(void)
{
    static struct fuse_lowlevel_ops ops;

    ops = fs_ops;
    ops.lookup = all_lookup;
    ops.getattr = all_getattr;
    ops.getxattr = all_getxattr;
    ops.listxattr = all_listxattr;
    ops.setattr = all_setattr;
    ops.open = all_open_file;
    ops.release = all_release;
    ops.opendir = all_opendir;
    ops.readdir = all_readdir;
    ops.statfs = all_statfs;
    return &ops;
}
