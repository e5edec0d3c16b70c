/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.h - an ordered stream of bytes over a connected, non-blocking socket: plain or
 * TLS
 *
 * One thread may read while another writes.  Nothing here waits: where the socket would
 * block, the result is -1 with error number EAGAIN, and stream_wants says what to poll
 * for.
 */

#ifndef STREAM_H
#define STREAM_H

#include <stdbool.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "base-error.h"

struct stream;

/* What poll must wait for; the values of LIBNBD_AIO_DIRECTION_*. */
#define STREAM_READ  1U
#define STREAM_WRITE 2U

/* How to do TLS; borrowed for the call. */
struct stream_tls_settings {
    const char *certificates; /* directory, or NULL: look in the usual places */
    const char *psk_file;     /* NULL: X.509 */
    const char *username;     /* for PSK; NULL: the login name */
    const char
        *hostname; /* the name that the certificate must have; NULL: not checked */
    const char *priority; /* GnuTLS priority string; NULL: the library's default */
    bool verify_peer;
};

/* Takes the descriptor (connected, non-blocking), which stream_free closes. NULL with
 * errno ENOMEM, and then the descriptor is still the caller's. */
struct stream *stream_socket_new(int fd);

/* A TLS client on top of lower, which it owns from now on.  NULL with e set (a file
 * that cannot be read, a bad priority, ...), and then lower is still the caller's. */
struct stream *stream_tls_new(struct stream *lower,
                              const struct stream_tls_settings *settings,
                              struct error *e);
/* One step of the handshake, verification included: 0 done; -1 with EAGAIN: again when
 * stream_wants is met; -1 with another number: failed. */
int stream_tls_handshake(struct stream *s, struct error *e);
/* Was the library built with TLS? */
bool stream_tls_supported(void);

/* The number of bytes; 0 at the end of the stream (with TLS: an orderly end); -1 with e
 * set.  A short read does not mean that nothing more is there. */
ssize_t stream_readv(struct stream *s, const struct iovec *iov, int n, struct error *e);
/* The number of bytes taken, or -1 with e set.  After EAGAIN the same bytes must be
 * offered again (more may follow them).  Never raises SIGPIPE. */
ssize_t stream_writev(struct stream *s, const struct iovec *iov, int n,
                      struct error *e);
/* Are bytes waiting that poll on the descriptor would not tell of? */
bool stream_pending(struct stream *s);
/* What a read (or a write) that got EAGAIN waits for: STREAM_READ, except where TLS
 * needs it otherwise. */
unsigned stream_read_wants(struct stream *s);
unsigned stream_write_wants(struct stream *s);
/* Says that we write no more: close_notify, then the socket's write side.  0, or -1
 * with e set (EAGAIN: again). */
int stream_shutdown_write(struct stream *s, struct error *e);
int stream_fd(const struct stream *s);
void stream_free(struct stream *s); /* NULL is fine */

#endif /* STREAM_H */
