/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all.c - see all.h: the listing, and the threads that wait for the network
 *
 * One thread asks: for the listing and for what exports are like, over a connection
 * that it ends when there is nothing more to ask; it also closes what is idle.  An
 * export is opened by a thread of its own, so that one that hangs stops no other.
 */

#include "all-own.h"
#include "export-path.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS    30000 /* for a connection and an answer */
#define LINGER_MS 200   /* the connection is kept that long for the next question */

/* ---- the listing */

struct names {
    char **name;
    size_t n, room;
};

static void
on_name(void *user_data, const char *name, const char *description)
{
    struct names *names = user_data;
    char *copy = strdup(name);

    (void)description;
    if (copy != NULL && names->n == names->room) {
        size_t room = names->room > 0 ? names->room * 2 : 64;
        char **bigger = realloc(names->name, room * sizeof *bigger);
        if (bigger == NULL) {
            free(copy);
            return;
        }
        names->name = bigger;
        names->room = room;
    }
    if (copy != NULL)
        names->name[names->n++] = copy;
}

static int
compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

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
place(struct all *all, const char *name)
{
    struct placing placing = {.all = all, .export = name, .folder = FUSE_ROOT_ID};

    if (*name != '\0') {
        export_path(name, place_part, &placing);
        return;
    }
    /* The default export comes last, so that it is seen whether its name is taken. */
    const char *file =
        all->options->filename != NULL ? all->options->filename : fs_filename("");
    place_part(&placing, all_find(all, FUSE_ROOT_ID, file) == NULL ? file : "%", true);
}

static void
take_listing(struct all *all, struct names *names)
{
    bool has_default = false;

    if (names->n > 0)
        qsort(names->name, names->n, sizeof *names->name, compare_names);
    pthread_mutex_lock(&all->lock);
    all->listing++;
    for (size_t i = 0; i < names->n; i++) {
        if (*names->name[i] == '\0')
            has_default = true;
        else if (i == 0 || strcmp(names->name[i], names->name[i - 1]) != 0)
            place(all, names->name[i]);
    }
    if (has_default)
        place(all, "");
    all->listed_ms = conn_clock_ms();
    all->told = false;
    pthread_mutex_unlock(&all->lock);
}

static bool
keep_asking(void *user_data)
{
    struct all *all = user_data;

    pthread_mutex_lock(&all->lock);
    bool stopping = all->stopping;
    pthread_mutex_unlock(&all->lock);
    return !stopping &&
           (all->source->keep_trying == NULL || all->source->keep_trying());
}

static struct handshake_wait
wait_of(struct all *all)
{
    return (struct handshake_wait){
        .deadline_ms = conn_clock_ms() + ASK_MS,
        .keep_trying = keep_asking,
        .user_data = all,
    };
}

/* A connection to ask over, made if there is none. */
static bool
reach(struct all *all, struct catalog **catalog, char **why)
{
    struct handshake_wait wait = wait_of(all);

    if (*catalog == NULL)
        *catalog = catalog_open(all->source, &wait, why);
    return *catalog != NULL;
}

/* 0 or an errno, and then *why. */
static int
ask_list(struct all *all, struct catalog **catalog, char **why)
{
    struct handshake_wait wait = wait_of(all);
    struct names names = {0};

    if (!reach(all, catalog, why))
        return EIO;
    int error = catalog_list(*catalog, &wait, on_name, &names, why);
    if (error != 0 && error != ENOTCONN) {
        /* It does not tell: then there is the default one. */
        log_info("%s: the server does not list its exports: %s", all->source->text,
                 *why != NULL ? *why : "out of memory");
        free(*why);
        *why = NULL;
        for (size_t i = 0; i < names.n; i++)
            free(names.name[i]);
        names.n = 0;
        on_name(&names, "", "");
        error = 0;
    }
    if (error == 0)
        take_listing(all, &names);
    for (size_t i = 0; i < names.n; i++)
        free(names.name[i]);
    free(names.name);
    return error == 0 ? 0 : EIO;
}

/* ---- the thread that asks */

static void
resume_list(struct all *all, struct pending *pending, int error)
{
    while (pending != NULL) {
        struct pending *next = pending->next;
        pending->resume(all, pending, error);
        free(pending);
        pending = next;
    }
}

static void
do_list(struct all *all, struct catalog **catalog, struct pending *waiting)
{
    char *why = NULL;
    int error = ask_list(all, catalog, &why);

    if (error != 0) {
        catalog_close(*catalog);
        *catalog = NULL;
        pthread_mutex_lock(&all->lock);
        bool tell = !all->told && !all->stopping;
        all->told = true;
        all->listed_ms = conn_clock_ms(); /* not again at once */
        pthread_mutex_unlock(&all->lock);
        if (tell)
            log_warning("%s: the exports cannot be listed: %s", all->source->text,
                        why != NULL ? why : "out of memory");
    }
    free(why);
    resume_list(all, waiting, 0); /* the listing before is better than none */
}

static void
do_info(struct all *all, struct catalog **catalog, struct node *node)
{
    struct handshake_wait wait = wait_of(all);
    struct conn_info info = {0};
    char *why = NULL;
    int error = EIO;

    if (reach(all, catalog, &why))
        error = catalog_info(*catalog, &wait, node->export_name, &info, &why);
    if (error == ENOTCONN || *catalog == NULL) {
        catalog_close(*catalog);
        *catalog = NULL;
        error = EIO;
    }
    free(why);
    pthread_mutex_lock(&all->lock);
    struct pending *waiting = node->for_info;
    node->for_info = NULL;
    node->asking = false;
    if (error == 0) {
        node->info = info;
        node->info_ms = conn_clock_ms();
    }
    pthread_mutex_unlock(&all->lock);
    if (error != ENOTSUP) {
        resume_list(all, waiting, error == 0 || error == EIO ? error : ENOENT);
        return;
    }
    while (waiting != NULL) { /* then it has to be opened to see what it is like */
        struct pending *next = waiting->next;
        waiting->resume = waiting->resume_opened;
        all_wait_for_open(all, waiting);
        waiting = next;
    }
}

static void *
ask_thread(void *user_data)
{
    struct all *all = user_data;
    struct catalog *catalog = NULL;

    pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        struct pending *waiting = all->for_list;
        struct node *node = all->ask_first;
        if (waiting == NULL && node == NULL) {
            struct timespec until;
            clock_gettime(CLOCK_MONOTONIC, &until);
            long ms = catalog != NULL ? LINGER_MS : 1000;
            until.tv_nsec += ms % 1000 * 1000000;
            until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
            until.tv_nsec %= 1000000000;
            if (pthread_cond_timedwait(&all->changed, &all->lock, &until) != ETIMEDOUT)
                continue;
            all_close_idle(all);
            pthread_mutex_unlock(&all->lock);
            catalog_close(catalog);
            catalog = NULL;
            pthread_mutex_lock(&all->lock);
            continue;
        }
        if (waiting != NULL)
            all->for_list = NULL;
        else
            all->ask_first = node->ask_next;
        pthread_mutex_unlock(&all->lock);
        if (waiting != NULL)
            do_list(all, &catalog, waiting);
        else
            do_info(all, &catalog, node);
        pthread_mutex_lock(&all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    catalog_close(catalog);
    return NULL;
}

void
all_wait_for_list(struct all *all, struct pending *pending)
{
    pthread_mutex_lock(&all->lock);
    pending->next = all->for_list;
    all->for_list = pending;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
}

void
all_wait_for_info(struct all *all, struct pending *pending)
{
    struct node *node = pending->node;

    pthread_mutex_lock(&all->lock);
    pending->next = node->for_info;
    node->for_info = pending;
    if (!node->asking) {
        node->asking = true;
        node->ask_next = NULL;
        if (all->ask_first == NULL)
            all->ask_first = node;
        else
            all->ask_last->ask_next = node;
        all->ask_last = node;
        pthread_cond_broadcast(&all->changed);
    }
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
         char **why)
{
    struct all *all = calloc(1, sizeof *all);
    struct catalog *catalog = NULL;
    pthread_condattr_t attr;

    *why = NULL;
    if (all == NULL)
        return NULL;
    all->source = source;
    all->options = options;
    all->fs = fs;
    pthread_mutex_init(&all->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&all->changed, &attr);
    pthread_condattr_destroy(&attr);
    bool fine = all_add(all, 0, "", false) != NULL;
    fine = fine && ask_list(all, &catalog, why) == 0;
    catalog_close(catalog);
    fine = fine && all_start_thread(&all->thread, ask_thread, all) == 0;
    if (!fine) {
        free_nodes(all);
        return NULL;
    }
    return all;
}

int
all_close(struct all *all, int64_t deadline_ms, int hurry)
{
    int result = 0;

    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_mutex_lock(&all->lock);
    while (all->opening > 0)
        pthread_cond_wait(&all->changed, &all->lock);
    struct pending *waiting = all->for_list;
    pthread_mutex_unlock(&all->lock);
    resume_list(all, waiting, EIO);
    for (size_t i = 0; i < all->n_nodes; i++) {
        resume_list(all, all->nodes[i]->for_info, EIO);
        resume_list(all, all->nodes[i]->for_open, EIO);
        if (all->nodes[i]->export != NULL &&
            export_close(all->nodes[i]->export, deadline_ms, hurry) != 0)
            result = -EIO;
    }
    free_nodes(all);
    return result;
}
