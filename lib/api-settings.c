/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-settings.c - what to ask of the server, and how strict to be
 *
 * What concerns TLS and URIs is in api-tls.c.
 */

#include "api.h"

#include <string.h>

#include "base-array.h"

/* While the server may still be asked. */
#define STATE_BEFORE_EXPORT (STATE_CREATED | STATE_NEGOTIATING)

static int
set_bool(struct api_scope *api, unsigned states, bool *slot, bool value)
{
    if (!api_permitted(api, states))
        return -1;
    *slot = value;
    return (int)api_done(api, 0);
}

static int
get_bool(struct api_scope *api, const bool *slot)
{
    return (int)api_done(api, *slot);
}

/* ---- the export's name ---- */

int
nbd_set_export_name(struct nbd_handle *h, const char *export_name)
{
    API_CALL(h);
    struct error e;

    if (!api_permitted(&api, STATE_BEFORE_EXPORT) ||
        !api_given(&api, export_name, "export_name"))
        return -1;
    API_TRACE("export_name=%s", export_name);
    if (strlen(export_name) > LIMIT_NAME)
        return api_fail(&api, ENAMETOOLONG,
                        "export_name: NBD allows no more than %u bytes", LIMIT_NAME);
    if (handle_set_string(&h->export_name, export_name, &e) == -1)
        return api_fail_with(&api, &e);
    h->config.export_name = h->export_name;
    return (int)api_done(&api, 0);
}

char *
nbd_get_export_name(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return NULL;
    return api_copy(&api, h->export_name);
}

/* ---- meta contexts ---- */

int
nbd_add_meta_context(struct nbd_handle *h, const char *name)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_BEFORE_EXPORT) || !api_given(&api, name, "name"))
        return -1;
    API_TRACE("name=%s", name);
    if (strlen(name) > LIMIT_NAME)
        return api_fail(&api, ENAMETOOLONG, "name: NBD allows no more than %u bytes",
                        LIMIT_NAME);
    char *copy = strdup(name);
    if (!copy || array_reserve(&h->contexts, 2) == -1) {
        free(copy);
        return api_fail(&api, ENOMEM, "no memory for a meta context");
    }
    h->contexts.items[h->contexts.len++] = copy;
    h->contexts.items[h->contexts.len] = NULL;
    h->config.contexts = h->contexts.items;
    return (int)api_done(&api, 0);
}

ssize_t
nbd_get_nr_meta_contexts(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    return (ssize_t)api_done(&api, (int64_t)h->contexts.len);
}

char *
nbd_get_meta_context(struct nbd_handle *h, size_t i)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return NULL;
    API_TRACE("i=%zu", i);
    if (i >= h->contexts.len) {
        api_fail(&api, EINVAL, "%zu meta contexts were added, and there is no %zu",
                 h->contexts.len, i);
        return NULL;
    }
    return api_copy(&api, h->contexts.items[i]);
}

int
nbd_clear_meta_contexts(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_BEFORE_EXPORT))
        return -1;
    for (size_t i = 0; i < h->contexts.len; i++)
        free(h->contexts.items[i]);
    h->contexts.len = 0;
    h->contexts.items[0] = NULL;
    return (int)api_done(&api, 0);
}

/* ---- what is requested ---- */

int
nbd_set_request_structured_replies(struct nbd_handle *h, bool request)
{
    API_CALL(h);
    API_TRACE("request=%d", request);
    return set_bool(&api, STATE_CREATED, &h->config.request_structured_replies,
                    request);
}

int
nbd_get_request_structured_replies(struct nbd_handle *h)
{
    API_CALL(h);
    return api_permitted(&api, STATE_ANY)
               ? get_bool(&api, &h->config.request_structured_replies)
               : -1;
}

int
nbd_set_request_extended_headers(struct nbd_handle *h, bool request)
{
    API_CALL(h);
    API_TRACE("request=%d", request);
    return set_bool(&api, STATE_CREATED, &h->config.request_extended_headers, request);
}

int
nbd_get_request_extended_headers(struct nbd_handle *h)
{
    API_CALL(h);
    return api_permitted(&api, STATE_ANY)
               ? get_bool(&api, &h->config.request_extended_headers)
               : -1;
}

int
nbd_set_request_meta_context(struct nbd_handle *h, bool request)
{
    API_CALL(h);
    API_TRACE("request=%d", request);
    return set_bool(&api, STATE_BEFORE_EXPORT, &h->config.request_meta_context,
                    request);
}

int
nbd_get_request_meta_context(struct nbd_handle *h)
{
    API_CALL(h);
    return api_permitted(&api, STATE_ANY)
               ? get_bool(&api, &h->config.request_meta_context)
               : -1;
}

int
nbd_set_request_block_size(struct nbd_handle *h, bool request)
{
    API_CALL(h);
    API_TRACE("request=%d", request);
    return set_bool(&api, STATE_BEFORE_EXPORT, &h->config.request_block_size, request);
}

int
nbd_get_request_block_size(struct nbd_handle *h)
{
    API_CALL(h);
    return api_permitted(&api, STATE_ANY)
               ? get_bool(&api, &h->config.request_block_size)
               : -1;
}

int
nbd_set_full_info(struct nbd_handle *h, bool request)
{
    API_CALL(h);
    API_TRACE("request=%d", request);
    return set_bool(&api, STATE_BEFORE_EXPORT, &h->config.request_full_info, request);
}

int
nbd_get_full_info(struct nbd_handle *h)
{
    API_CALL(h);
    return api_permitted(&api, STATE_ANY) ? get_bool(&api, &h->config.request_full_info)
                                          : -1;
}

int
nbd_set_opt_mode(struct nbd_handle *h, bool enable)
{
    API_CALL(h);
    API_TRACE("enable=%d", enable);
    return set_bool(&api, STATE_CREATED, &h->config.opt_mode, enable);
}

int
nbd_get_opt_mode(struct nbd_handle *h)
{
    API_CALL(h);
    return api_permitted(&api, STATE_ANY) ? get_bool(&api, &h->config.opt_mode) : -1;
}

int
nbd_set_handshake_flags(struct nbd_handle *h, uint32_t flags)
{
    API_CALL(h);

    API_TRACE("flags=0x%" PRIx32, flags);
    if (!api_permitted(&api, STATE_CREATED) ||
        !api_flags_known(&api, flags, LIBNBD_HANDSHAKE_FLAG_MASK, "flags"))
        return -1;
    h->config.handshake_flags = flags;
    return (int)api_done(&api, 0);
}

uint32_t
nbd_get_handshake_flags(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return 0;
    /* Once the server has spoken, what was agreed on. */
    uint32_t flags = proto_protocol(h->proto) ? proto_handshake_flags(h->proto)
                                              : h->config.handshake_flags;
    return (uint32_t)api_done(&api, flags);
}

/* ---- what the library does by itself ---- */

int
nbd_set_strict_mode(struct nbd_handle *h, uint32_t flags)
{
    API_CALL(h);

    API_TRACE("flags=0x%" PRIx32, flags);
    if (!api_permitted(&api, STATE_ANY) ||
        !api_flags_known(&api, flags, LIBNBD_STRICT_MASK, "flags"))
        return -1;
    h->strict = flags;
    return (int)api_done(&api, 0);
}

uint32_t
nbd_get_strict_mode(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return 0;
    return (uint32_t)api_done(&api, h->strict);
}

int
nbd_set_pread_initialize(struct nbd_handle *h, bool request)
{
    API_CALL(h);
    API_TRACE("request=%d", request);
    return set_bool(&api, STATE_ANY, &h->pread_initialize, request);
}

int
nbd_get_pread_initialize(struct nbd_handle *h)
{
    API_CALL(h);
    return api_permitted(&api, STATE_ANY) ? get_bool(&api, &h->pread_initialize) : -1;
}
