/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all-tree.c - the folders and files of all exports: finding and adding them
 *
 * Nothing here waits or locks; the caller has the lock.
 */

#include "all-own.h"

#include <stdlib.h>
#include <string.h>

#define LIST_TRUST_MS 1000
#define INFO_TRUST_MS 10000

struct node *
all_node(struct all *all, uint64_t ino)
{
    return ino >= 1 && ino <= all->n_nodes ? all->nodes[ino - 1] : NULL;
}

static struct node **
bucket(struct all *all, uint64_t parent, const char *name)
{
    uint32_t h = 2166136261U ^ (uint32_t)parent;

    for (; *name != '\0'; name++)
        h = (h ^ (unsigned char)*name) * 16777619U;
    return &all->hash[h % HASH_SIZE];
}

struct node *
all_find_kind(struct all *all, uint64_t parent, const char *name, bool is_file)
{
    struct node *node = *bucket(all, parent, name);

    while (node != NULL && (node->parent != parent || node->is_file != is_file ||
                            strcmp(node->name, name) != 0))
        node = node->chain;
    return node;
}

bool
all_is_there(const struct all *all, const struct node *node)
{
    return node->seen == all->listing || node->parent == 0;
}

struct node *
all_find(struct all *all, uint64_t parent, const char *name)
{
    for (int is_file = 0; is_file < 2; is_file++) {
        struct node *node = all_find_kind(all, parent, name, is_file);
        if (node != NULL && all_is_there(all, node))
            return node;
    }
    return NULL;
}

bool
all_listing_is_old(const struct all *all)
{
    return conn_clock_ms() - all->listed_ms >= LIST_TRUST_MS;
}

bool
all_knows(const struct node *node)
{
    return node->export != NULL ||
           (node->info_ms != 0 && conn_clock_ms() - node->info_ms < INFO_TRUST_MS);
}

static bool
grow(struct node ***array, size_t n, size_t *room)
{
    if (n < *room)
        return true;
    size_t more = *room > 0 ? *room * 2 : 16;
    struct node **bigger = realloc(*array, more * sizeof *bigger);
    if (bigger == NULL)
        return false;
    *array = bigger;
    *room = more;
    return true;
}

struct node *
all_add(struct all *all, uint64_t parent, const char *name, bool is_file)
{
    struct node *node = calloc(1, sizeof *node);
    struct node *folder = all_node(all, parent);
    char *copy = strdup(name);

    if (node == NULL || copy == NULL || !grow(&all->nodes, all->n_nodes, &all->room) ||
        (folder != NULL &&
         !grow(&folder->children, folder->n_children, &folder->room))) {
        free(node);
        free(copy);
        return NULL;
    }
    *node = (struct node){
        .ino = all->n_nodes + 1, .parent = parent, .is_file = is_file, .name = copy};
    all->nodes[all->n_nodes++] = node;
    node->place = folder != NULL ? folder->n_children : 0;
    if (folder != NULL)
        folder->children[folder->n_children++] = node;
    struct node **first = bucket(all, parent, name);
    node->chain = *first;
    *first = node;
    return node;
}
