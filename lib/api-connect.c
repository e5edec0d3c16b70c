/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-connect.c - connecting: each way twice, starting and waiting
 *
 * Apart from URIs, which are more than an address, the ways are in api-socket.c.
 */

#include "api-socket.h"

#include <string.h>

/* For the functions that wait. */
static int
wait_connected(struct api_scope *api, int begun_well)
{
    struct error e;

    if (begun_well == -1)
        return -1;
    if (connection_wait(api->h, &e) == -1) {
        api_rewind_tcp(api->h);
        return api_fail_with(api, &e);
    }
    return (int)api_done(api, 0);
}

/* ---- URIs ---- */

static int
refuse(struct api_scope *api, const char *what, const char *function)
{
    return api_fail(api, EPERM, "uri: %s is not allowed (%s)", what, function);
}

static int
check_uri_allowed(struct api_scope *api, const struct uri *uri)
{
    static const uint32_t transports[] = {
        [URI_TCP] = LIBNBD_ALLOW_TRANSPORT_TCP,
        [URI_UNIX] = LIBNBD_ALLOW_TRANSPORT_UNIX,
        [URI_VSOCK] = LIBNBD_ALLOW_TRANSPORT_VSOCK,
        [URI_SSH] = LIBNBD_ALLOW_TRANSPORT_SSH,
    };
    const struct nbd_handle *h = api->h;

    if (!(h->uri_allow_transports & transports[uri->transport]))
        return refuse(api, "the transport", "nbd_set_uri_allow_transports");
    if (uri->tls && h->uri_allow_tls == LIBNBD_TLS_DISABLE)
        return refuse(api, "TLS", "nbd_set_uri_allow_tls");
    if (!uri->tls && h->uri_allow_tls == LIBNBD_TLS_REQUIRE)
        return refuse(api, "a connection without TLS", "nbd_set_uri_allow_tls");
    if (uri->tls_psk_file && !h->uri_allow_local_file)
        return refuse(api, "the file in tls-psk-file", "nbd_set_uri_allow_local_file");
    if (uri->tls_certificates && !h->uri_allow_local_file)
        return refuse(api, "the directory in tls-certificates",
                      "nbd_set_uri_allow_local_file");
    if (uri->tls_priority && !h->uri_allow_tls_priority)
        return refuse(api, "tls-priority", "nbd_set_uri_allow_tls_priority");
    if (uri->tls && !stream_tls_supported())
        return api_fail(api, ENOTSUP, "the library was built without TLS");
    return 0;
}

/* A setting, where the URI has it. */
static int
set_given(char **slot, const char *value, struct error *e)
{
    return value ? handle_set_string(slot, value, e) : 0;
}

static int
apply_uri(struct nbd_handle *h, const struct uri *uri, struct error *e)
{
    const char *username = uri->tls_username;

    if (!username && uri->transport != URI_SSH)
        username = uri->username;
    if (handle_set_string(&h->export_name, uri->export_name, e) == -1)
        return -1;
    h->config.export_name = h->export_name;
    if (set_given(&h->tls_username, username, e) == -1 ||
        set_given(&h->tls_certificates, uri->tls_certificates, e) == -1 ||
        set_given(&h->tls_psk_file, uri->tls_psk_file, e) == -1 ||
        set_given(&h->tls_hostname, uri->tls_hostname, e) == -1 ||
        set_given(&h->tls_priority, uri->tls_priority, e) == -1)
        return -1;
    if (uri->tls_verify_peer != -1)
        h->tls_verify_peer = uri->tls_verify_peer;
    if (uri->tls)
        h->config.tls = LIBNBD_TLS_REQUIRE;
    return 0;
}

static int
connect_ssh(struct api_scope *api, const struct uri *uri)
{
    char **argv CLEANUP_FREE_STRINGS = uri_ssh_command(uri);
    struct error e;

    if (!argv)
        return api_fail(api, ENOMEM, "no memory for the ssh command");
    if (handle_set_string(&api->h->hostname, uri->host, &e) == -1)
        return api_fail_with(api, &e);
    return api_connect_program(api, argv, false);
}

static int
connect_uri(struct api_scope *api, const char *text)
{
    struct uri uri CLEANUP(uri_clear) = {.export_name = NULL};
    struct error e;

    if (uri_parse(text, &uri, &e) == -1)
        return api_fail_with(api, &e);
    if (check_uri_allowed(api, &uri) == -1)
        return -1;
    if (strlen(uri.export_name) > LIMIT_NAME)
        return api_fail(api, ENAMETOOLONG,
                        "uri: NBD allows no export name of more than %u bytes",
                        LIMIT_NAME);
    if (apply_uri(api->h, &uri, &e) == -1)
        return api_fail_with(api, &e);
    switch (uri.transport) {
    case URI_TCP:
        return api_connect_tcp(api, uri.host, uri.port);
    case URI_UNIX:
        return api_connect_unix(api, uri.socket, uri.socket_len);
    case URI_VSOCK:
        return api_connect_vsock(api, uri.vsock_cid, uri.vsock_port);
    case URI_SSH:
        return connect_ssh(api, &uri);
    }
    return -1;
}

/* ---- the public functions: each way twice, starting and waiting ---- */

int
nbd_aio_connect(struct nbd_handle *h, const struct sockaddr *addr, socklen_t addrlen)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, addr, "addr"))
        return -1;
    API_TRACE("family=%d", addr->sa_family);
    return api_connect_sockaddr(&api, addr, addrlen);
}

int
nbd_aio_connect_uri(struct nbd_handle *h, const char *uri)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, uri, "uri"))
        return -1;
    API_TRACE("uri=%s", uri);
    return connect_uri(&api, uri);
}

int
nbd_connect_uri(struct nbd_handle *h, const char *uri)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, uri, "uri"))
        return -1;
    API_TRACE("uri=%s", uri);
    return wait_connected(&api, connect_uri(&api, uri));
}

int
nbd_aio_connect_unix(struct nbd_handle *h, const char *unixsocket)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) ||
        !api_given(&api, unixsocket, "unixsocket"))
        return -1;
    API_TRACE("unixsocket=%s", unixsocket);
    return api_connect_unix(&api, unixsocket, strlen(unixsocket));
}

int
nbd_connect_unix(struct nbd_handle *h, const char *unixsocket)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) ||
        !api_given(&api, unixsocket, "unixsocket"))
        return -1;
    API_TRACE("unixsocket=%s", unixsocket);
    return wait_connected(&api, api_connect_unix(&api, unixsocket, strlen(unixsocket)));
}

int
nbd_aio_connect_tcp(struct nbd_handle *h, const char *hostname, const char *port)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, hostname, "hostname") ||
        !api_given(&api, port, "port"))
        return -1;
    API_TRACE("hostname=%s port=%s", hostname, port);
    return api_connect_tcp(&api, hostname, port);
}

int
nbd_connect_tcp(struct nbd_handle *h, const char *hostname, const char *port)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, hostname, "hostname") ||
        !api_given(&api, port, "port"))
        return -1;
    API_TRACE("hostname=%s port=%s", hostname, port);
    return wait_connected(&api, api_connect_tcp(&api, hostname, port));
}

int
nbd_aio_connect_vsock(struct nbd_handle *h, uint32_t cid, uint32_t port)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED))
        return -1;
    API_TRACE("cid=%" PRIu32 " port=%" PRIu32, cid, port);
    return api_connect_vsock(&api, cid, port);
}

int
nbd_connect_vsock(struct nbd_handle *h, uint32_t cid, uint32_t port)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED))
        return -1;
    API_TRACE("cid=%" PRIu32 " port=%" PRIu32, cid, port);
    return wait_connected(&api, api_connect_vsock(&api, cid, port));
}

int
nbd_aio_connect_socket(struct nbd_handle *h, int sock)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED))
        return -1;
    API_TRACE("sock=%d", sock);
    return api_connect_fd(&api, sock);
}

int
nbd_connect_socket(struct nbd_handle *h, int sock)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED))
        return -1;
    API_TRACE("sock=%d", sock);
    return wait_connected(&api, api_connect_fd(&api, sock));
}

int
nbd_aio_connect_command(struct nbd_handle *h, char **argv)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, argv, "argv"))
        return -1;
    API_TRACE("argv[0]=%s", argv[0] ? argv[0] : "NULL");
    return api_connect_program(&api, argv, false);
}

int
nbd_connect_command(struct nbd_handle *h, char **argv)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, argv, "argv"))
        return -1;
    API_TRACE("argv[0]=%s", argv[0] ? argv[0] : "NULL");
    return wait_connected(&api, api_connect_program(&api, argv, false));
}

int
nbd_aio_connect_systemd_socket_activation(struct nbd_handle *h, char **argv)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, argv, "argv"))
        return -1;
    API_TRACE("argv[0]=%s", argv[0] ? argv[0] : "NULL");
    return api_connect_program(&api, argv, true);
}

int
nbd_connect_systemd_socket_activation(struct nbd_handle *h, char **argv)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CREATED) || !api_given(&api, argv, "argv"))
        return -1;
    API_TRACE("argv[0]=%s", argv[0] ? argv[0] : "NULL");
    return wait_connected(&api, api_connect_program(&api, argv, true));
}

/* ---- leaving ---- */

int
nbd_aio_disconnect(struct nbd_handle *h, uint32_t flags)
{
    API_CALL(h);

    API_TRACE("flags=0x%" PRIx32, flags);
    if (!api_permitted(&api, STATE_CONNECTED) ||
        !api_flags_known(&api, flags, 0, "flags"))
        return -1;
    if (proto_phase(h->proto) != PROTO_TRANSMISSION)
        return api_fail(&api, EINVAL, "the handle is disconnecting already");
    connection_disconnect(h, false);
    return (int)api_done(&api, 0);
}

int
nbd_shutdown(struct nbd_handle *h, uint32_t flags)
{
    API_CALL(h);
    struct callbacks none = {.kind = CALLBACK_NONE};
    struct error e;

    API_TRACE("flags=0x%" PRIx32, flags);
    if (!api_permitted(&api, STATE_NEGOTIATING | STATE_CONNECTED) ||
        !api_flags_known(&api, flags, LIBNBD_SHUTDOWN_MASK, "flags"))
        return -1;
    if (run_may_wait(h, &e) == -1)
        return api_fail_with(&api, &e);
    if (handle_state(h) == STATE_NEGOTIATING) {
        if (option_start(h, PROTO_OPT_ABORT, NULL, &none, NULL, &e) == -1)
            return api_fail_with(&api, &e);
    } else if (proto_phase(h->proto) == PROTO_TRANSMISSION) {
        connection_disconnect(h, (flags & LIBNBD_SHUTDOWN_ABANDON_PENDING) != 0);
    }
    if (connection_wait_closed(h, &e) == -1)
        return api_fail_with(&api, &e);
    return (int)api_done(&api, 0);
}
