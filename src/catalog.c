/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* catalog.c - see catalog.h */

#include "catalog.h"

#include <errno.h>
#include <libnbd.h>
#include <stdlib.h>
#include <string.h>

struct catalog {
    struct nbd_handle *h;
    const struct source *source;
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
    catalog->source = source;
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
        nbd_aio_opt_abort(catalog->h); /* sent if it can be; nobody waits for it */
    nbd_close(catalog->h);
    free(catalog);
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
        *why = strdup(nbd_get_error());
        return nbd_aio_is_negotiating(catalog->h) && error > 0 ? error : ENOTCONN;
    }
    if (!handshake_finish(catalog->h, wait, why) || !nbd_aio_is_negotiating(catalog->h))
        return ENOTCONN;
    if (catalog->error != 0)
        *why = strdup(strerror(catalog->error));
    return catalog->error;
}

int
catalog_list(struct catalog *catalog, const struct handshake_wait *wait,
             catalog_found *found, void *user_data, char **why)
{
    nbd_list_callback list = {.callback = on_found, .user_data = catalog};
    nbd_completion_callback completion = {.callback = on_completion,
                                          .user_data = catalog};

    *why = NULL;
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
