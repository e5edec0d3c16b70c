/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-options.c - negotiating by hand, and what is known of the export after it */

#include "compat.h"

#define ALLOCATION LIBNBD_CONTEXT_BASE_ALLOCATION

static int nr_calls, nr_frees, seen_error;
static char seen[128];

static int
on_list(void *user, const char *name, const char *description)
{
    (void)user;
    nr_calls++;
    snprintf(seen, sizeof seen, "%s/%s", name, description);
    return 0;
}

static int
on_context(void *user, const char *name)
{
    (void)user;
    nr_calls++;
    snprintf(seen, sizeof seen, "%s", name);
    return 0;
}

static int
on_completion(void *user, int *error)
{
    (void)user;
    seen_error = *error;
    return 0;
}

static void
on_free(void *user)
{
    (void)user;
    nr_frees++;
}

#define LIST       ((nbd_list_callback){on_list, NULL, on_free})
#define CONTEXT    ((nbd_context_callback){on_context, NULL, on_free})
#define COMPLETION ((nbd_completion_callback){on_completion, NULL, on_free})

static void
start(void)
{
    nr_calls = nr_frees = 0;
    seen_error = -1;
    seen[0] = '\0';
}

static void
known_after_info(void)
{
    struct nbd_handle *h = negotiating(MEMORY);

    is_int(nbd_get_size(h), -1,
           "nothing is known of the export before it is asked for");
    is_int(nbd_get_errno(), EINVAL, "and that is EINVAL");
    is_int(nbd_can_meta_context(h, ALLOCATION), 0,
           "no context was asked for: there is none");
    is_str(nbd_get_protocol(h), "newstyle-fixed", "the protocol is known");
    is_int(nbd_get_structured_replies_negotiated(h), 1, "so are structured replies");
    is_int(nbd_get_tls_negotiated(h), 0, "and TLS");
    is_int(nbd_get_handshake_flags(h), 3, "and the handshake flags");

    must(nbd_add_meta_context(h, ALLOCATION), "adding a context");
    is_int(nbd_can_meta_context(h, ALLOCATION), -1,
           "a context was asked for, and not yet answered: that is an error");
    is_int(nbd_opt_info(h), 0, "info");
    is_int(nbd_get_size(h), EXPORT_SIZE, "after info the size is known");
    is_int(nbd_can_meta_context(h, ALLOCATION), 1, "and the context");
    is_int(nbd_can_meta_context(h, "x:y"), 0, "and that another is none");
    is_int(nbd_aio_is_negotiating(h), 1, "the handle is negotiating still");

    must(nbd_set_export_name(h, "other"), "another name");
    is_int(nbd_get_size(h), -1, "another name: the size is not known any more");
    is_int(nbd_can_meta_context(h, ALLOCATION), -1, "nor the context");
    is_int(nbd_opt_go(h), 0, "go");
    is_int(nbd_aio_is_ready(h), 1, "the handle is ready");
    is_int(nbd_get_size(h), EXPORT_SIZE, "the size is known again");
    is_int(nbd_can_meta_context(h, ALLOCATION), 1, "and the context");
    is_int(nbd_opt_go(h), -1, "no more options then");
    nbd_close(h);
}

static void
lists(void)
{
    struct nbd_handle *h =
        negotiating(ARGV("nbdkit", "-s", "--exit-with-parent", "memory", "1M",
                         "--filter=exportname", "exportname=first", "exportname=second",
                         "exportname-list=explicit", "exportdesc=fixed:words"));

    start();
    is_int(nbd_opt_list(h, LIST), 2, "the list has two exports");
    is_int(nr_calls, 2, "and the callback was called for each");
    is_str(seen, "second/words", "with name and description");
    is_int(nr_frees, 1, "and freed");

    start();
    is_int(nbd_opt_list_meta_context(h, CONTEXT), 1, "the server has one context");
    is_str(seen, ALLOCATION, "which is base:allocation");
    is_int(nr_frees, 1, "and the callback is freed");
    start();
    is_int(nbd_opt_list_meta_context_queries(h, ARGV("x:y"), CONTEXT), 0,
           "a query for another finds none");
    start();
    is_int(nbd_opt_set_meta_context_queries(h, ARGV(ALLOCATION), CONTEXT), 1,
           "a context can be set by hand");
    is_int(nbd_can_meta_context(h, ALLOCATION), 1, "and is known");
    must(nbd_set_request_meta_context(h, false), "no contexts by itself");
    is_int(nbd_opt_go(h), 0, "go");
    is_int(nbd_can_meta_context(h, ALLOCATION), 1, "which go does not undo");
    nbd_close(h);
}

static void
asynchronous(void)
{
    struct nbd_handle *h = negotiating(MEMORY);

    start();
    is_int(nbd_aio_opt_list(h, LIST, COMPLETION), 0, "a list is asked for");
    is_int(nbd_aio_is_connecting(h), 1, "the handle is connecting meanwhile");
    POLL_UNTIL(h, !nbd_aio_is_connecting(h));
    is_int(seen_error, 0, "it ends well");
    is_int(nr_frees, 2, "and frees both callbacks");
    is_int(nbd_aio_is_negotiating(h), 1, "the handle is negotiating again");

    start();
    is_int(nbd_aio_opt_starttls(h, COMPLETION), 0, "TLS is asked for");
    POLL_UNTIL(h, !nbd_aio_is_connecting(h));
    ok(seen_error > 0, "this server has none");
    is_int(nbd_aio_is_negotiating(h), 1, "which is no harm");
    is_int(nbd_opt_starttls(h), 0, "the call that waits says 0 then");
    is_int(nbd_opt_structured_reply(h), 1, "structured replies once more: 1");
    is_int(nbd_opt_extended_headers(h), 0, "extended headers: 0, nbdkit has none");

    start();
    is_int(nbd_aio_opt_go(h, COMPLETION), 0, "go");
    POLL_UNTIL(h, !nbd_aio_is_connecting(h));
    is_int(seen_error, 0, "it ends well");
    is_int(nbd_aio_is_ready(h), 1, "and the handle is ready");
    nbd_close(h);
}

static void
refused_go(void)
{
    char **argv =
        ARGV("nbdkit", "-s", "--exit-with-parent", "memory", "1M",
             "--filter=exportname", "exportname=only", "exportname-strict=true");
    struct nbd_handle *h = negotiating(argv);

    must(nbd_set_export_name(h, "none such"), "a name");
    is_int(nbd_opt_go(h), -1, "go to an export that is not there fails");
    is_int(nbd_get_errno(), ENOENT, "with ENOENT");
    ok(is_error_of("nbd_opt_go"), "and names the function");
    is_int(nbd_aio_is_negotiating(h), 1, "and one may try another");
    must(nbd_set_export_name(h, "only"), "the right name");
    is_int(nbd_opt_go(h), 0, "which works");
    nbd_close(h);

    h = new_handle();
    must(nbd_set_export_name(h, "none such"), "a name");
    is_int(nbd_connect_command(h, argv), -1, "without option mode connecting fails");
    ok(strstr(nbd_get_error(), "none such") != NULL, "and names the export: %s",
       nbd_get_error());
    nbd_close(h);
}

static void
leaving(void)
{
    struct nbd_handle *h = negotiating(MEMORY);

    is_int(nbd_opt_abort(h), 0, "abort");
    is_int(nbd_aio_is_closed(h), 1, "closes the connection");
    nbd_close(h);
    h = negotiating(MEMORY);
    is_int(nbd_shutdown(h, 0), 0, "so does shutdown");
    is_int(nbd_aio_is_closed(h), 1, "from negotiating");
    nbd_close(h);
    h = negotiating(MEMORY);
    is_int(nbd_aio_opt_abort(h), 0, "and abort without waiting");
    POLL_UNTIL(h, !nbd_aio_is_connecting(h));
    is_int(nbd_aio_is_closed(h), 1, "once it is not connecting any more");
    nbd_close(h);
}

int
main(void)
{
    known_after_info();
    lists();
    asynchronous();
    refused_go();
    leaving();
    done_testing();
}
