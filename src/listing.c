/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* listing.c - see listing.h */

#include "listing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than any server has, and what is bearable to hold. */
#define MAX_EXPORTS (1 << 20)
#define MAX_BYTES   ((size_t)256 << 20)

static bool
grow(struct listing *listing)
{
    if (listing->n < listing->room)
        return true;
    size_t room = listing->room > 0 ? listing->room * 2 : 64;
    struct listing_row *bigger = realloc(listing->row, room * sizeof *bigger);
    if (bigger == NULL)
        return false;
    listing->row = bigger;
    listing->room = room;
    return true;
}

bool
listing_add(struct listing *listing, const char *name, const char *description)
{
    bool described = description != NULL && *description != '\0';
    size_t bytes = strlen(name) + (described ? strlen(description) : 0);
    struct listing_row row = {0};

    if (listing->error != 0)
        return false;
    if (listing->n == MAX_EXPORTS || bytes > MAX_BYTES - listing->bytes) {
        listing->error = EOVERFLOW;
        return false;
    }
    row.name = strdup(name);
    row.description = described ? strdup(description) : NULL;
    if (row.name == NULL || (described && row.description == NULL) || !grow(listing)) {
        free(row.name);
        free(row.description);
        listing->error = ENOMEM;
        return false;
    }
    listing->bytes += bytes;
    listing->row[listing->n++] = row;
    return true;
}

static void
on_found(void *user_data, const char *name, const char *description)
{
    listing_add(user_data, name, description);
}

static int
compare_rows(const void *a, const void *b)
{
    const struct listing_row *first = a, *second = b;

    return strcmp(first->name, second->name);
}

static void
sort(struct listing *listing)
{
    size_t n = 0;

    if (listing->n > 0)
        qsort(listing->row, listing->n, sizeof listing->row[0], compare_rows);
    for (size_t i = 0; i < listing->n; i++) {
        struct listing_row *row = &listing->row[i];
        if (n > 0 && strcmp(listing->row[n - 1].name, row->name) == 0) {
            free(row->name);
            free(row->description);
        } else {
            listing->row[n++] = *row;
        }
    }
    listing->n = n;
}

int
listing_ask(struct listing *listing, struct catalog *catalog,
            const struct handshake_wait *wait, char **why)
{
    *listing = (struct listing){0};
    int error = catalog_list(catalog, wait, on_found, listing, why);
    if (error == ENOTCONN)
        return error;
    if (error != 0) {
        listing_clear(listing);
        listing->refused = true;
        listing_add(listing, "", NULL);
    }
    if (listing->error != 0) {
        free(*why);
        *why = strdup(listing->error == EOVERFLOW
                          ? "the server lists more exports than are bearable"
                          : strerror(listing->error));
        return listing->error;
    }
    sort(listing);
    return 0;
}

bool
listing_is_default_only(const struct listing *listing)
{
    return listing->n == 0 || (listing->n == 1 && *listing->row[0].name == '\0');
}

void
listing_clear(struct listing *listing)
{
    for (size_t i = 0; i < listing->n; i++) {
        free(listing->row[i].name);
        free(listing->row[i].description);
    }
    free(listing->row);
    *listing = (struct listing){0};
}
