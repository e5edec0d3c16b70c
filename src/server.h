/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* server.h - an NBD server run as a subprocess for the life of the mount
 *
 * The library can do this too (nbd_connect_systemd_socket_activation), but ties the
 * server to the life of one connection.  Here it has to outlive any of them, must not
 * get the terminal's ^C before the last flush, and what it prints has to reach the log.
 */

#ifndef NBDMOUNT_SERVER_H
#define NBDMOUNT_SERVER_H

struct server;

/* Runs the command with a listening Unix socket as its descriptor 3 (systemd socket
 * activation).  To be called before there are threads.  NULL: *why, for the caller to
 * free. */
struct server *server_start(char **command, char **why);

/* The path of its socket. */
const char *server_socket(const struct server *server);

/* What it is, for messages. */
const char *server_text(const struct server *server);

/* Prints what the server has said so far: for when it is about to be found dead. */
void server_tell(struct server *server);

/* From now on a thread passes what it prints on to the log. */
int server_watch(struct server *server);

/* Ends it (SIGTERM, after a few seconds SIGKILL) and removes the socket. */
void server_end(struct server *server);

#endif
