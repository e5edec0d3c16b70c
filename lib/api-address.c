/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-address.c - where the handle is connected to, and the subprocess it has started
 */

#include "api.h"

#include <ctype.h>
#include <signal.h>
#include <string.h>

#define LIMIT_ACTIVATION_NAME 32U

int
nbd_supports_vsock(struct nbd_handle *h)
{
    (void)h;
#ifdef AF_VSOCK
    return 1;
#else
    return 0;
#endif
}

char *
nbd_get_uri(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY & ~(unsigned)STATE_CREATED))
        return NULL;
    if (!h->address) {
        api_fail(&api, EINVAL, "no URI can say how this handle was connected");
        return NULL;
    }

    bool tls = h->config.tls == LIBNBD_TLS_REQUIRE || proto_tls_negotiated(h->proto);
    struct uri uri = *h->address; /* borrowed, like the rest */
    uri.export_name = h->export_name;
    uri.tls = tls;
    if (tls) {
        uri.username = h->tls_username;
        uri.tls_certificates = h->tls_certificates;
        uri.tls_psk_file = h->tls_psk_file;
        uri.tls_hostname = h->tls_hostname && *h->tls_hostname ? h->tls_hostname : NULL;
        uri.tls_priority = h->tls_priority;
        uri.tls_verify_peer = h->tls_verify_peer ? -1 : 0;
    }
    char *text = uri_format(&uri);
    if (!text)
        api_fail(&api, ENOMEM, "no memory for the URI");
    api_done_text(&api, text);
    return text;
}

int
nbd_kill_subprocess(struct nbd_handle *h, int signum)
{
    API_CALL(h);
    struct error e;

    API_TRACE("signum=%d", signum);
    if (!api_permitted(&api, STATE_ANY))
        return -1;
    if (signum < 0)
        return api_fail(&api, EINVAL, "signum: there is no signal %d", signum);
    if (subprocess_kill(&h->sub, signum ? signum : SIGTERM, &e) == -1)
        return api_fail_with(&api, &e);
    return (int)api_done(&api, 0);
}

int64_t
nbd_get_subprocess_pid(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    if (h->sub.pid <= 0)
        return api_fail(&api, ESRCH, "the handle has no subprocess");
    return api_done(&api, h->sub.pid);
}

int
nbd_set_socket_activation_name(struct nbd_handle *h, const char *socket_name)
{
    API_CALL(h);
    struct error e;

    if (!api_permitted(&api, STATE_CREATED) ||
        !api_given(&api, socket_name, "socket_name"))
        return -1;
    API_TRACE("socket_name=%s", socket_name);
    if (strlen(socket_name) > LIMIT_ACTIVATION_NAME)
        return api_fail(&api, ENAMETOOLONG, "socket_name: no more than %u characters",
                        LIMIT_ACTIVATION_NAME);
    for (const char *c = socket_name; *c; c++)
        if (!isascii(*c) || !isalnum(*c))
            return api_fail(&api, EINVAL, "socket_name: ASCII letters and digits only");
    if (handle_set_string(&h->activation_name, socket_name, &e) == -1)
        return api_fail_with(&api, &e);
    return (int)api_done(&api, 0);
}

char *
nbd_get_socket_activation_name(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return NULL;
    return api_copy(&api, h->activation_name);
}
