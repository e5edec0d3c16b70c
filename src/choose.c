/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* choose.c - see choose.h */

#include "choose.h"
#include "uri.h"

#include <errno.h>
#include <stdlib.h>

static bool
keep_trying(void *user_data)
{
    const struct source *source = user_data;

    return source->keep_trying == NULL || source->keep_trying();
}

bool
choose_is_open(const char *uri, const char *export, const char *filename)
{
    /* filename is of one file; so who gives it wants that. */
    return export == NULL && filename == NULL &&
           (uri == NULL || !uri_names_export(uri));
}

bool
choose_exports(struct choice *choice, const struct source *source, char **why)
{
    struct handshake_wait wait = {
        .deadline_ms = handshake_mount_deadline(source),
        .keep_trying = keep_trying,
        .user_data = (void *)(uintptr_t)source,
    };

    *choice = (struct choice){.catalog = catalog_open(source, &wait, why)};
    if (choice->catalog == NULL)
        return false;
    int error = listing_ask(&choice->listing, choice->catalog, &wait, why);
    if (error != 0 && error != ENOTCONN) {
        catalog_close(choice->catalog);
        choice->catalog = NULL;
        return false;
    }
    free(*why); /* it does not tell: what the default export is like will be seen */
    *why = NULL;
    if (error == ENOTCONN) { /* a server that cannot stand the question */
        catalog_close(choice->catalog);
        choice->catalog = NULL;
    }
    choice->all = error == 0 && !listing_is_default_only(&choice->listing);
    return true;
}
