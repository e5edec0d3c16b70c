/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-query.c - the client's questions about the connection, and its options */

#include "client-core.h"

#include <stdlib.h>
#include <string.h>

static void
print_state(struct client *c)
{
    fprintf(c->out, "state:%s%s%s%s%s%s\n",
            nbd_aio_is_created(c->nbd) ? " created" : "",
            nbd_aio_is_connecting(c->nbd) ? " connecting" : "",
            nbd_aio_is_negotiating(c->nbd) ? " negotiating" : "",
            nbd_aio_is_ready(c->nbd) ? " ready" : "",
            nbd_aio_is_dead(c->nbd) ? " dead" : "",
            nbd_aio_is_closed(c->nbd) ? " closed" : "");
}

static void
print_flags(struct client *c)
{
    static const struct {
        const char *name;
        int (*function)(struct nbd_handle *);
    } flags[] = {
        {"read-only", nbd_is_read_only},
        {"rotational", nbd_is_rotational},
        {"flush", nbd_can_flush},
        {"fua", nbd_can_fua},
        {"trim", nbd_can_trim},
        {"zero", nbd_can_zero},
        {"fast-zero", nbd_can_fast_zero},
        {"df", nbd_can_df},
        {"multi-conn", nbd_can_multi_conn},
        {"cache", nbd_can_cache},
    };
    fprintf(c->out, "flags:");
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        int r = flags[i].function(c->nbd);
        if (r)
            fprintf(c->out, " %s%s", flags[i].name, r < 0 ? "?" : "");
    }
    fprintf(c->out, "\n");
}

static void
print_number(struct client *c, const char *name, int64_t r)
{
    if (r == -1)
        print_error(c, name);
    else
        fprintf(c->out, "%s: %jd\n", name, (intmax_t)r);
}

static void
print_text(struct client *c, const char *name, char *s)
{
    if (!s)
        print_error(c, name);
    else if (strlen(s) > 200)
        fprintf(c->out, "%s: %zu bytes\n", name, strlen(s));
    else
        fprintf(c->out, "%s: %s\n", name, s);
    free(s);
}

static void
print_block_size(struct client *c)
{
    int64_t min = nbd_get_block_size(c->nbd, LIBNBD_SIZE_MINIMUM);
    int64_t preferred = nbd_get_block_size(c->nbd, LIBNBD_SIZE_PREFERRED);
    int64_t max = nbd_get_block_size(c->nbd, LIBNBD_SIZE_MAXIMUM);
    if (min < 0 || preferred < 0 || max < 0)
        print_error(c, "block-size");
    else
        fprintf(c->out, "block-size: %jd %jd %jd\n", (intmax_t)min, (intmax_t)preferred,
                (intmax_t)max);
}

bool
client_query(struct client *c, char *const *words, size_t nr)
{
    const char *name = words[0];
    if (strcmp(name, "state") == 0) {
        print_state(c);
    } else if (strcmp(name, "flags") == 0) {
        print_flags(c);
    } else if (strcmp(name, "block-size") == 0) {
        print_block_size(c);
    } else if (strcmp(name, "size") == 0) {
        print_number(c, name, nbd_get_size(c->nbd));
    } else if (strcmp(name, "in-flight") == 0) {
        print_number(c, name, nbd_aio_in_flight(c->nbd));
    } else if (strcmp(name, "structured") == 0) {
        print_number(c, name, nbd_get_structured_replies_negotiated(c->nbd));
    } else if (strcmp(name, "tls-negotiated") == 0) {
        print_number(c, name, nbd_get_tls_negotiated(c->nbd));
    } else if (strcmp(name, "can-meta") == 0) {
        char *arg = text_arg(c, words, nr, 1);
        print_number(c, name, nbd_can_meta_context(c->nbd, arg));
        free(arg);
    } else if (strcmp(name, "protocol") == 0) {
        const char *s = nbd_get_protocol(c->nbd);
        print_text(c, name, s ? strdup(s) : NULL);
    } else if (strcmp(name, "canonical") == 0) {
        print_text(c, name, nbd_get_canonical_export_name(c->nbd));
    } else if (strcmp(name, "description") == 0) {
        print_text(c, name, nbd_get_export_description(c->nbd));
#ifdef LIBNBD_HAVE_NBD_GET_EXTENDED_HEADERS_NEGOTIATED
    } else if (strcmp(name, "extended") == 0) {
        print_number(c, name, nbd_get_extended_headers_negotiated(c->nbd));
    } else if (strcmp(name, "can-payload") == 0) {
        print_number(c, name, nbd_can_block_status_payload(c->nbd));
#endif
    } else {
        return false;
    }
    return true;
}

/* ---- options ---- */

struct listing {
    struct client *c;
    const char *name;
    unsigned items;
    int completed, error, freed_list, freed_completion;
};

static int
on_export(void *user_data, const char *name, const char *description)
{
    struct listing *l = user_data;
    if (l->items++ < 4)
        fprintf(l->c->out, "%s: export %.60s%s (%.60s)\n", l->name, name,
                strlen(name) > 60 ? "..." : "", description);
    return 0;
}

static int
on_context(void *user_data, const char *name)
{
    struct listing *l = user_data;
    if (l->items++ < 4)
        fprintf(l->c->out, "%s: context %.60s%s\n", l->name, name,
                strlen(name) > 60 ? "..." : "");
    return 0;
}

static int
on_complete(void *user_data, int *error)
{
    struct listing *l = user_data;
    l->completed++;
    l->error = *error;
    return 1;
}

static void
on_free_list(void *user_data)
{
    ((struct listing *)user_data)->freed_list++;
}

static void
on_free_completion(void *user_data)
{
    ((struct listing *)user_data)->freed_completion++;
}

static int
ask_blocking(struct client *c, struct listing *l, char **queries)
{
    nbd_list_callback list = {on_export, l, on_free_list};
    nbd_context_callback context = {on_context, l, on_free_list};
    if (strcmp(l->name, "go") == 0)
        return nbd_opt_go(c->nbd);
    if (strcmp(l->name, "info") == 0)
        return nbd_opt_info(c->nbd);
    if (strcmp(l->name, "abort") == 0)
        return nbd_opt_abort(c->nbd);
    if (strcmp(l->name, "list") == 0)
        return nbd_opt_list(c->nbd, list);
#ifdef LIBNBD_HAVE_NBD_OPT_STARTTLS
    if (strcmp(l->name, "starttls") == 0)
        return nbd_opt_starttls(c->nbd);
    if (strcmp(l->name, "opt-sr") == 0)
        return nbd_opt_structured_reply(c->nbd);
    if (strcmp(l->name, "list-meta") == 0 && queries)
        return nbd_opt_list_meta_context_queries(c->nbd, queries, context);
    if (strcmp(l->name, "set-meta") == 0)
        return queries ? nbd_opt_set_meta_context_queries(c->nbd, queries, context)
                       : nbd_opt_set_meta_context(c->nbd, context);
#endif
    (void)queries;
    if (strcmp(l->name, "list-meta") == 0)
        return nbd_opt_list_meta_context(c->nbd, context);
#ifdef LIBNBD_HAVE_NBD_OPT_EXTENDED_HEADERS
    if (strcmp(l->name, "opt-eh") == 0)
        return nbd_opt_extended_headers(c->nbd);
#endif
    return -2;
}

static int
ask_async(struct client *c, struct listing *l, char **queries)
{
    nbd_list_callback list = {on_export, l, on_free_list};
    nbd_context_callback context = {on_context, l, on_free_list};
    nbd_completion_callback done = {on_complete, l, on_free_completion};
    if (strcmp(l->name, "go") == 0)
        return nbd_aio_opt_go(c->nbd, done);
    if (strcmp(l->name, "info") == 0)
        return nbd_aio_opt_info(c->nbd, done);
    if (strcmp(l->name, "abort") == 0)
        return nbd_aio_opt_abort(c->nbd);
    if (strcmp(l->name, "list") == 0)
        return nbd_aio_opt_list(c->nbd, list, done);
#ifdef LIBNBD_HAVE_NBD_OPT_STARTTLS
    if (strcmp(l->name, "starttls") == 0)
        return nbd_aio_opt_starttls(c->nbd, done);
    if (strcmp(l->name, "opt-sr") == 0)
        return nbd_aio_opt_structured_reply(c->nbd, done);
    if (strcmp(l->name, "list-meta") == 0 && queries)
        return nbd_aio_opt_list_meta_context_queries(c->nbd, queries, context, done);
    if (strcmp(l->name, "set-meta") == 0)
        return queries ? nbd_aio_opt_set_meta_context_queries(c->nbd, queries, context,
                                                              done)
                       : nbd_aio_opt_set_meta_context(c->nbd, context, done);
#endif
    (void)queries;
    if (strcmp(l->name, "list-meta") == 0)
        return nbd_aio_opt_list_meta_context(c->nbd, context, done);
#ifdef LIBNBD_HAVE_NBD_OPT_EXTENDED_HEADERS
    if (strcmp(l->name, "opt-eh") == 0)
        return nbd_aio_opt_extended_headers(c->nbd, done);
#endif
    return -2;
}

/* Waits for the end of the option; what the library has to have called is checked. */
static int
wait_option(struct client *c, struct listing *l, int r)
{
    bool has_list = strcmp(l->name, "list") == 0 || strstr(l->name, "-meta");
    bool abort = strcmp(l->name, "abort") == 0;
    while (r == 0 && (abort ? !nbd_aio_is_closed(c->nbd) && !nbd_aio_is_dead(c->nbd)
                            : nbd_aio_is_connecting(c->nbd)))
        r = step(c);
    if (has_list && l->freed_list != 1)
        fprintf(c->out, "%s: BROKEN list freed %d times\n", l->name, l->freed_list);
    if (abort)
        return r;
    if (l->freed_completion != 1 || l->completed > 1 || (r == 0 && l->completed != 1))
        fprintf(c->out, "%s: BROKEN completion called %d, freed %d times\n", l->name,
                l->completed, l->freed_completion);
    return r;
}

bool
client_option(struct client *c, char *const *words, size_t nr)
{
    struct listing l = {.c = c, .name = words[0]};
    char *texts[9] = {NULL};
    for (size_t i = 1; i < nr && i < 9; i++)
        texts[i - 1] = text_arg(c, words, nr, i);
    char **queries = nr > 1 ? texts : NULL;
    int r = c->async ? ask_async(c, &l, queries) : ask_blocking(c, &l, queries);
    if (c->async && r != -2)
        r = wait_option(c, &l, r);
    if (l.items > 4)
        fprintf(c->out, "%s: %u items\n", l.name, l.items);
    if (r == -1)
        print_error(c, l.name);
    else if (r >= 0 && l.error)
        fprintf(c->out, "%s: error %s nbd_ (callback)\n", l.name, errno_text(l.error));
    else if (r >= 0)
        fprintf(c->out, "%s: ok\n", l.name);
    for (size_t i = 0; i < 8; i++)
        free(texts[i]);
    return r != -2;
}
