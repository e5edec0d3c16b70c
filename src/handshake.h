/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handshake.h - making a connection and asking what the export is like
 *
 * The same for the first connection, for further ones and for reconnects.  Knows no
 * threads: whoever calls it waits.
 */

#ifndef NBDMOUNT_HANDSHAKE_H
#define NBDMOUNT_HANDSHAKE_H

#include "conn.h"

struct nbd_handle;

struct handshake_wait {
    int64_t deadline_ms;                  /* CLOCK_MONOTONIC */
    bool (*keep_trying)(void *user_data); /* asked several times a second, or NULL */
    void *user_data;
};

/* Until when a mount waits for its first connection.  A server that is run by us may
 * need long to begin, and the end of the wait is somebody's signal. */
int64_t handshake_mount_deadline(const struct source *source);

/* A handle that is ready for commands, or NULL and in *why a text for the caller to
 * free (NULL only without memory).  simple: the server is not asked for structured
 * replies, and so cannot be for block status. */
struct nbd_handle *handshake(const struct source *source, bool simple,
                             const struct handshake_wait *wait, struct conn_info *info,
                             char **why);

/* The same up to where options are sent one by one (nbd_set_opt_mode); with a server
 * too old for that, up to where its default export is ready. */
struct nbd_handle *handshake_negotiate(const struct source *source,
                                       const struct handshake_wait *wait, char **why);

/* Goes on until options can be sent again or the handle is ready.  False: *why. */
bool handshake_finish(struct nbd_handle *h, const struct handshake_wait *wait,
                      char **why);

/* What the handle knows of its export.  False: *why. */
bool handshake_ask(struct nbd_handle *h, struct conn_info *info, char **why);

/* Whether a connection made later, or to another server, is to the same export: it may
 * be larger, up to size_most, for one that is read-only the flags for writing do not
 * count, and block status not for simple replies.  If not, *why says what is different.
 */
bool handshake_same(const struct conn_info *first, int64_t size_most,
                    const struct conn_info *now, char **why);

/* After an nbd_aio_disconnect or nbd_aio_opt_abort: lets the server see it, for that
 * long at most, and frees the handle. */
void handshake_close(struct nbd_handle *h, int ms);

/* Whether a connection can be made now, to the same export: makes one and ends it.  If
 * not, *why says why. */
enum handshake_result { HANDSHAKE_SAME, HANDSHAKE_OTHER, HANDSHAKE_FAILED };
enum handshake_result handshake_try(const struct source *source,
                                    const struct handshake_wait *wait,
                                    const struct conn_info *first, int64_t size_most,
                                    char **why);

#endif
