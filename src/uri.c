/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uri.c - see uri.h */

#include "uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the authority begins, or the text if it is no URI. */
static const char *
authority_of(const char *uri)
{
    const char *mark = strstr(uri, "://");

    return mark != NULL ? mark + 3 : uri;
}

char *
uri_with_export(const char *uri, const char *export)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                "0123456789-._~/";
    const char *authority = authority_of(uri);
    size_t before = (size_t)(authority - uri) + strcspn(authority, "/?#");
    const char *after = uri + before + strcspn(uri + before, "?#");
    char *all = malloc(before + 1 + 3 * strlen(export) + strlen(after) + 1);

    if (all == NULL)
        return NULL;
    memcpy(all, uri, before);
    char *p = all + before;
    *p++ = '/';
    for (; *export != '\0'; export ++) {
        if (strchr(plain, *export) != NULL)
            *p++ = *export;
        else
            p += snprintf(p, 4, "%%%02X", (unsigned char)*export);
    }
    memcpy(p, after, strlen(after) + 1);
    return all;
}

char *
uri_to_show(const char *uri)
{
    char *shown = strdup(uri);

    if (shown == NULL)
        return NULL;
    char *user = shown + (authority_of(uri) - uri);
    char *at = memchr(user, '@', strcspn(user, "/?#"));
    char *colon = at != NULL ? memchr(user, ':', (size_t)(at - user)) : NULL;
    if (colon != NULL)
        memmove(colon, at, strlen(at) + 1);
    return shown;
}

bool
uri_names_export(const char *uri)
{
    const char *path = authority_of(uri);

    path += strcspn(path, "/?#");
    path += *path == '/';
    return *path != '\0' && *path != '?' && *path != '#';
}
