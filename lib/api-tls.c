/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-tls.c - settings: TLS, and what URIs may contain */

#include "api.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

static int
set_text(struct api_scope *api, char **slot, const char *value, const char *name)
{
    struct error e;

    if (!api_permitted(api, STATE_CREATED) || !api_given(api, value, name))
        return -1;
    if (handle_set_string(slot, value, &e) == -1)
        return api_fail_with(api, &e);
    return (int)api_done(api, 0);
}

static bool
is_tls_mode(struct api_scope *api, int tls)
{
    if (tls >= LIBNBD_TLS_DISABLE && tls <= LIBNBD_TLS_REQUIRE)
        return true;
    api_fail(api, EINVAL, "tls: there is no mode %d", tls);
    return false;
}

int
nbd_set_tls(struct nbd_handle *h, int tls)
{
    API_CALL(h);

    API_TRACE("tls=%d", tls);
    if (!api_permitted(&api, STATE_CREATED) || !is_tls_mode(&api, tls))
        return -1;
    if (tls != LIBNBD_TLS_DISABLE && !stream_tls_supported())
        return api_fail(&api, ENOTSUP, "the library was built without TLS");
    h->config.tls = tls;
    return (int)api_done(&api, 0);
}

int
nbd_get_tls(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return 0;
    return (int)api_done(&api, h->config.tls);
}

int
nbd_supports_tls(struct nbd_handle *h)
{
    (void)h;
    return stream_tls_supported();
}

int
nbd_set_tls_certificates(struct nbd_handle *h, const char *dir)
{
    API_CALL(h);
    API_TRACE("dir=%s", dir ? dir : "NULL");
    return set_text(&api, &h->tls_certificates, dir, "dir");
}

int
nbd_set_tls_username(struct nbd_handle *h, const char *username)
{
    API_CALL(h);
    API_TRACE("username=%s", username ? username : "NULL");
    return set_text(&api, &h->tls_username, username, "username");
}

char *
nbd_get_tls_username(struct nbd_handle *h)
{
    API_CALL(h);
    struct passwd user, *found = NULL;
    char buffer[4096];

    if (!api_permitted(&api, STATE_ANY))
        return NULL;
    if (h->tls_username)
        return api_copy(&api, h->tls_username);
    int number = getpwuid_r(geteuid(), &user, buffer, sizeof buffer, &found);
    if (!found) {
        api_fail(&api, number ? number : ENOENT, "the user has no login name");
        return NULL;
    }
    return api_copy(&api, user.pw_name);
}

int
nbd_set_tls_psk_file(struct nbd_handle *h, const char *filename)
{
    API_CALL(h);
    API_TRACE("filename=%s", filename ? filename : "NULL");
    return set_text(&api, &h->tls_psk_file, filename, "filename");
}

int
nbd_set_tls_hostname(struct nbd_handle *h, const char *hostname)
{
    API_CALL(h);
    API_TRACE("hostname=%s", hostname ? hostname : "NULL");
    return set_text(&api, &h->tls_hostname, hostname, "hostname");
}

char *
nbd_get_tls_hostname(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return NULL;
    const char *name =
        h->tls_hostname && *h->tls_hostname ? h->tls_hostname : h->hostname;
    return api_copy(&api, name ? name : "");
}

int
nbd_set_tls_priority(struct nbd_handle *h, const char *priority)
{
    API_CALL(h);
    API_TRACE("priority=%s", priority ? priority : "NULL");
    return set_text(&api, &h->tls_priority, priority, "priority");
}

char *
nbd_get_tls_priority(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return NULL;
    return api_copy(&api, h->tls_priority ? h->tls_priority : "NORMAL");
}

int
nbd_set_tls_verify_peer(struct nbd_handle *h, bool verify)
{
    API_CALL(h);

    API_TRACE("verify=%d", verify);
    if (!api_permitted(&api, STATE_CREATED))
        return -1;
    h->tls_verify_peer = verify;
    return (int)api_done(&api, 0);
}

int
nbd_get_tls_verify_peer(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return 0;
    return (int)api_done(&api, h->tls_verify_peer);
}

/* ---- URIs ---- */

int
nbd_supports_uri(struct nbd_handle *h)
{
    (void)h;
    return 1;
}

int
nbd_set_uri_allow_transports(struct nbd_handle *h, uint32_t mask)
{
    API_CALL(h);

    API_TRACE("mask=0x%" PRIx32, mask);
    if (!api_permitted(&api, STATE_CREATED) ||
        !api_flags_known(&api, mask, LIBNBD_ALLOW_TRANSPORT_MASK, "mask"))
        return -1;
    h->uri_allow_transports = mask;
    return (int)api_done(&api, 0);
}

int
nbd_set_uri_allow_tls(struct nbd_handle *h, int tls)
{
    API_CALL(h);

    API_TRACE("tls=%d", tls);
    if (!api_permitted(&api, STATE_CREATED) || !is_tls_mode(&api, tls))
        return -1;
    h->uri_allow_tls = tls;
    return (int)api_done(&api, 0);
}

int
nbd_set_uri_allow_tls_priority(struct nbd_handle *h, bool allow)
{
    API_CALL(h);

    API_TRACE("allow=%d", allow);
    if (!api_permitted(&api, STATE_CREATED))
        return -1;
    h->uri_allow_tls_priority = allow;
    return (int)api_done(&api, 0);
}

int
nbd_set_uri_allow_local_file(struct nbd_handle *h, bool allow)
{
    API_CALL(h);

    API_TRACE("allow=%d", allow);
    if (!api_permitted(&api, STATE_CREATED))
        return -1;
    h->uri_allow_local_file = allow;
    return (int)api_done(&api, 0);
}

int
nbd_is_uri(struct nbd_handle *h, const char *uri)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY) || !api_given(&api, uri, "uri"))
        return -1;
    API_TRACE("uri=%s", uri);
    return (int)api_done(&api, uri_is_nbd(uri));
}
