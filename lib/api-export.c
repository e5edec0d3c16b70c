/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-export.c - what the server and its export are; none of it waits */

#include "api.h"

#include <string.h>

#include "wire.h"

/* What the server told of the export whose name is set now; NULL with the error set. */
static const struct proto_export *
known_export(struct api_scope *api)
{
    if (!api_permitted(api, STATE_KNOWN))
        return NULL;
    const struct proto_export *export = proto_export(api->h->proto);
    if (export->known)
        return export;
    api_fail(api, EINVAL,
             "the server has told nothing of the export yet: connect to it, or ask "
             "with nbd_opt_info");
    return NULL;
}

static int
has_flag(struct api_scope *api, uint16_t flag)
{
    const struct proto_export *export = known_export(api);

    return export ? (int)api_done(api, (export->flags & flag) != 0) : -1;
}

int
nbd_is_read_only(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_READ_ONLY);
}

int
nbd_can_flush(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_SEND_FLUSH);
}

int
nbd_can_fua(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_SEND_FUA);
}

int
nbd_is_rotational(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_ROTATIONAL);
}

int
nbd_can_trim(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_SEND_TRIM);
}

int
nbd_can_zero(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_SEND_WRITE_ZEROES);
}

int
nbd_can_fast_zero(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_SEND_FAST_ZERO);
}

int
nbd_can_df(struct nbd_handle *h)
{
    API_CALL(h);
    int result = has_flag(&api, WIRE_FLAG_SEND_DF);

    return result == 1 ? (int)api_done(&api, proto_structured_replies(h->proto))
                       : result;
}

int
nbd_can_multi_conn(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_CAN_MULTI_CONN);
}

int
nbd_can_cache(struct nbd_handle *h)
{
    API_CALL(h);
    return has_flag(&api, WIRE_FLAG_SEND_CACHE);
}

int
nbd_can_block_status_payload(struct nbd_handle *h)
{
    API_CALL(h);
    int result = has_flag(&api, WIRE_FLAG_BLOCK_STATUS_PAYLOAD);

    return result == 1 ? (int)api_done(&api, proto_extended_headers(h->proto)) : result;
}

int
nbd_can_meta_context(struct nbd_handle *h, const char *metacontext)
{
    API_CALL(h);
    uint32_t id;

    if (!api_permitted(&api, STATE_KNOWN) ||
        !api_given(&api, metacontext, "metacontext"))
        return -1;
    API_TRACE("metacontext=%s", metacontext);
    if (proto_contexts_known(h->proto))
        return (int)api_done(&api, handle_find_context(h, metacontext, &id));
    /* Where none could be, none is, and that is no error. */
    if (h->contexts.len == 0 || !proto_structured_replies(h->proto))
        return (int)api_done(&api, 0);
    return api_fail(&api, EINVAL,
                    "the server has not answered a request for meta contexts");
}

int64_t
nbd_get_size(struct nbd_handle *h)
{
    API_CALL(h);
    const struct proto_export *export = known_export(&api);

    if (!export)
        return -1;
    if (export->size > INT64_MAX)
        return api_fail(&api, EOVERFLOW, "the export's size is %" PRIu64, export->size);
    return api_done(&api, (int64_t) export->size);
}

int64_t
nbd_get_block_size(struct nbd_handle *h, int size_type)
{
    API_CALL(h);
    const struct proto_export *export;

    API_TRACE("size_type=%d", size_type);
    if (!api_permitted(&api, STATE_KNOWN))
        return -1;
    if (size_type < LIBNBD_SIZE_MINIMUM || size_type > LIBNBD_SIZE_PAYLOAD)
        return api_fail(&api, EINVAL, "size_type: there is no %d", size_type);
    export = known_export(&api);
    if (!export)
        return -1;
    switch (size_type) {
    case LIBNBD_SIZE_MINIMUM:
        return api_done(&api, export->block_min);
    case LIBNBD_SIZE_PREFERRED:
        return api_done(&api, export->block_preferred);
    case LIBNBD_SIZE_MAXIMUM:
        return api_done(&api, export->block_max);
    default:
        return api_done(&api, command_payload_maximum(h));
    }
}

char *
nbd_get_canonical_export_name(struct nbd_handle *h)
{
    API_CALL(h);
    const struct proto_export *export = known_export(&api);

    if (!export)
        return NULL;
    if (!export->canonical_name) {
        api_fail(&api, ENOTSUP, "the server did not say the export's canonical name");
        return NULL;
    }
    return api_copy(&api, export->canonical_name);
}

char *
nbd_get_export_description(struct nbd_handle *h)
{
    API_CALL(h);
    const struct proto_export *export = known_export(&api);

    if (!export)
        return NULL;
    if (!export->description) {
        api_fail(&api, ENOTSUP, "the server did not describe the export");
        return NULL;
    }
    return api_copy(&api, export->description);
}

const char *
nbd_get_protocol(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_KNOWN))
        return NULL;
    const char *protocol = proto_protocol(h->proto);
    if (!protocol)
        api_fail(&api, EINVAL, "the server has not said which protocol it speaks");
    return api_done_text(&api, protocol);
}

int
nbd_get_tls_negotiated(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_KNOWN))
        return -1;
    return (int)api_done(&api, proto_tls_negotiated(h->proto));
}

int
nbd_get_structured_replies_negotiated(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_KNOWN))
        return -1;
    return (int)api_done(&api, proto_structured_replies(h->proto));
}

int
nbd_get_extended_headers_negotiated(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_KNOWN))
        return -1;
    return (int)api_done(&api, proto_extended_headers(h->proto));
}
