/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-tls.h - a TLS client's state; for stream-tls*.c only
 *
 * GnuTLS never touches the socket.  It takes encrypted bytes from the "in" buffer and
 * leaves them in the "out" buffer; stream-tls-buffer.c moves the buffers from and to
 * the stream below, so that one system call carries many records, and so that a write
 * inside GnuTLS cannot block half-way.
 *
 * Threads: a session of GnuTLS is not safe against a reader that gets a KeyUpdate or
 * has to send an alert while another thread writes, so session_lock is held around
 * every call of GnuTLS.  After the handshake it is held for encrypting or decrypting
 * one record, never for input and output: a reader and a writer hinder each other only
 * while a record is worked on.
 */

#ifndef STREAM_TLS_H
#define STREAM_TLS_H

#include <gnutls/gnutls.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "stream-ops.h"

/* The most encrypted bytes that one read takes from below. */
#define TLS_IN_SIZE (64U << 10)
/* The largest plain text of a record. */
#define TLS_RECORD_SIZE 16384U
/* So much plain text is encrypted before it is sent. */
#define TLS_BATCH_SIZE (4 * TLS_RECORD_SIZE)

struct tls_credentials {
    gnutls_certificate_credentials_t certificates; /* one of the two, or neither */
    gnutls_psk_client_credentials_t psk;
};

struct stream_tls {
    struct stream stream;
    struct stream *lower;

    /* Order of locks: session_lock, out_lock. */
    pthread_mutex_t session_lock;
    gnutls_session_t session; /* session_lock */
    struct tls_credentials credentials;
    bool is_psk;
    /* What GnuTLS verifies while the handshake runs: it keeps the pointers. */
    char *hostname;
    gnutls_typed_vdata_st required[2];

    /* Encrypted bytes from below that GnuTLS has not seen.  Filled by the reader;
     * emptied by GnuTLS, that is under session_lock, and only while reading. */
    uint8_t *in;
    size_t in_begin, in_end;
    bool in_full;   /* the last read from below filled its buffer: more may be there */
    bool in_closed; /* the stream below has ended */
    bool ended;     /* the reader was told of the end */
    /* What went wrong below after some bytes of the same call; number 0: nothing. */
    struct error read_error;

    /* Encrypted bytes for below (out_lock). */
    pthread_mutex_t out_lock;
    uint8_t *out;
    size_t out_begin, out_end, out_capacity;

    /* The writer's: plain bytes at the front of what it is offered that are in out
     * already, but that it was not told of because they are not all sent. */
    size_t promised;
    uint8_t *gather; /* RECORD_SIZE bytes, for small pieces */

    bool handshake_done, closing; /* set by whoever does it; see stream.h */
    atomic_bool failed;           /* no goodbye: GnuTLS or the peer gave up */
    atomic_uint handshake_wants;  /* STREAM_READ or _WRITE; 0 when it is done */
};

static inline struct stream_tls *
to_tls(struct stream *s)
{
    return (struct stream_tls *)s;
}

/* ---- stream-tls-buffer.c ---- */

/* Makes the session work on the buffers.  -1 with errno ENOMEM. */
int tls_buffers_init(struct stream_tls *s);
void tls_buffers_clear(struct stream_tls *s);
/* Sends what is in out: 0 when all is, -1 with e set otherwise. */
int tls_flush(struct stream_tls *s, struct error *e);
/* Gets more into the empty in buffer: 0 (perhaps the end, which is in in_closed), or -1
 * with e set. */
int tls_fill(struct stream_tls *s, struct error *e);

/* ---- stream-tls-record.c: members of struct stream_ops ---- */

ssize_t tls_readv(struct stream *stream, const struct iovec *iov, int n,
                  struct error *e);
ssize_t tls_writev(struct stream *stream, const struct iovec *iov, int n,
                   struct error *e);
bool tls_pending(struct stream *stream);

/* ---- stream-tls-credentials.c ---- */

/* Reads the files.  0, or -1 with e set, which names the file. */
int tls_credentials_init(struct tls_credentials *credentials,
                         const struct stream_tls_settings *settings, struct error *e);
void tls_credentials_clear(struct tls_credentials *credentials);

#endif /* STREAM_TLS_H */
