/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-list.c - see tool-list.h
 *
 * Options of the handshake are sent one by one, so that of many exports several are
 * asked about at once, each over a connection of its own.  A server that lets only one
 * come answers all the same: who has no connection yet takes no export to ask about.
 */

#include "tool-list.h"
#include "asker.h"
#include "log.h"
#include "text.h"
#include "tool-list-own.h"
#include "uri.h"

#include <errno.h>
#include <libnbd.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MS        30000 /* for a connection and each answer */
#define HELPERS       7
#define EACH_AT_LEAST 16 /* exports, so that a connection more is worth it */

struct asking {
    const struct source *source;
    struct found_list *list;
    atomic_size_t next;
    atomic_uint limit; /* the askers' */
    char *refused;     /* why the server does not list, or NULL */
};

static bool
is_wanted(void *user_data)
{
    const struct asking *asking = user_data;

    return asking->source->keep_trying == NULL || asking->source->keep_trying();
}

static bool
is_needed(void *user_data)
{
    struct asking *asking = user_data;

    return atomic_load(&asking->next) < asking->list->n && is_wanted(asking);
}

static struct handshake_wait
wait_while(struct asking *asking, bool (*condition)(void *))
{
    return (struct handshake_wait){
        .deadline_ms = conn_clock_ms() + ASK_MS,
        .keep_trying = condition,
        .user_data = asking,
    };
}

static void
on_context(void *user_data, const char *name, const char *description)
{
    struct found *found = user_data;

    listing_add(&found->contexts, name, description);
}

/* Where it cannot be asked about, it is opened. */
static bool
try_it(struct asking *asking, struct found *found)
{
    struct handshake_wait wait = wait_while(asking, is_wanted);
    struct source source = *asking->source;
    char *uri = source.uri != NULL ? uri_with_export(source.uri, found->name) : NULL;

    source.uri = uri;
    source.export = found->name;
    struct nbd_handle *h = handshake(&source, false, &wait, &found->info, &found->why);
    free(uri);
    if (h == NULL)
        return false;
    if (found->info.can_extents)
        on_context(found, source_meta_context(&source), "");
    nbd_aio_disconnect(h, 0);
    nbd_close(h);
    return true;
}

static void
ask_about(struct asking *asking, struct asker *asker, struct found *found)
{
    struct handshake_wait wait = wait_while(asking, is_wanted);
    char *why = NULL;
    int error = asker_info(asker, &wait, found->name, &found->info, &found->why);

    if (error == ENOTSUP) {
        free(found->why);
        found->why = NULL;
        found->known = try_it(asking, found);
        return;
    }
    found->known = error == 0;
    if (error != 0)
        return;
    if (found->description == NULL && asker->describes)
        found->description = catalog_description(asker->catalog);
    asker_contexts(asker, &wait, found->name, &found->contexts, &why);
    free(why); /* it tells of none, then */
}

static void
ask_on(struct asking *asking, struct asker *asker)
{
    size_t i;

    while (is_wanted(asking) &&
           (i = atomic_fetch_add(&asking->next, 1)) < asking->list->n)
        ask_about(asking, asker, &asking->list->found[i]);
}

static void *
help(void *user_data)
{
    struct asking *asking = user_data;
    struct handshake_wait wait = wait_while(asking, is_needed);
    struct asker asker = {.source = asking->source, .limit = &asking->limit};
    char *why = NULL;

    if (asker_connect(&asker, &wait, &why))
        ask_on(asking, &asker);
    free(why);
    asker_close(&asker);
    return NULL;
}

static void
ask_all(struct asking *asking, struct asker *asker, unsigned connections)
{
    size_t wanted = asking->list->n / EACH_AT_LEAST, helpers = 0;
    pthread_t thread[HELPERS];
    sigset_t every, old;

    sigfillset(&every); /* signals are for the main thread */
    pthread_sigmask(SIG_SETMASK, &every, &old);
    while (helpers < wanted && helpers < HELPERS && helpers + 1 < connections &&
           pthread_create(&thread[helpers], NULL, help, asking) == 0)
        helpers++;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    ask_on(asking, asker);
    for (size_t i = 0; i < helpers; i++)
        pthread_join(thread[i], NULL);
    /* It may be that the server does not want several to ask. */
    for (size_t i = 0; i < asking->list->n && helpers > 0 && is_wanted(asking); i++) {
        struct found *found = &asking->list->found[i];
        if (!found->known) {
            free(found->why);
            found->why = NULL;
            ask_about(asking, asker, found);
        }
    }
}

/* ---- what there is */

/* The names: of all, or the one that SOURCE has.  False: it was said why not. */
static bool
find_names(struct asking *asking, struct asker *asker, struct listing *listing)
{
    struct handshake_wait wait = wait_while(asking, is_wanted);
    const char *text = asking->source->text;
    char *why = NULL, *name = catalog_export_name(asker->catalog);

    if (name != NULL && *name != '\0') {
        listing_add(listing, name, NULL);
        free(name);
        asker->describes = true;
        catalog_want_description(asker->catalog);
        return true;
    }
    free(name);
    if (asker_list(asker, &wait, listing, &why) != 0) {
        log_error("%s: the exports cannot be listed: %s", text,
                  why != NULL ? why : "out of memory");
        free(why);
        return false;
    }
    asking->list->listed = !listing->refused;
    if (listing->refused) {
        asking->refused = why;
        why = NULL;
        asker->describes = true; /* no list has told it */
        if (asker->catalog != NULL)
            catalog_want_description(asker->catalog);
    } else if (listing->n == 0) {
        log_info("%s: the server has no exports", text);
    }
    free(why);
    return true;
}

/* What could not be found out.  False: there is something. */
static bool
tell_failures(const struct found_list *list, const char *refused)
{
    bool fine = true;

    if (refused != NULL && list->found[0].known) {
        log_warning("%s: the server does not list its exports (%s); this is its "
                    "default one",
                    list->source->text, refused);
        return true;
    }
    if (refused != NULL) {
        log_error("%s: the server does not list its exports (%s); its default one: %s",
                  list->source->text, refused,
                  list->found[0].why != NULL ? list->found[0].why
                                             : "the server does not answer");
        return false;
    }

    for (size_t i = 0; i < list->n; i++) {
        const struct found *found = &list->found[i];
        unsigned columns;
        if (found->known)
            continue;
        char *name = text_show(found->name, false, &columns);
        log_error("%s: export %s: %s", list->source->text, name != NULL ? name : "",
                  found->why != NULL ? found->why : "the server does not answer");
        free(name);
        fine = false;
    }
    return fine;
}

static bool
show(const struct options *options, struct asking *asking, struct asker *asker,
     struct listing *listing)
{
    struct found_list *list = asking->list;

    if (!find_names(asking, asker, listing))
        return false;
    list->found = calloc(listing->n + 1, sizeof list->found[0]);
    if (list->found == NULL) {
        log_error("out of memory");
        return false;
    }
    list->n = listing->n;
    for (size_t i = 0; i < list->n; i++) {
        list->found[i].name = listing->row[i].name;
        list->found[i].description = listing->row[i].description;
        listing->row[i].description = NULL;
    }
    ask_all(asking, asker, options_questions(options));
    if (options->json)
        tool_list_json(stdout, list);
    else if (asking->refused == NULL || list->found[0].known)
        tool_list_table(stdout, list);
    bool fine = fflush(stdout) == 0;
    if (!fine)
        log_error("standard output: %s", strerror(errno));
    return tell_failures(list, asking->refused) && fine;
}

bool
tool_list(const struct options *options, const struct source *source, char **why)
{
    struct found_list list = {.source = source};
    struct asking asking = {.source = source, .list = &list};
    struct asker asker = {.source = source, .limit = &asking.limit};
    struct handshake_wait wait = wait_while(&asking, is_wanted);
    struct listing listing = {0};

    if (!asker_connect(&asker, &wait, why)) {
        if (*why == NULL)
            *why = strdup("out of memory");
        return false;
    }
    bool fine = show(options, &asking, &asker, &listing);
    for (size_t i = 0; i < list.n; i++) {
        free(list.found[i].description);
        free(list.found[i].why);
        listing_clear(&list.found[i].contexts);
    }
    free(list.found);
    free(asking.refused);
    listing_clear(&listing);
    asker_close(&asker);
    return fine;
}
