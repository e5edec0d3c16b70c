/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sources.c - see sources.h */

#include "sources.h"
#include "uri.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* *why may be NULL: no memory. */
static bool
refuse(char **why, const char *text)
{
    *why = strdup(text);
    return false;
}

static bool
add(struct sources *sources, const char *text, size_t len, const char *export,
    char **why)
{
    unsigned i = sources->n;

    if (len == 0)
        return refuse(why, "there is an empty URI among those of SOURCE");
    if (i == SERVERS_MAX)
        return refuse(why, "there are more than 16 servers");
    char *uri = strndup(text, len);
    if (uri == NULL)
        return false;
    sources->n++;
    sources->uri[i] = export != NULL ? uri_with_export(uri, export) : strdup(uri);
    sources->text[i] = sources->uri[i] != NULL ? uri_to_show(sources->uri[i]) : NULL;
    free(uri);
    return sources->text[i] != NULL;
}

static bool
join(struct sources *sources)
{
    size_t size = 0;

    for (unsigned i = 0; i < sources->n; i++)
        size += strlen(sources->text[i]) + 1;
    char *to = sources->all = malloc(size);
    if (to == NULL)
        return false;
    for (unsigned i = 0; i < sources->n; i++) {
        to = mempcpy(to, sources->text[i], strlen(sources->text[i]));
        *to++ = i + 1 < sources->n ? '|' : '\0';
    }
    return true;
}

/* mount -a takes for mounted what is there under the name that fstab has. */
static bool
name_mount(struct sources *sources, const struct options *options)
{
    sources->named = options->helper && options->source != NULL
                         ? uri_to_show(options->source)
                         : strdup(sources->all);
    return sources->named != NULL;
}

bool
sources_name(struct sources *sources, const struct options *options, char **why)
{
    const char *text = options->uri;

    *why = NULL;
    if (text == NULL) {
        sources->all = strdup(options->command[0]);
        return sources->all != NULL && name_mount(sources, options);
    }
    for (;;) {
        size_t len = strcspn(text, "|");
        if (!add(sources, text, len, options->export, why))
            return false;
        if (text[len] == '\0')
            break;
        text += len + 1;
    }
    for (unsigned i = 0; i < options->n_also; i++)
        if (!add(sources, options->also[i], strlen(options->also[i]), options->export,
                 why))
            return false;
    return join(sources) && name_mount(sources, options);
}

void
sources_clear(struct sources *sources)
{
    for (unsigned i = 0; i < sources->n; i++) {
        free(sources->uri[i]);
        free(sources->text[i]);
    }
    free(sources->all);
    free(sources->named);
}

void
sources_put(struct sources *sources, struct source *head)
{
    head->text = sources->all;
    head->uri = sources->uri[0];
    if (sources->n == 1)
        return;
    for (unsigned i = 0; i < sources->n; i++) {
        struct source *source = &sources->server[i];
        *source = *head;
        source->uri = sources->uri[i];
        source->text = sources->text[i];
        source->number = i;
        source->next = i + 1 < sources->n ? &sources->server[i + 1] : NULL;
    }
    head->servers = sources->server;
}
