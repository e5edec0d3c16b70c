/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all-open.c - opening an export when somebody needs it, and closing it when nobody
 * does
 *
 * Each is opened by a thread of its own, so that one that hangs stops no other.
 */

#include "all-own.h"
#include "log.h"
#include "uri.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define CLOSE_IDLE_MS 5000

struct opening {
    struct all *all;
    struct node *node;
};

static bool
name_node_source(struct all *all, struct node *node)
{
    if (node->source.text != NULL)
        return true;
    struct source source = *all->source;
    source.export = node->export_name;
    if (source.uri != NULL) {
        source.uri = uri_with_export(source.uri, node->export_name);
        source.text = source.uri != NULL ? uri_to_show(source.uri) : NULL;
    } else {
        source.text =
            strdup(*node->export_name != '\0' ? node->export_name : source.text);
    }
    node->source = source;
    return source.text != NULL;
}

static void *
open_thread(void *user_data)
{
    struct opening *opening = user_data;
    struct all *all = opening->all;
    struct node *node = opening->node;
    struct export *export = NULL;
    char *why = NULL;

    free(opening);
    if (name_node_source(all, node))
        export = export_open(&node->source, all->options->connections,
                             all->options->read_only, &why);
    if (export == NULL) {
        log_warning("%s: cannot be opened: %s",
                    node->source.text != NULL ? node->source.text : node->name,
                    why != NULL ? why : "out of memory");
    } else {
        prefetch_set_memory(export->prefetch, all->options->readahead);
        atomic_store(&export->file, node->ino);
    }
    free(why);
    pthread_mutex_lock(&all->lock);
    struct pending *waiting = node->for_open;
    node->for_open = NULL;
    node->export = export;
    node->opening = false;
    node->used_ms = conn_clock_ms();
    for (struct pending *p = waiting; p != NULL && export != NULL; p = p->next)
        node->holds++;
    pthread_mutex_unlock(&all->lock);
    while (waiting != NULL) {
        struct pending *next = waiting->next;
        waiting->resume(all, waiting, export != NULL ? 0 : EIO);
        free(waiting);
        waiting = next;
    }
    pthread_mutex_lock(&all->lock);
    all->opening--;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* Signals are for the main thread. */
int
all_start_thread(pthread_t *thread, void *(*function)(void *), void *argument)
{
    sigset_t every, old;

    sigfillset(&every);
    pthread_sigmask(SIG_SETMASK, &every, &old);
    int r = pthread_create(thread, NULL, function, argument);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return r;
}

/* Under the lock. */
static void
start_opening(struct all *all, struct node *node)
{
    struct opening *opening = malloc(sizeof *opening);
    pthread_t thread;

    if (opening != NULL)
        *opening = (struct opening){all, node};
    if (opening != NULL && !all->stopping &&
        all_start_thread(&thread, open_thread, opening) == 0) {
        pthread_detach(thread);
        node->opening = true;
        all->opening++;
        pthread_cond_broadcast(&all->changed);
        return;
    }
    free(opening);
    struct pending *waiting = node->for_open;
    node->for_open = NULL;
    while (waiting != NULL) {
        struct pending *next = waiting->next;
        fuse_reply_err(waiting->req, ENOMEM);
        free(waiting);
        waiting = next;
    }
}

void
all_wait_for_open(struct all *all, struct pending *pending)
{
    struct node *node = pending->node;

    pthread_mutex_lock(&all->lock);
    if (node->export != NULL) { /* it has been opened meanwhile */
        node->holds++;
        pthread_mutex_unlock(&all->lock);
        pending->resume(all, pending, 0);
        free(pending);
        return;
    }
    pending->next = node->for_open;
    node->for_open = pending;
    if (!node->opening && !node->closing)
        start_opening(all, node);
    pthread_mutex_unlock(&all->lock);
}

struct export *
all_export(struct all *all, uint64_t ino)
{
    pthread_mutex_lock(&all->lock);
    struct node *node = all_node(all, ino);
    struct export *export = node != NULL ? node->export : NULL;
    pthread_mutex_unlock(&all->lock);
    return export;
}

struct export *
all_hold(struct all *all, struct node *node)
{
    pthread_mutex_lock(&all->lock);
    struct export *export = node->export;
    if (export != NULL)
        node->holds++;
    pthread_mutex_unlock(&all->lock);
    return export;
}

void
all_unhold(struct all *all, struct node *node)
{
    pthread_mutex_lock(&all->lock);
    node->holds--;
    pthread_mutex_unlock(&all->lock);
}

/* Under the lock: one that nobody has used for a while; it is marked as closing. */
static struct node *
find_idle(struct all *all)
{
    int64_t before = conn_clock_ms() - (int64_t)(all->options->idle_s * 1000);

    for (size_t i = 0; i < all->n_nodes; i++) {
        struct node *node = all->nodes[i];
        if (node->export != NULL && node->holds == 0 && !node->closing &&
            node->used_ms <= before && export_requests(node->export) == 0 &&
            late_errors_untold(&node->export->late) == 0) { /* who opens it is told */
            node->closing = true;
            return node;
        }
    }
    return NULL;
}

/* The lock is held, and let go meanwhile. */
void
all_close_idle(struct all *all)
{
    struct node *node;

    while (!all->stopping && (node = find_idle(all)) != NULL) {
        struct export *export = node->export;
        node->info = export->info;
        node->info.size = export_size(export);
        node->info_ms = conn_clock_ms();
        node->export = NULL;
        figures_add_past(&all->past, export->pool);
        pthread_mutex_unlock(&all->lock);
        int result = export_close(export, conn_clock_ms() + CLOSE_IDLE_MS, -1);
        pthread_mutex_lock(&all->lock);
        all->lost |= result != 0;
        node->closing = false;
        if (node->for_open != NULL) /* somebody came meanwhile */
            start_opening(all, node);
    }
}
