/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-list-own.h - what tool-list.c found, for tool-list-print.c; nobody else includes
 * it */

#ifndef NBDMOUNT_TOOL_LIST_OWN_H
#define NBDMOUNT_TOOL_LIST_OWN_H

#include "listing.h"

#include <stdio.h>

struct found {
    const char *name;
    char *description; /* or NULL */
    bool known;        /* info and contexts are; otherwise why says why not */
    struct conn_info info;
    struct listing contexts;
    char *why;
};

struct found_list {
    const struct source *source;
    bool listed; /* the server told these names */
    struct found *found;
    size_t n;
};

void tool_list_table(FILE *out, const struct found_list *list);
void tool_list_json(FILE *out, const struct found_list *list);

#endif
