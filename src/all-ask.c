/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all-ask.c - the threads that ask the server: for the listing, and for what exports
 * are like
 *
 * One is always there; it alone lists, and closes what is idle.  Others help while
 * there is much to ask about, which is when somebody goes through a folder and looks at
 * one file after the other: then it is asked about the next ones already.  A connection
 * is ended soon after there was nothing more to ask.
 */

#include "all-own.h"
#include "log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS        30000 /* for a connection and an answer */
#define CONNECT_MS    3000  /* where there is an older listing to show */
#define LINGER_MS     50    /* the connection is kept that long for the next question */
#define HELPERS       15
#define EACH_AT_LEAST 4   /* questions that wait, so that a helper is worth it */
#define AHEAD         128 /* files */
#define STEP_MAX      4   /* from one file to the next one that is looked at */

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

static bool
keep_helping(void *user_data)
{
    struct all *all = user_data;

    pthread_mutex_lock(&all->lock);
    bool needed = all->ask_first != NULL && !all->alone;
    pthread_mutex_unlock(&all->lock);
    return needed && keep_asking(all);
}

static struct handshake_wait
wait_for(struct all *all, int64_t ms, bool (*condition)(void *))
{
    return (struct handshake_wait){
        .deadline_ms = conn_clock_ms() + ms,
        .keep_trying = condition,
        .user_data = all,
    };
}

/* ---- the listing */

int
all_ask_list(struct all *all, struct asker *asker, char **why)
{
    /* Servers that let only few come would make whoever looks wait for long. */
    bool listed = all->listing > 0; /* only this thread changes it */
    struct handshake_wait connect =
        wait_for(all, listed ? CONNECT_MS : ASK_MS, keep_asking);
    struct listing listing = {0};

    if (asker->listed)
        asker_close(asker);
    if (!asker_connect(asker, &connect, why))
        return EIO;
    struct handshake_wait wait = wait_for(all, ASK_MS, keep_asking);
    int error = asker_list(asker, &wait, &listing, why);
    if (error == 0 && listing.refused && all->tells)
        error = EIO; /* it has listed before: something is wrong with it for now */
    if (error == 0) {
        all->tells = !listing.refused;
        if (listing.refused) {
            log_info("%s: the server does not list its exports: %s", all->source->text,
                     *why != NULL ? *why : "out of memory");
            free(*why);
            *why = NULL;
        }
        all_take_listing(all, &listing);
    }
    listing_clear(&listing);
    return error == 0 ? 0 : EIO;
}

void
all_resume(struct all *all, struct pending *pending, int error)
{
    while (pending != NULL) {
        struct pending *next = pending->next;
        pending->resume(all, pending, error);
        free(pending);
        pending = next;
    }
}

static void
do_list(struct all *all, struct asker *asker, struct pending *waiting)
{
    char *why = NULL;

    if (all_ask_list(all, asker, &why) != 0) {
        asker_close(asker);
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
    all_resume(all, waiting, 0); /* the listing before is better than none */
}

/* ---- what exports are like */

/* Under the lock; the node is not in the queue. */
static void
enqueue(struct all *all, struct node *node, bool first)
{
    node->asking = true;
    node->ask_next = first ? all->ask_first : NULL;
    if (all->ask_first == NULL)
        all->ask_first = all->ask_last = node;
    else if (first)
        all->ask_first = node;
    else
        all->ask_last = all->ask_last->ask_next = node;
    all->queued++;
}

/* Under the lock. */
static struct node *
dequeue(struct all *all)
{
    struct node *node = all->ask_first;

    if (node != NULL) {
        all->ask_first = node->ask_next;
        all->queued--;
    }
    return node;
}

static void
tell_info(struct all *all, struct node *node, const struct conn_info *info, int error)
{
    pthread_mutex_lock(&all->lock);
    struct pending *waiting = node->for_info;
    node->for_info = NULL;
    node->asking = false;
    if (error == 0) {
        node->info = *info;
        node->info_ms = conn_clock_ms();
    }
    pthread_mutex_unlock(&all->lock);
    if (error != ENOTSUP) {
        all_resume(all, waiting, error == 0 || error == EIO ? error : ENOENT);
        return;
    }
    while (waiting != NULL) { /* then it has to be opened to see what it is like */
        struct pending *next = waiting->next;
        waiting->resume = waiting->resume_opened;
        all_wait_for_open(all, waiting);
        waiting = next;
    }
}

/* 0, ENOTSUP, or another error, which counts only where nobody else asks: there are
 * servers that do not bear two at once. */
static int
ask_info(struct all *all, struct asker *asker, struct node *node,
         struct conn_info *info)
{
    struct handshake_wait wait = wait_for(all, ASK_MS, keep_asking);
    char *why = NULL;

    memset(info, 0, sizeof *info);
    int error = asker_info(asker, &wait, node->export_name, info, &why);
    free(why);
    return error == ENOTCONN ? EIO : error;
}

/* False: it is for the thread that stays to ask about this one again. */
static bool
help_with(struct all *all, struct asker *asker, struct node *node)
{
    struct conn_info info;
    int error = ask_info(all, asker, node, &info);

    if (error == 0 || error == ENOTSUP) {
        tell_info(all, node, &info, error);
        return true;
    }
    pthread_mutex_lock(&all->lock);
    all->alone = true;
    enqueue(all, node, true);
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    return false;
}

struct timespec
all_time_in(long ms)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += ms % 1000 * 1000000;
    until.tv_sec += ms / 1000 + until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    return until;
}

static void
do_info(struct all *all, struct asker *asker, struct node *node)
{
    struct conn_info info;
    int error = ask_info(all, asker, node, &info);

    pthread_mutex_lock(&all->lock);
    bool again = error != 0 && error != ENOTSUP && (all->helpers > 0 || all->alone);
    if (again) {
        struct timespec until = all_time_in(1000);
        all->alone = true;
        while (all->helpers > 0 && !all->stopping &&
               pthread_cond_timedwait(&all->changed, &all->lock, &until) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&all->lock);
    if (again)
        error = ask_info(all, asker, node, &info);
    tell_info(all, node, &info, error);
}

/* Servers that do one thing at a time do nothing for an export that is opened while
 * another client is in the handshake (nbdkit's serialize_all_requests). */
static bool
must_not_linger(const struct all *all, const struct asker *asker)
{
    return all->opening > 0 && asker->catalog != NULL;
}

static void *
help_thread(void *user_data)
{
    struct all *all = user_data;
    struct asker asker = {.source = all->source, .limit = &all->limit};
    /* Connected first: who has no connection must not keep a node. */
    struct handshake_wait wait = wait_for(all, ASK_MS, keep_helping);
    char *why = NULL;
    bool helps = asker_connect(&asker, &wait, &why);

    free(why);
    pthread_mutex_lock(&all->lock);
    while (helps && !all->stopping && !all->alone) {
        struct node *node = dequeue(all);
        if (node == NULL) {
            struct timespec until = all_time_in(LINGER_MS);
            helps = !must_not_linger(all, &asker) &&
                    (pthread_cond_timedwait(&all->changed, &all->lock, &until) == 0 ||
                     all->ask_first != NULL);
            continue;
        }
        pthread_mutex_unlock(&all->lock);
        helps = help_with(all, &asker, node);
        pthread_mutex_lock(&all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    asker_close(&asker);
    pthread_mutex_lock(&all->lock);
    all->helpers--;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    return NULL;
}

/* Under the lock. */
static void
call_helpers(struct all *all)
{
    unsigned most = options_questions(all->options) - 1;
    pthread_t thread;

    while (all->helpers < most && all->helpers < HELPERS && !all->alone &&
           !all->stopping && all->queued > EACH_AT_LEAST * (all->helpers + 1) &&
           all_start_thread(&thread, help_thread, all) == 0) {
        pthread_detach(thread);
        all->helpers++;
    }
}

void
all_looked_at(struct all *all, struct node *node)
{
    struct node *folder = all_node(all, node->parent);

    bool goes_on =
        node->place > folder->looked_at && node->place - folder->looked_at <= STEP_MAX;
    if (!goes_on && node->place != folder->looked_at)
        folder->ahead = folder->steps = 0;
    folder->steps += goes_on;
    folder->looked_at = node->place;
    if (folder->steps < 2)
        return;
    if (folder->ahead > node->place + AHEAD / 2)
        return; /* not one by one */
    size_t from = folder->ahead > node->place ? folder->ahead : node->place + 1;
    size_t to = node->place + 1 + AHEAD;
    if (to > folder->n_children)
        to = folder->n_children;
    for (size_t i = from; i < to; i++) {
        struct node *child = folder->children[i];
        if (child->is_file && all_is_there(all, child) && !child->asking &&
            !all_knows(child))
            enqueue(all, child, false);
    }
    folder->ahead = to;
    call_helpers(all);
    pthread_cond_broadcast(&all->changed);
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
    /* The answer may have come since the caller has looked. */
    if (!node->asking && all_knows(node)) {
        pthread_mutex_unlock(&all->lock);
        pending->next = NULL;
        all_resume(all, pending, 0);
        return;
    }
    pending->next = node->for_info;
    node->for_info = pending;
    if (!node->asking) {
        enqueue(all, node, true); /* before those that nobody waits for */
        call_helpers(all);
        pthread_cond_broadcast(&all->changed);
    }
    pthread_mutex_unlock(&all->lock);
}

/* ---- the thread that is always there */

/* Nothing was to be done for a while. */
static void
rest(struct all *all, struct asker *asker)
{
    all->alone = false;
    all_close_idle(all);
    pthread_mutex_unlock(&all->lock);
    asker_close(asker);
    pthread_mutex_lock(&all->lock);
}

static void *
ask_thread(void *user_data)
{
    struct all *all = user_data;
    struct asker asker = all->first_asker;

    pthread_mutex_lock(&all->lock);
    while (!all->stopping) {
        struct pending *waiting = all->for_list;
        all->for_list = NULL;
        struct node *node = waiting == NULL ? dequeue(all) : NULL;
        if (waiting == NULL && node == NULL) {
            struct timespec until =
                all_time_in(asker.catalog != NULL ? LINGER_MS : 1000);
            if (must_not_linger(all, &asker) ||
                pthread_cond_timedwait(&all->changed, &all->lock, &until) == ETIMEDOUT)
                rest(all, &asker);
            continue;
        }
        pthread_mutex_unlock(&all->lock);
        if (waiting != NULL)
            do_list(all, &asker, waiting);
        else
            do_info(all, &asker, node);
        pthread_mutex_lock(&all->lock);
    }
    pthread_mutex_unlock(&all->lock);
    asker_close(&asker);
    return NULL;
}

int
all_start_asking(struct all *all)
{
    return all_start_thread(&all->thread, ask_thread, all);
}

void
all_stop_asking(struct all *all)
{
    pthread_mutex_lock(&all->lock);
    all->stopping = true;
    pthread_cond_broadcast(&all->changed);
    pthread_mutex_unlock(&all->lock);
    pthread_join(all->thread, NULL);
    pthread_mutex_lock(&all->lock);
    while (all->helpers > 0)
        pthread_cond_wait(&all->changed, &all->lock);
    pthread_mutex_unlock(&all->lock);
}
