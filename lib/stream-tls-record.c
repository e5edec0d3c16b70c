/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-tls-record.c - reading from and writing to a TLS session
 *
 * Knows nothing of the socket; the handshake is done.
 */

#include "config.h"

#ifdef HAVE_GNUTLS

#include <errno.h>
#include <string.h>

#include "base-cleanup.h"
#include "stream-tls.h"

static int
would_block(struct error *e)
{
    e->number = EAGAIN;
    e->text[0] = '\0';
    return -1;
}

/* ---- reading ---- */

/* One gnutls_record_recv, with the warnings sorted out: the number of bytes, 0 at the
 * end, -1 where GnuTLS needs more input, -2 with e set. */
static ssize_t
receive_record(struct stream_tls *s, void *buffer, size_t len, struct error *e)
{
    struct error ignored;
    LOCK_SCOPE(&s->session_lock);
    ssize_t n = gnutls_record_recv(s->session, buffer, len);

    if (n >= 0)
        return n;
    switch (n) {
    case GNUTLS_E_AGAIN:
    case GNUTLS_E_INTERRUPTED:
        return -1;
    case GNUTLS_E_PREMATURE_TERMINATION:
        /* Many NBD servers just close the socket.  The protocol above has its own
         * lengths and its own end, so a cut is noticed there. */
        atomic_store(&s->failed, true);
        return 0;
    case GNUTLS_E_REHANDSHAKE:
        /* TLS 1.2 only; to refuse is allowed, and the only sane thing. */
        gnutls_alert_send(s->session, GNUTLS_AL_WARNING, GNUTLS_A_NO_RENEGOTIATION);
        tls_flush(s, &ignored); /* else it goes with the next write */
        return -1;
    default:
        if (!gnutls_error_is_fatal((int)n))
            return -1;
    }
    atomic_store(&s->failed, true);
    if (n == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        const char *alert = gnutls_alert_get_name(gnutls_alert_get(s->session));
        error_set(e, EPROTO, "receiving from the server over TLS: alert: %s",
                  alert ? alert : gnutls_strerror((int)n));
    } else {
        gnutls_alert_send_appropriate(s->session, (int)n);
        tls_flush(s, &ignored);
        error_set(e, n == GNUTLS_E_MEMORY_ERROR ? ENOMEM : EPROTO,
                  "receiving from the server over TLS: %s", gnutls_strerror((int)n));
    }
    return -2;
}

/* Fills one piece of memory as far as it goes without waiting.  *total grows; 0, or -1
 * with e set, or 1 at the end of the stream. */
static int
read_piece(struct stream_tls *s, uint8_t *buffer, size_t len, size_t *total,
           struct error *e)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = receive_record(s, buffer + done, len - done, e);
        if (n == 0)
            return 1;
        if (n > 0) {
            done += (size_t)n;
            *total += (size_t)n;
            continue;
        }
        if (n == -2)
            return -1;
        if (s->in_begin < s->in_end)
            continue; /* a message of its own, like a ticket */
        /* Below was empty at the last look: do not ask again when there is something
         * to hand out. */
        if (*total > 0 && !s->in_full)
            return would_block(e);
        if (tls_fill(s, e) == -1)
            return -1;
    }
    return 0;
}

ssize_t
tls_readv(struct stream *stream, const struct iovec *iov, int n, struct error *e)
{
    struct stream_tls *s = to_tls(stream);
    size_t total = 0;
    int r = 0;

    if (!s->handshake_done)
        return error_set(e, EINVAL, "reading before the TLS handshake is done");
    if (s->read_error.number != 0) {
        *e = s->read_error;
        return -1;
    }
    for (int i = 0; i < n && r == 0 && !s->ended; i++)
        r = read_piece(s, iov[i].iov_base, iov[i].iov_len, &total, e);
    s->ended = s->ended || r == 1;
    /* An error after some bytes is for the next call: nothing below repeats it. */
    if (r == -1 && e->number != EAGAIN)
        s->read_error = *e;
    return r == -1 && total == 0 ? -1 : (ssize_t)total;
}

bool
tls_pending(struct stream *stream)
{
    struct stream_tls *s = to_tls(stream);
    LOCK_SCOPE(&s->session_lock);

    /* Part of a record may be all that is there; the read that finds out takes it. */
    return s->in_begin < s->in_end || gnutls_record_check_pending(s->session) > 0;
}

/* ---- writing ---- */

/* Where in an iovec the writer is. */
struct position {
    const struct iovec *iov;
    int n;
    size_t off; /* in iov[0] */
};

static void
advance(struct position *p, size_t len)
{
    while (p->n > 0 && len >= p->iov[0].iov_len - p->off) {
        len -= p->iov[0].iov_len - p->off;
        p->iov++;
        p->n--;
        p->off = 0;
    }
    p->off += len;
}

/* The next record's bytes: in place where they lie together, else gathered. */
static const uint8_t *
next_record(struct stream_tls *s, const struct position *p, size_t *len)
{
    struct position at = *p;

    advance(&at, 0); /* over empty pieces */
    *len = 0;
    if (at.n > 0 && at.iov[0].iov_len - at.off >= TLS_RECORD_SIZE) {
        *len = TLS_RECORD_SIZE;
        return (const uint8_t *)at.iov[0].iov_base + at.off;
    }
    while (at.n > 0 && *len < TLS_RECORD_SIZE) {
        size_t piece = at.iov[0].iov_len - at.off;
        if (piece > TLS_RECORD_SIZE - *len)
            piece = TLS_RECORD_SIZE - *len;
        memcpy(s->gather + *len, (const uint8_t *)at.iov[0].iov_base + at.off, piece);
        *len += piece;
        advance(&at, piece);
    }
    return s->gather;
}

/* Encrypts up to a batch into out and counts it in s->promised. */
static int
encrypt_batch(struct stream_tls *s, struct position *p, struct error *e)
{
    while (s->promised < TLS_BATCH_SIZE) {
        size_t len;
        const uint8_t *record = next_record(s, p, &len);
        if (len == 0)
            return 0;

        LOCK_SCOPE(&s->session_lock);
        ssize_t n;
        do
            n = gnutls_record_send(s->session, record, len);
        while (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN);
        if (n < 0) {
            atomic_store(&s->failed, true);
            return error_set(e, n == GNUTLS_E_MEMORY_ERROR ? ENOMEM : EPROTO,
                             "sending to the server over TLS: %s",
                             gnutls_strerror((int)n));
        }
        s->promised += (size_t)n;
        advance(p, (size_t)n);
    }
    return 0;
}

static size_t
length_of(const struct iovec *iov, int n)
{
    size_t total = 0;

    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    return total;
}

ssize_t
tls_writev(struct stream *stream, const struct iovec *iov, int n, struct error *e)
{
    struct stream_tls *s = to_tls(stream);
    struct position p = {.iov = iov, .n = n};
    size_t total = 0, offered = length_of(iov, n);

    if (!s->handshake_done || s->closing)
        return error_set(e, s->closing ? EPIPE : EINVAL, "writing %s",
                         s->closing ? "after the end of the TLS session"
                                    : "before the TLS handshake is done");
    if (offered < s->promised)
        return error_set(e, EINVAL, "other bytes than those begun with");
    advance(&p, s->promised);
    do {
        /* Out is not empty here when something was left over: that first. */
        if (s->promised == 0 && encrypt_batch(s, &p, e) == -1)
            return total > 0 ? (ssize_t)total : -1;
        if (tls_flush(s, e) == -1)
            return total > 0 ? (ssize_t)total : -1;
        total += s->promised;
        s->promised = 0;
    } while (total < offered);
    return (ssize_t)total;
}

#endif /* HAVE_GNUTLS */
