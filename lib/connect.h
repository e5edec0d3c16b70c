/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect.h - ways to get a connected socket: addresses, subprocesses, URIs
 *
 * Sockets that are handed out are non-blocking and close-on-exec; TCP ones have
 * TCP_NODELAY and SO_KEEPALIVE.  Errors are in *e with a text that names the address or
 * command.
 */

#ifndef CONNECT_H
#define CONNECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "base-error.h"

/* ---- addresses (connect-address.c) ----
 *
 * A connector tries one address after the other until one answers. */
struct connector;

/* All return NULL with e set.  TCP resolves the name here, and waits for that. */
struct connector *connector_new_sockaddr(const struct sockaddr *addr, socklen_t len,
                                         struct error *e);
/* An abstract socket's name begins with a NUL, so the length comes with it. */
struct connector *connector_new_unix(const char *path, size_t len, struct error *e);
struct connector *connector_new_tcp(const char *host, const char *port,
                                    struct error *e);
struct connector *connector_new_vsock(uint32_t cid, uint32_t port, struct error *e);

/* Makes progress: 0 when connected (connector_take gives the socket), 1 when to be
 * called again once connector_fd is writable, -1 with e set when no address answered.
 */
int connector_step(struct connector *c, struct error *e);
int connector_fd(const struct connector *c); /* -1 where there is none */
int connector_take(struct connector *c);     /* the caller closes it */
void connector_free(struct connector *c);    /* NULL is fine */

/* Makes a descriptor that somebody else connected fit for use here. -1 with e set. */
int connect_adopt(int fd, struct error *e);

/* ---- subprocesses (connect-command.c, connect-activation.c) ---- */

struct subprocess {
    pid_t pid;       /* 0: none */
    char *directory; /* temporary, with the socket "sock" in it; NULL: none */
};

/* Runs argv with one end of a socket pair as its standard input and output.  Returns
 * the other end, or -1 with e set, also where exec fails. */
int connect_command(char *const *argv, struct subprocess *sub, struct error *e);
/* Runs argv with a listening Unix socket passed as systemd does (sd_listen_fds(3)):
 * named name where that is not empty.  Returns a socket connected to it. */
int connect_activation(char *const *argv, const char *name, struct subprocess *sub,
                       struct error *e);
/* Sends a signal; -1 with e set (ESRCH: no subprocess). */
int subprocess_kill(const struct subprocess *sub, int signum, struct error *e);
/* Ends it (SIGTERM), waits for it, removes the directory. */
void subprocess_end(struct subprocess *sub);

/* ---- URIs (connect-uri.c, connect-uri-format.c) ---- */

enum uri_transport {
    URI_TCP,
    URI_UNIX,
    URI_VSOCK,
    URI_SSH,
};

/* A parsed NBD URI (doc/uri.md).  Strings are percent-decoded; NULL: not there. */
struct uri {
    enum uri_transport transport;
    bool tls;          /* a scheme that begins with nbds */
    char *host;        /* TCP, SSH; without brackets */
    char *port;        /* TCP: "10809" where not given; SSH: NULL where not given */
    char *nbd_port;    /* SSH: of the server at the far end; never NULL there */
    bool compress;     /* SSH */
    char *socket;      /* UNIX, and SSH where the far end is one */
    size_t socket_len; /* an abstract socket's name begins with NUL */
    uint32_t vsock_cid, vsock_port;
    char *export_name; /* never NULL */
    char *username;    /* TLS (from userinfo); SSH: the login */
    char *tls_certificates, *tls_psk_file, *tls_username, *tls_hostname;
    char *tls_priority;
    int tls_verify_peer; /* -1: not said, 0, 1 */
};

/* -1 with e set: EINVAL, with what is wrong and where. */
int uri_parse(const char *text, struct uri *uri, struct error *e);
/* The text of it, for the caller to free.  NULL with errno ENOMEM. */
char *uri_format(const struct uri *uri);
void uri_clear(struct uri *uri);
/* SSH: the arguments of the ssh command that connects its standard input and output to
 * the server at the far end (free_strings).  NULL with errno ENOMEM. */
char **uri_ssh_command(const struct uri *uri);
/* Does it look like an NBD URI (one of the schemes and "://")? */
bool uri_is_nbd(const char *text);

#endif /* CONNECT_H */
