/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all-xattr.c - extended attributes in the tree of all exports
 *
 * How it goes is told at once, of what is open and of what is not.  What an export is
 * like is asked for as for its size; nothing is opened where the server tells that.
 */

#include "all-own.h"
#include "fs-xattr.h"
#include "uri.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A file as it is told of, while that lasts. */
struct telling {
    struct all *all;
    struct node *node;
    struct export *export; /* held, or NULL */
    struct conn_info info;
    char *path, *uri, *description;
    struct status_file file;
    struct attribute_subject subject;
};

/* Under the lock: the path below a folder; false if the node is not below it. */
static bool
put_path(struct all *all, const struct node *node, uint64_t folder, FILE *out)
{
    if (node->ino == folder)
        return true;
    const struct node *parent = all_node(all, node->parent);
    if (parent == NULL || !put_path(all, parent, folder, out))
        return false;
    fprintf(out, "%s%s", parent->ino == folder ? "" : "/", node->name);
    return true;
}

/* Under the lock; the caller frees it.  NULL: it is not below the folder. */
static char *
path_of(struct all *all, const struct node *node, uint64_t folder)
{
    char *path = NULL;
    size_t len;
    FILE *out = open_memstream(&path, &len);

    if (out == NULL)
        return NULL;
    bool below = put_path(all, node, folder, out);
    if (fclose(out) == 0 && below)
        return path;
    free(path);
    return NULL;
}

/* In a folder the numbers are places among the nodes, which keep theirs. */
static char *
next_open(void *user_data, uint64_t from, uint64_t *next)
{
    struct telling *telling = user_data;
    struct all *all = telling->all;
    char *path = NULL;

    if (telling->node->is_file) { /* itself, open or not */
        *next = 1;
        return from == 0 ? strdup("") : NULL;
    }
    pthread_mutex_lock(&all->lock);
    while (path == NULL && from < all->n_nodes) {
        struct node *node = all->nodes[from++];
        if (node->export != NULL)
            path = path_of(all, node, telling->node->ino);
    }
    pthread_mutex_unlock(&all->lock);
    *next = from;
    return path;
}

static void
count(struct all *all, struct status_mount *mount)
{
    mount->source = all->source->text;
    mount->options = all->options;
    mount->all = true;
    pthread_mutex_lock(&all->lock);
    for (size_t i = 0; i < all->n_nodes; i++) {
        struct node *node = all->nodes[i];
        mount->exports += node->is_file && all_is_there(all, node);
        mount->open += node->export != NULL;
    }
    pthread_mutex_unlock(&all->lock);
}

static void
describe(struct telling *telling)
{
    struct all *all = telling->all;
    struct node *node = telling->node;
    struct status_file *file = &telling->file;

    pthread_mutex_lock(&all->lock);
    telling->path = path_of(all, node, FUSE_ROOT_ID);
    if (node->description != NULL)
        telling->description = strdup(node->description);
    bool known = telling->export != NULL || node->info_ms != 0;
    telling->info = telling->export != NULL ? telling->export->info : node->info;
    pthread_mutex_unlock(&all->lock);
    if (telling->export != NULL)
        telling->info.size = export_size(telling->export);
    if (all->source->uri != NULL) {
        char *uri = uri_with_export(all->source->uri, node->export_name);
        telling->uri = uri != NULL ? uri_to_show(uri) : NULL;
        free(uri);
    }
    *file = (struct status_file){
        .path = telling->path != NULL ? telling->path : node->name,
        .name = node->export_name,
        .uri = telling->uri,
        .description = telling->description != NULL ? telling->description
                                                    : telling->info.description,
        .info = known ? &telling->info : NULL,
        .read_only = all->options->read_only || telling->info.read_only,
    };
}

static void
tell_begin(struct telling *telling, struct all *all, struct node *node)
{
    *telling = (struct telling){.all = all, .node = node};
    telling->subject.next_open = next_open;
    telling->subject.user_data = telling;
    if (!node->is_file)
        return;
    telling->export = all_hold(all, node);
    describe(telling);
    telling->subject.file = &telling->file;
    telling->subject.export = telling->export;
}

static void
tell_end(struct telling *telling)
{
    if (telling->export != NULL)
        all_unhold(telling->all, telling->node);
    free(telling->path);
    free(telling->uri);
    free(telling->description);
}

static void
answer(struct all *all, struct pending *pending, int error)
{
    struct telling telling;
    uint64_t from;

    if (error != 0) {
        fuse_reply_err(pending->req, error);
        return;
    }
    enum attribute attribute = attribute_of(pending->name, &from);
    tell_begin(&telling, all, pending->node);
    if (attribute >= ATTRIBUTES_LISTED)
        count(all, &telling.subject.mount);
    fs_xattr_answer(pending->req, &telling.subject, attribute, from, pending->size);
    tell_end(&telling);
}

/* As it had to be opened for that, it is held. */
static void
answer_opened(struct all *all, struct pending *pending, int error)
{
    answer(all, pending, error);
    if (error == 0)
        all_unhold(all, pending->node);
}

void
all_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
    const struct fs *fs = fuse_req_userdata(req);
    struct all *all = fs->all;
    uint64_t from;
    enum attribute attribute = attribute_of(name, &from);

    pthread_mutex_lock(&all->lock);
    struct node *node = all_node(all, ino);
    bool known = node == NULL || !node->is_file || all_knows(node);
    pthread_mutex_unlock(&all->lock);
    if (node == NULL || attribute == ATTRIBUTE_NONE) {
        fuse_reply_err(req, ENODATA);
        return;
    }
    struct pending *pending = all_put_off(req, node, NULL, answer);
    if (pending == NULL)
        return;
    memcpy(pending->name, name, strlen(name) + 1); /* one that we know is short */
    pending->size = size;
    pending->resume_opened = answer_opened;
    if (attribute_needs_info(attribute) && !known) {
        all_wait_for_info(all, pending);
        return;
    }
    answer(all, pending, 0);
    free(pending);
}

void
all_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size)
{
    const struct fs *fs = fuse_req_userdata(req);
    struct all *all = fs->all;
    struct telling telling;

    pthread_mutex_lock(&all->lock);
    struct node *node = all_node(all, ino);
    pthread_mutex_unlock(&all->lock);
    if (node == NULL) {
        fuse_reply_err(req, ENOENT);
    } else if (!node->is_file) {
        fs_xattr_answer_names(req, NULL, size);
    } else {
        tell_begin(&telling, all, node);
        fs_xattr_answer_names(req, &telling.file, size);
        tell_end(&telling);
    }
}
