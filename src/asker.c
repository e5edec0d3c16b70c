/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* asker.c - see asker.h */

#include "asker.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

#define TRIES    5 /* to connect again, where it worked before */
#define PAUSE_MS 20

struct question {
    const char *name;
    struct conn_info *info;
    struct listing *listing;
};

typedef int ask_function(struct catalog *catalog, const struct handshake_wait *wait,
                         struct question *question, char **why);

void
asker_close(struct asker *asker)
{
    catalog_close(asker->catalog);
    asker->catalog = NULL;
    asker->asked = 0;
    asker->listed = false;
}

bool
asker_connect(struct asker *asker, const struct handshake_wait *wait, char **why)
{
    *why = NULL;
    /* It may take a server a moment to see that the one before has gone. */
    for (int i = 0; asker->catalog == NULL && i < TRIES; i++) {
        if (i > 0 && (!asker->was_connected || (wait->keep_trying != NULL &&
                                                !wait->keep_trying(wait->user_data))))
            break;
        if (i > 0)
            poll(NULL, 0, PAUSE_MS << i);
        free(*why);
        asker->catalog = catalog_open(asker->source, wait, why);
    }
    if (asker->catalog == NULL)
        return false;
    if (asker->describes)
        catalog_want_description(asker->catalog);
    asker->was_connected = true;
    return true;
}

static int
ask(struct asker *asker, const struct handshake_wait *wait, ask_function *function,
    struct question *question, char **why)
{
    unsigned limit = atomic_load(asker->limit);

    *why = NULL;
    if (limit != 0 && asker->asked >= limit)
        asker_close(asker);
    for (;;) {
        if (!asker_connect(asker, wait, why))
            return ENOTCONN;
        int error = function(asker->catalog, wait, question, why);
        if (error != ENOTCONN) {
            asker->asked++;
            return error;
        }
        unsigned asked = asker->asked;
        asker_close(asker);
        if (asked == 0)
            return ENOTCONN;
        /* It was one too many, or the server was started anew. */
        atomic_store(asker->limit, asked);
        free(*why);
    }
}

static int
ask_list(struct catalog *catalog, const struct handshake_wait *wait,
         struct question *question, char **why)
{
    listing_clear(question->listing);
    return listing_ask(question->listing, catalog, wait, why);
}

int
asker_list(struct asker *asker, const struct handshake_wait *wait,
           struct listing *listing, char **why)
{
    struct question question = {.listing = listing};

    if (asker->listed)
        asker_close(asker);
    int error = ask(asker, wait, ask_list, &question, why);
    asker->listed = asker->catalog != NULL;
    return error;
}

static int
ask_info(struct catalog *catalog, const struct handshake_wait *wait,
         struct question *question, char **why)
{
    return catalog_info(catalog, wait, question->name, question->info, why);
}

int
asker_info(struct asker *asker, const struct handshake_wait *wait, const char *name,
           struct conn_info *info, char **why)
{
    struct question question = {.name = name, .info = info};

    return ask(asker, wait, ask_info, &question, why);
}

static void
on_context(void *user_data, const char *name, const char *description)
{
    listing_add(user_data, name, description);
}

static int
ask_contexts(struct catalog *catalog, const struct handshake_wait *wait,
             struct question *question, char **why)
{
    listing_clear(question->listing);
    return catalog_contexts(catalog, wait, question->name, on_context,
                            question->listing, why);
}

int
asker_contexts(struct asker *asker, const struct handshake_wait *wait, const char *name,
               struct listing *contexts, char **why)
{
    struct question question = {.name = name, .listing = contexts};

    return ask(asker, wait, ask_contexts, &question, why);
}
