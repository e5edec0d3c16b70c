/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all.c - see all.h: where the exports of a listing get their places; beginning and end
 */

#include "all-own.h"
#include "choose.h"
#include "export-path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* ---- the listing */

/* Where the path of one export has got to. */
struct placing {
    struct all *all;
    const char *export;
    uint64_t folder;
};

static bool
place_part(void *user_data, const char *text, bool last)
{
    struct placing *placing = user_data;
    struct all *all = placing->all;
    /* Sorted, an export comes before those whose names go on from its own. */
    struct node *file = all_find_kind(all, placing->folder, text, true);

    if (!last && file != NULL && file->seen == all->listing)
        return false;
    struct node *node = all_find_kind(all, placing->folder, text, last);
    if (node == NULL || (last && node->export_name != NULL &&
                         strcmp(node->export_name, placing->export) != 0))
        node = all_add(all, placing->folder, text, last);
    if (node == NULL)
        return true;
    if (last && node->export_name == NULL)
        node->export_name = strdup(placing->export);
    if (last && node->export_name == NULL)
        return true;
    node->seen = all->listing;
    placing->folder = node->ino;
    return true;
}

static void
place(struct all *all, const struct listing_row *row)
{
    const char *name = row->name;
    struct placing placing = {.all = all, .export = name, .folder = FUSE_ROOT_ID};

    if (*name != '\0') {
        export_path(name, place_part, &placing);
    } else {
        /* It comes last, so that it is seen whether the name of its file is taken. */
        const char *file =
            all->options->filename != NULL ? all->options->filename : fs_filename("");
        bool taken = all_find(all, FUSE_ROOT_ID, file) != NULL;
        place_part(&placing, taken ? "%" : file, true);
    }
    struct node *node = all_node(all, placing.folder);
    if (!node->is_file)
        return; /* no memory */
    free(node->description);
    node->description = row->description != NULL ? strdup(row->description) : NULL;
}

void
all_take_listing(struct all *all, const struct listing *listing)
{
    const struct listing_row *the_default = NULL;

    pthread_mutex_lock(&all->lock);
    all->listing++;
    for (size_t i = 0; i < listing->n; i++) {
        if (*listing->row[i].name == '\0')
            the_default = &listing->row[i];
        else
            place(all, &listing->row[i]);
    }
    if (the_default != NULL)
        place(all, the_default);
    all->listed_ms = conn_clock_ms();
    all->told = false;
    pthread_mutex_unlock(&all->lock);
}

/* ---- beginning and end */

static void
free_nodes(struct all *all)
{
    for (size_t i = 0; i < all->n_nodes; i++) {
        struct node *node = all->nodes[i];
        if (node->source.uri != NULL)
            free((char *)(uintptr_t)node->source.uri);
        free((char *)(uintptr_t)node->source.text);
        free(node->name);
        free(node->export_name);
        free(node->description);
        free(node->children);
        free(node);
    }
    free(all->nodes);
    pthread_cond_destroy(&all->changed);
    pthread_mutex_destroy(&all->lock);
    free(all);
}

struct all *
all_open(const struct source *source, const struct options *options, struct fs *fs,
         struct choice *choice, char **why)
{
    struct all *all = calloc(1, sizeof *all);
    pthread_condattr_t attr;

    *why = NULL;
    if (all == NULL)
        return NULL;
    all->source = source;
    all->options = options;
    all->fs = fs;
    all->first_asker = (struct asker){.source = source, .limit = &all->limit};
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &attr);
    pthread_condattr_destroy(&attr);
    bool fine = all_add(all, 0, "", false) != NULL;
    if (fine && choice->catalog != NULL) {
        all->first_asker.catalog = choice->catalog;
        all->first_asker.asked = 1;
        all->first_asker.listed = true;
        all->tells = true;
        all->first_asker.was_connected = true;
        choice->catalog = NULL;
        all_take_listing(all, &choice->listing);
    } else {
        fine = fine && all_ask_list(all, &all->first_asker, why) == 0;
    }
    fine = fine && all_start_asking(all) == 0;
    if (!fine) {
        asker_close(&all->first_asker);
        free_nodes(all);
        return NULL;
    }
    return all;
}

int
all_close(struct all *all, int64_t deadline_ms, int hurry)
{
    int result = 0;

    all_stop_asking(all);
    pthread_mutex_lock(&all->lock);
    while (all->opening > 0)
        pthread_cond_wait(&all->changed, &all->lock);
    struct pending *waiting = all->for_list;
    if (all->lost)
        result = -EIO;
    pthread_mutex_unlock(&all->lock);
    all_resume(all, waiting, EIO);
    for (size_t i = 0; i < all->n_nodes; i++) {
        all_resume(all, all->nodes[i]->for_info, EIO);
        all_resume(all, all->nodes[i]->for_open, EIO);
        if (all->nodes[i]->export != NULL &&
            export_close(all->nodes[i]->export, deadline_ms, hurry) != 0)
            result = -EIO;
    }
    free_nodes(all);
    return result;
}
