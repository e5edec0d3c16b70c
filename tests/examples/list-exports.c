/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* list-exports.c - the exports of a server, with what it says of each
 *
 *     list-exports URI
 *
 * Prints a line for each export: its size in bytes, "ro" or "rw", its name, and its
 * description if it has one, with tabs between them.  Nothing is opened.
 */

#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnbd.h>

struct item {
    char *name, *description;
};

struct list {
    struct item *items;
    size_t nr;
};

static void
check(int64_t r)
{
    if (r == -1)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
}

static char *
copy_of(const char *text)
{
    char *copy = strdup(text);

    if (copy == NULL)
        err(EXIT_FAILURE, "no memory");
    return copy;
}

/* Called for each export.  The strings are gone afterwards, and the handle cannot be
 * asked about the export from here: so take notes. */
static int
on_export(void *user_data, const char *name, const char *description)
{
    struct list *list = user_data;
    struct item *items = reallocarray(list->items, list->nr + 1, sizeof *items);

    if (items == NULL)
        err(EXIT_FAILURE, "no memory");
    list->items = items;
    items[list->nr++] =
        (struct item){.name = copy_of(name), .description = copy_of(description)};
    return 0;
}

static void
print(struct nbd_handle *h, const struct item *item)
{
    check(nbd_set_export_name(h, item->name));
    if (nbd_opt_info(h) == -1)
        printf("?\t?"); /* the server may refuse; the others are still of interest */
    else
        printf("%" PRIi64 "\t%s", nbd_get_size(h),
               nbd_is_read_only(h) == 1 ? "ro" : "rw");
    printf("\t%s%s%s\n", item->name, *item->description != '\0' ? "\t" : "",
           item->description);
}

int
main(int argc, char *argv[])
{
    struct list list = {0};
    struct nbd_handle *h;

    if (argc != 2)
        errx(EXIT_FAILURE, "usage: %s URI", argv[0]);
    h = nbd_create();
    if (h == NULL)
        errx(EXIT_FAILURE, "%s", nbd_get_error());

    check(nbd_set_opt_mode(h, true));
    check(nbd_connect_uri(h, argv[1]));
    if (!nbd_aio_is_negotiating(h))
        errx(EXIT_FAILURE, "the server is too old to have a list");
    check(nbd_opt_list(h,
                       (nbd_list_callback){.callback = on_export, .user_data = &list}));

    for (size_t i = 0; i < list.nr; i++) {
        print(h, &list.items[i]);
        free(list.items[i].name);
        free(list.items[i].description);
    }
    free(list.items);

    check(nbd_opt_abort(h));
    nbd_close(h);
    return EXIT_SUCCESS;
}
