/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-tls-handshake.c - the TLS handshake, and what is wrong when it fails
 *
 * Nobody else uses the stream meanwhile, so session_lock is held for input and output
 * too.
 */

#include "config.h"

#ifdef HAVE_GNUTLS

#include <errno.h>
#include <gnutls/x509.h>
#include <string.h>

#include "base-cleanup.h"
#include "stream-tls.h"

/* Why the server's certificate is not believed: what matters most, in words of our own,
 * as GnuTLS's depend on the language. */
static void
explain_status(struct stream_tls *s, struct error *e)
{
    unsigned status = gnutls_session_get_verify_cert_status(s->session);
    gnutls_datum_t text = {0};

    if (status & GNUTLS_CERT_SIGNER_NOT_FOUND)
        error_set(e, EACCES,
                  "TLS handshake: the server's certificate is of an authority that is "
                  "not trusted: its issuer is unknown");
    else if (status & GNUTLS_CERT_UNEXPECTED_OWNER)
        error_set(e, EACCES,
                  "TLS handshake: the server's certificate does not have the name "
                  "\"%s\"",
                  s->hostname ? s->hostname : "");
    else if (status & GNUTLS_CERT_EXPIRED)
        error_set(e, EACCES, "TLS handshake: the server's certificate has expired");
    else if (status & GNUTLS_CERT_NOT_ACTIVATED)
        error_set(e, EACCES,
                  "TLS handshake: the server's certificate is not valid yet");
    else if (gnutls_certificate_verification_status_print(status, GNUTLS_CRT_X509,
                                                          &text, 0) < 0)
        error_set(e, EACCES, "TLS handshake: the server's certificate: not verified");
    else {
        /* It ends in ". ". */
        while (text.size > 0 && strchr(". ", text.data[text.size - 1]))
            text.data[--text.size] = '\0';
        error_set(e, EACCES, "TLS handshake: the server's certificate: %s",
                  (const char *)text.data);
    }
    gnutls_free(text.data);
}

static int
handshake_failed(struct stream_tls *s, int code, struct error *e)
{
    struct error ignored;
    int number = EPROTO;

    if (code == GNUTLS_E_CERTIFICATE_VERIFICATION_ERROR) {
        explain_status(s, e);
    } else if (code == GNUTLS_E_FATAL_ALERT_RECEIVED) {
        const char *alert = gnutls_alert_get_name(gnutls_alert_get(s->session));
        error_set(e, number, "TLS handshake: the server refused: %s",
                  alert ? alert : gnutls_strerror(code));
    } else if (code == GNUTLS_E_PREMATURE_TERMINATION || s->in_closed) {
        number = ECONNRESET;
        error_set(e, number, "TLS handshake: the server closed the connection");
    } else {
        error_set(e, number, "TLS handshake: %s", gnutls_strerror(code));
    }
    /* The server is told why, as far as that works. */
    if (code != GNUTLS_E_FATAL_ALERT_RECEIVED &&
        code != GNUTLS_E_PREMATURE_TERMINATION) {
        gnutls_alert_send_appropriate(s->session, code);
        tls_flush(s, &ignored);
    }
    atomic_store(&s->failed, true);
    return -1;
}

/* The session is made; is it what was asked for? */
static int
check_session(struct stream_tls *s, struct error *e)
{
    gnutls_credentials_type_t type = gnutls_auth_get_type(s->session);

    if (type == (s->is_psk ? GNUTLS_CRD_PSK : GNUTLS_CRD_CERTIFICATE))
        return 0;
    atomic_store(&s->failed, true);
    return error_set(e, EACCES,
                     "TLS handshake: the server did not authenticate with %s",
                     s->is_psk ? "the pre-shared key" : "a certificate");
}

/* The handshake waits for what the stream below waits for. */
static int
handshake_io(struct stream_tls *s, unsigned direction, int result, struct error *e)
{
    if (result == 0)
        return 0;
    if (e->number == EAGAIN)
        atomic_store(&s->handshake_wants, direction);
    else
        atomic_store(&s->failed, true);
    return -1;
}

int
stream_tls_handshake(struct stream *stream, struct error *e)
{
    struct stream_tls *s = to_tls(stream);

    while (!s->handshake_done) {
        if (handshake_io(s, STREAM_WRITE, tls_flush(s, e), e) == -1)
            return -1;
        LOCK_SCOPE(&s->session_lock);
        int r = gnutls_handshake(s->session);
        if (r == 0) {
            if (check_session(s, e) == -1)
                return -1;
            s->handshake_done = true;
            break;
        }
        if (r < 0 && gnutls_error_is_fatal(r))
            return handshake_failed(s, r, e);
        /* AGAIN, INTERRUPTED, or a warning; it has taken all that was there unless it
         * stopped for the warning. */
        if (handshake_io(s, STREAM_WRITE, tls_flush(s, e), e) == -1)
            return -1;
        if (s->in_begin == s->in_end && !s->in_closed &&
            handshake_io(s, STREAM_READ, tls_fill(s, e), e) == -1)
            return -1;
    }
    /* Our last message of the handshake. */
    if (handshake_io(s, STREAM_WRITE, tls_flush(s, e), e) == -1)
        return -1;
    atomic_store(&s->handshake_wants, 0);
    return 0;
}

#endif /* HAVE_GNUTLS */
