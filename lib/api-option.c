/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-option.c - negotiating by hand, after nbd_set_opt_mode */

#include "api.h"

static bool
callback_given(struct api_scope *api, enum proto_option option,
               const struct callbacks *callbacks)
{
    switch (option) {
    case PROTO_OPT_LIST:
        return api_callback_given(api, callbacks->list.callback, "list_callback");
    case PROTO_OPT_LIST_META_CONTEXT:
    case PROTO_OPT_SET_META_CONTEXT:
        return api_callback_given(api, callbacks->context.callback, "context_callback");
    default:
        return true;
    }
}

/* Asks and does not wait: 0, or -1 with the error set. */
static int
ask(struct api_scope *api, enum proto_option option, char *const *queries,
    struct callbacks *callbacks)
{
    struct error e;

    if (!api_permitted(api, STATE_NEGOTIATING) ||
        !callback_given(api, option, callbacks))
        return -1;
    if (option_start(api->h, option, queries, callbacks, NULL, &e) == -1)
        return api_fail_with(api, &e);
    return (int)api_done(api, 0);
}

/* Asks and waits: 0 with the result, which may be the server's refusal, or -1 with the
 * error set. */
static int
ask_and_wait(struct api_scope *api, enum proto_option option, char *const *queries,
             struct callbacks *callbacks, struct option_result *result)
{
    struct error e;

    *result = (struct option_result){.done = false};
    if (!api_permitted(api, STATE_NEGOTIATING) ||
        !callback_given(api, option, callbacks))
        return -1;
    if (option_start(api->h, option, queries, callbacks, result, &e) == -1 ||
        option_wait(api->h, result, &e) == -1)
        return api_fail_with(api, &e);
    return 0;
}

/* For GO and INFO: 0; for the lists: how many names. */
static int
ask_for_all(struct api_scope *api, enum proto_option option, char *const *queries,
            struct callbacks *callbacks)
{
    struct option_result result;

    if (ask_and_wait(api, option, queries, callbacks, &result) == -1)
        return -1;
    if (result.error.number)
        return api_fail_with(api, &result.error);
    return (int)api_done(api, result.count);
}

/* For what the server may refuse without harm: 1 or 0. */
static int
ask_whether(struct api_scope *api, enum proto_option option)
{
    struct callbacks none = {.kind = CALLBACK_NONE};
    struct option_result result;

    if (ask_and_wait(api, option, NULL, &none, &result) == -1)
        return -1;
    return (int)api_done(api, result.error.number == 0);
}

int
nbd_opt_go(struct nbd_handle *h)
{
    API_CALLBACKS(callbacks);
    API_CALL(h);
    API_TRACE("");
    int result = ask_for_all(&api, PROTO_OPT_GO, NULL, &callbacks);

    return result == -1 ? -1 : (int)api_done(&api, 0);
}

int
nbd_aio_opt_go(struct nbd_handle *h, nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    return ask(&api, PROTO_OPT_GO, NULL, &callbacks);
}

int
nbd_opt_info(struct nbd_handle *h)
{
    API_CALLBACKS(callbacks);
    API_CALL(h);
    API_TRACE("");
    int result = ask_for_all(&api, PROTO_OPT_INFO, NULL, &callbacks);

    return result == -1 ? -1 : (int)api_done(&api, 0);
}

int
nbd_aio_opt_info(struct nbd_handle *h, nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    return ask(&api, PROTO_OPT_INFO, NULL, &callbacks);
}

int
nbd_opt_abort(struct nbd_handle *h)
{
    API_CALLBACKS(callbacks);
    API_CALL(h);
    struct error e;

    API_TRACE("");
    if (ask(&api, PROTO_OPT_ABORT, NULL, &callbacks) == -1)
        return -1;
    if (connection_wait_closed(h, &e) == -1)
        return api_fail_with(&api, &e);
    return (int)api_done(&api, 0);
}

int
nbd_aio_opt_abort(struct nbd_handle *h)
{
    API_CALLBACKS(callbacks);
    API_CALL(h);
    API_TRACE("");
    return ask(&api, PROTO_OPT_ABORT, NULL, &callbacks);
}

int
nbd_opt_list(struct nbd_handle *h, nbd_list_callback list_callback)
{
    API_CALLBACKS(callbacks, .list = list_callback);
    API_CALL(h);
    API_TRACE("");
    return ask_for_all(&api, PROTO_OPT_LIST, NULL, &callbacks);
}

int
nbd_aio_opt_list(struct nbd_handle *h, nbd_list_callback list_callback,
                 nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .list = list_callback, .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    return ask(&api, PROTO_OPT_LIST, NULL, &callbacks);
}

/* ---- TLS, replies and headers ---- */

int
nbd_opt_starttls(struct nbd_handle *h)
{
    API_CALL(h);
    API_TRACE("");
    if (!stream_tls_supported())
        return api_fail(&api, ENOTSUP, "the library was built without TLS");
    return ask_whether(&api, PROTO_OPT_STARTTLS);
}

int
nbd_aio_opt_starttls(struct nbd_handle *h, nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    if (!stream_tls_supported())
        return api_fail(&api, ENOTSUP, "the library was built without TLS");
    return ask(&api, PROTO_OPT_STARTTLS, NULL, &callbacks);
}

int
nbd_opt_structured_reply(struct nbd_handle *h)
{
    API_CALL(h);
    API_TRACE("");
    return ask_whether(&api, PROTO_OPT_STRUCTURED_REPLY);
}

int
nbd_aio_opt_structured_reply(struct nbd_handle *h,
                             nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    return ask(&api, PROTO_OPT_STRUCTURED_REPLY, NULL, &callbacks);
}

int
nbd_opt_extended_headers(struct nbd_handle *h)
{
    API_CALL(h);
    API_TRACE("");
    return ask_whether(&api, PROTO_OPT_EXTENDED_HEADERS);
}

int
nbd_aio_opt_extended_headers(struct nbd_handle *h,
                             nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    return ask(&api, PROTO_OPT_EXTENDED_HEADERS, NULL, &callbacks);
}

/* ---- meta contexts ---- */

int
nbd_opt_list_meta_context(struct nbd_handle *h, nbd_context_callback context_callback)
{
    API_CALLBACKS(callbacks, .context = context_callback);
    API_CALL(h);
    API_TRACE("");
    return ask_for_all(&api, PROTO_OPT_LIST_META_CONTEXT, NULL, &callbacks);
}

int
nbd_aio_opt_list_meta_context(struct nbd_handle *h,
                              nbd_context_callback context_callback,
                              nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .context = context_callback,
                  .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    return ask(&api, PROTO_OPT_LIST_META_CONTEXT, NULL, &callbacks);
}

int
nbd_opt_list_meta_context_queries(struct nbd_handle *h, char **queries,
                                  nbd_context_callback context_callback)
{
    API_CALLBACKS(callbacks, .context = context_callback);
    API_CALL(h);
    API_TRACE("");
    if (!api_permitted(&api, STATE_NEGOTIATING) || !api_given(&api, queries, "queries"))
        return -1;
    return ask_for_all(&api, PROTO_OPT_LIST_META_CONTEXT, queries, &callbacks);
}

int
nbd_aio_opt_list_meta_context_queries(struct nbd_handle *h, char **queries,
                                      nbd_context_callback context_callback,
                                      nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .context = context_callback,
                  .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    if (!api_permitted(&api, STATE_NEGOTIATING) || !api_given(&api, queries, "queries"))
        return -1;
    return ask(&api, PROTO_OPT_LIST_META_CONTEXT, queries, &callbacks);
}

int
nbd_opt_set_meta_context(struct nbd_handle *h, nbd_context_callback context_callback)
{
    API_CALLBACKS(callbacks, .context = context_callback);
    API_CALL(h);
    API_TRACE("");
    return ask_for_all(&api, PROTO_OPT_SET_META_CONTEXT, NULL, &callbacks);
}

int
nbd_aio_opt_set_meta_context(struct nbd_handle *h,
                             nbd_context_callback context_callback,
                             nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .context = context_callback,
                  .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    return ask(&api, PROTO_OPT_SET_META_CONTEXT, NULL, &callbacks);
}

int
nbd_opt_set_meta_context_queries(struct nbd_handle *h, char **queries,
                                 nbd_context_callback context_callback)
{
    API_CALLBACKS(callbacks, .context = context_callback);
    API_CALL(h);
    API_TRACE("");
    if (!api_permitted(&api, STATE_NEGOTIATING) || !api_given(&api, queries, "queries"))
        return -1;
    return ask_for_all(&api, PROTO_OPT_SET_META_CONTEXT, queries, &callbacks);
}

int
nbd_aio_opt_set_meta_context_queries(struct nbd_handle *h, char **queries,
                                     nbd_context_callback context_callback,
                                     nbd_completion_callback completion_callback)
{
    API_CALLBACKS(callbacks, .context = context_callback,
                  .completion = completion_callback);
    API_CALL(h);
    API_TRACE("");
    if (!api_permitted(&api, STATE_NEGOTIATING) || !api_given(&api, queries, "queries"))
        return -1;
    return ask(&api, PROTO_OPT_SET_META_CONTEXT, queries, &callbacks);
}
