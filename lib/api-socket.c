/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-socket.c - the ways to connect: getting a socket, and starting on it
 *
 * How sockets are made is in connect*.c; what follows once there is one is in the
 * handle.
 */

#include "api-socket.h"

#include <netdb.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#ifdef HAVE_LINUX_VM_SOCKETS_H
#include <linux/vm_sockets.h>
#endif

/* ---- common parts ----
 *
 * Making the socket may take long (a name is resolved, a program started).  Others are
 * not kept waiting for the lock meanwhile, but see that the handle is connecting. */

static void
begin(struct nbd_handle *h)
{
    h->started = true;
    handle_unlock(h);
}

/* Either of the two was made, or e says why not. */
static int
begun(struct api_scope *api, struct connector *connector, int fd, const struct error *e)
{
    struct nbd_handle *h = api->h;

    handle_lock(h);
    if (connector) {
        h->connector = connector;
    } else if (fd != -1) {
        h->stream = stream_socket_new(fd);
        if (!h->stream) {
            h->started = false;
            handle_forget_address(h);
            close_quietly(fd);
            return api_fail(api, ENOMEM, "no memory for a connection");
        }
        h->fd = fd;
    } else {
        h->started = false;
        handle_forget_address(h);
        return api_fail_with(api, e);
    }
    run_connect(h);
    if (handle_state(h) == STATE_DEAD)
        return api_fail_with(api, &h->error);
    return (int)api_done(api, 0);
}

/* What nbd_get_uri says.  Without memory it will say nothing. */
static void
remember_address(struct nbd_handle *h, const struct uri *address)
{
    struct uri copy = {.transport = address->transport,
                       .vsock_cid = address->vsock_cid,
                       .vsock_port = address->vsock_port,
                       .socket_len = address->socket_len,
                       .tls_verify_peer = -1};
    struct uri *kept = malloc(sizeof *kept);
    bool well = kept != NULL;

    if (address->host)
        well = (copy.host = strdup(address->host)) && well;
    if (address->port)
        well = (copy.port = strdup(address->port)) && well;
    if (address->socket) {
        copy.socket = malloc(address->socket_len + 1);
        if (copy.socket) {
            memcpy(copy.socket, address->socket, address->socket_len);
            copy.socket[address->socket_len] = '\0';
        }
        well = copy.socket && well;
    }
    if (h->address)
        uri_clear(h->address);
    free(h->address);
    h->address = NULL;
    if (!well) {
        uri_clear(&copy);
        free(kept);
        return;
    }
    *kept = copy;
    h->address = kept;
}

/* ---- one way each; the lock is held, the state is CREATED ---- */

int
api_connect_tcp(struct api_scope *api, const char *hostname, const char *port)
{
    struct uri address = {
        .transport = URI_TCP, .host = (char *)hostname, .port = (char *)port};
    struct nbd_handle *h = api->h;
    struct error e;

    if (handle_set_string(&h->hostname, hostname, &e) == -1)
        return api_fail_with(api, &e);
    remember_address(h, &address);
    begin(h);
    struct connector *connector = connector_new_tcp(hostname, port, &e);
    int result = begun(api, connector, -1, &e);
    if (result == -1)
        api_rewind_tcp(h);
    return result;
}

/* Programs that wait for a server to come up try it again with the same handle: libnbd
 * bears that with TCP, and only there. */
void
api_rewind_tcp(struct nbd_handle *h)
{
    if (h->address && h->address->transport == URI_TCP && handle_state(h) == STATE_DEAD)
        handle_rewind(h);
}

int
api_connect_unix(struct api_scope *api, const char *path, size_t len)
{
    struct uri address = {
        .transport = URI_UNIX, .socket = (char *)path, .socket_len = len};
    struct nbd_handle *h = api->h;
    struct error e;

    remember_address(h, &address);
    begin(h);
    struct connector *connector = connector_new_unix(path, len, &e);
    return begun(api, connector, -1, &e);
}

int
api_connect_vsock(struct api_scope *api, uint32_t cid, uint32_t port)
{
    struct uri address = {.transport = URI_VSOCK, .vsock_cid = cid, .vsock_port = port};
    struct nbd_handle *h = api->h;
    struct error e;

    remember_address(h, &address);
    begin(h);
    struct connector *connector = connector_new_vsock(cid, port, &e);
    return begun(api, connector, -1, &e);
}

/* What can be said of an address that the caller made. */
static void
remember_sockaddr(struct nbd_handle *h, const struct sockaddr *addr, socklen_t len)
{
    char host[NI_MAXHOST], port[NI_MAXSERV];

    if (addr->sa_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path)) {
        const struct sockaddr_un *un = (const struct sockaddr_un *)addr;
        size_t path_len = len - offsetof(struct sockaddr_un, sun_path);

        if (un->sun_path[0])
            path_len = strnlen(un->sun_path, path_len);
        remember_address(h, &(struct uri){.transport = URI_UNIX,
                                          .socket = (char *)un->sun_path,
                                          .socket_len = path_len});
    } else if ((addr->sa_family == AF_INET || addr->sa_family == AF_INET6) &&
               getnameinfo(addr, len, host, sizeof host, port, sizeof port,
                           NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
        remember_address(
            h, &(struct uri){.transport = URI_TCP, .host = host, .port = port});
    }
#ifdef HAVE_LINUX_VM_SOCKETS_H
    if (addr->sa_family == AF_VSOCK && len >= sizeof(struct sockaddr_vm)) {
        const struct sockaddr_vm *vm = (const struct sockaddr_vm *)addr;

        remember_address(h, &(struct uri){.transport = URI_VSOCK,
                                          .vsock_cid = vm->svm_cid,
                                          .vsock_port = vm->svm_port});
    }
#endif
}

int
api_connect_sockaddr(struct api_scope *api, const struct sockaddr *addr, socklen_t len)
{
    struct nbd_handle *h = api->h;
    struct error e;

    remember_sockaddr(h, addr, len);
    begin(h);
    struct connector *connector = connector_new_sockaddr(addr, len, &e);
    return begun(api, connector, -1, &e);
}

int
api_connect_fd(struct api_scope *api, int fd)
{
    struct error e;

    if (connect_adopt(fd, &e) == -1)
        return api_fail_with(api, &e);
    begin(api->h);
    return begun(api, NULL, fd, &e);
}

int
api_connect_program(struct api_scope *api, char *const *argv, bool activation)
{
    struct nbd_handle *h = api->h;
    struct error e;
    int fd;

    if (!argv[0])
        return api_fail(api, EINVAL, "argv: the name of the program is missing");
    begin(h);
    /* Nobody changes the name while the handle is connecting. */
    if (activation)
        fd = connect_activation(argv, h->activation_name, &h->sub, &e);
    else
        fd = connect_command(argv, &h->sub, &e);
    if (fd != -1 && h->sub.directory) {
        char *path = NULL;
        int len = asprintf(&path, "%s/sock", h->sub.directory);

        if (len != -1)
            remember_address(h, &(struct uri){.transport = URI_UNIX,
                                              .socket = path,
                                              .socket_len = (size_t)len});
        free(path);
    }
    return begun(api, NULL, fd, &e);
}
