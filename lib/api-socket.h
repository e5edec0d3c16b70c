/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-socket.h - the ways to connect; within a public call, in state CREATED
 *
 * All return 0 when the connection is under way (or even made), or -1 with the error
 * set.  They release the lock while they look for a name or start a program. */

#ifndef API_SOCKET_H
#define API_SOCKET_H

#include "api.h"

int api_connect_tcp(struct api_scope *api, const char *hostname, const char *port);
int api_connect_unix(struct api_scope *api, const char *path, size_t len);
int api_connect_vsock(struct api_scope *api, uint32_t cid, uint32_t port);
int api_connect_sockaddr(struct api_scope *api, const struct sockaddr *addr,
                         socklen_t len);
int api_connect_fd(struct api_scope *api, int fd);
/* After a failure: the handle may connect again. */
void api_rewind_tcp(struct nbd_handle *h);
int api_connect_program(struct api_scope *api, char *const *argv, bool activation);

#endif /* API_SOCKET_H */
