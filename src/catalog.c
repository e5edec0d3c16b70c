/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* catalog.c - see catalog.h */

#include "catalog.h"

#include <errno.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>

#define GOODBYE_MS 200 /* nobody may be listening */

struct catalog {
    struct nbd_handle *h;
    catalog_found *found;
    void *user_data;
    int error; /* of the option that was sent last */
};

struct catalog *
catalog_open(const struct source *source, const struct handshake_wait *wait, char **why)
{
    struct catalog *catalog = calloc(1, sizeof *catalog);

    *why = NULL;
    if (catalog == NULL)
        return NULL;
    catalog->h = handshake_negotiate(source, wait, why);
    if (catalog->h == NULL) {
        free(catalog);
        return NULL;
    }
    return catalog;
}

void
catalog_close(struct catalog *catalog)
{
    if (catalog == NULL)
        return;
    if (nbd_aio_is_negotiating(catalog->h))
        nbd_aio_opt_abort(catalog->h);
    else if (nbd_aio_is_ready(catalog->h))
        nbd_aio_disconnect(catalog->h, 0);
    handshake_close(catalog->h, GOODBYE_MS);
    free(catalog);
}

struct nbd_handle *
catalog_take_handle(struct catalog *catalog)
{
    struct nbd_handle *h = catalog->h;

    free(catalog);
    return h;
}

char *
catalog_export_name(struct catalog *catalog)
{
    return nbd_get_export_name(catalog->h);
}

static int
on_completion(void *user_data, int *error)
{
    struct catalog *catalog = user_data;

    catalog->error = *error;
    return 1;
}

static int
on_found(void *user_data, const char *name, const char *description)
{
    struct catalog *catalog = user_data;

    catalog->found(catalog->user_data, name, description);
    return 0;
}

/* After an option was sent: until it is answered. */
static int
finish(struct catalog *catalog, int sent, const struct handshake_wait *wait, char **why)
{
    if (sent == -1) {
        int error = nbd_get_errno();
        const char *said = nbd_get_error(); /* behind the name of its function */
        const char *text = strstr(said, ": ");
        *why = strdup(text != NULL ? text + 2 : said);
        return nbd_aio_is_negotiating(catalog->h) && error > 0 ? error : ENOTCONN;
    }
    if (!handshake_finish(catalog->h, wait, why) || !nbd_aio_is_negotiating(catalog->h))
        return ENOTCONN;
    if (catalog->error != 0)
        *why = strdup(strerror(catalog->error));
    return catalog->error;
}

/* Whether it is a server to which no options can be sent; then *why says so. */
static bool
is_too_old(struct catalog *catalog, char **why)
{
    if (!nbd_aio_is_ready(catalog->h))
        return false;
    *why = strdup("it speaks an older protocol");
    return true;
}

int
catalog_list(struct catalog *catalog, const struct handshake_wait *wait,
             catalog_found *found, void *user_data, char **why)
{
    nbd_list_callback list = {.callback = on_found, .user_data = catalog};
    nbd_completion_callback completion = {.callback = on_completion,
                                          .user_data = catalog};

    *why = NULL;
    if (is_too_old(catalog, why))
        return ENOTSUP;
    catalog->found = found;
    catalog->user_data = user_data;
    catalog->error = 0;
    return finish(catalog, nbd_aio_opt_list(catalog->h, list, completion), wait, why);
}

int
catalog_info(struct catalog *catalog, const struct handshake_wait *wait,
             const char *name, struct conn_info *info, char **why)
{
    nbd_completion_callback completion = {.callback = on_completion,
                                          .user_data = catalog};

    *why = NULL;
    catalog->error = 0;
    if (nbd_aio_is_ready(catalog->h) && *name == '\0')
        return handshake_ask(catalog->h, info, why) ? 0 : EINVAL;
    if (is_too_old(catalog, why))
        return ENOTSUP;
    /* Half the messages; whether it tells where holes are is seen when it is opened. */
    if (nbd_set_request_meta_context(catalog->h, false) == -1)
        return finish(catalog, -1, wait, why);
    if (nbd_set_export_name(catalog->h, name) == -1)
        return finish(catalog, -1, wait, why);
    int error = finish(catalog, nbd_aio_opt_info(catalog->h, completion), wait, why);
    if (error != 0)
        return error;
    return handshake_ask(catalog->h, info, why) ? 0 : EINVAL;
}

void
catalog_want_description(struct catalog *catalog)
{
    nbd_set_full_info(catalog->h, true);
}

char *
catalog_description(struct catalog *catalog)
{
    char *text = nbd_get_export_description(catalog->h);

    if (text != NULL && *text != '\0')
        return text;
    free(text);
    return NULL;
}

static int
on_context(void *user_data, const char *name)
{
    return on_found(user_data, name, "");
}

int
catalog_contexts(struct catalog *catalog, const struct handshake_wait *wait,
                 const char *name, catalog_found *found, void *user_data, char **why)
{
    nbd_context_callback context = {.callback = on_context, .user_data = catalog};
    nbd_completion_callback completion = {.callback = on_completion,
                                          .user_data = catalog};

    *why = NULL;
    if (is_too_old(catalog, why))
        return ENOTSUP;
    catalog->found = found;
    catalog->user_data = user_data;
    catalog->error = 0;
    /* None asked for means all that there are. */
    if (nbd_clear_meta_contexts(catalog->h) == -1 ||
        nbd_set_export_name(catalog->h, name) == -1)
        return finish(catalog, -1, wait, why);
    return finish(catalog,
                  nbd_aio_opt_list_meta_context(catalog->h, context, completion), wait,
                  why);
}
