/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-tls.c - TLS on top of another stream, by GnuTLS: its settings, life and end
 *
 * See stream-tls.h for how it works.  Knows nothing of NBD.
 */

#include "config.h"

#ifdef HAVE_GNUTLS

#include <arpa/inet.h>
#include <errno.h>
#include <gnutls/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base-cleanup.h"
#include "base-text.h"
#include "stream-tls.h"

#define DEFAULT_PRIORITY "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
/* A server that has no key must not be able to answer with some certificate. */
#define DEFAULT_PSK_PRIORITY DEFAULT_PRIORITY ":-KX-ALL" PSK_KEY_EXCHANGES
#define PSK_KEY_EXCHANGES    ":+ECDHE-PSK:+DHE-PSK:+PSK"

static unsigned
tls_read_wants(struct stream *stream)
{
    unsigned wants = atomic_load(&to_tls(stream)->handshake_wants);

    return wants ? wants : STREAM_READ;
}

static unsigned
tls_write_wants(struct stream *stream)
{
    unsigned wants = atomic_load(&to_tls(stream)->handshake_wants);

    return wants ? wants : STREAM_WRITE;
}

static int
tls_shutdown_write(struct stream *stream, struct error *e)
{
    struct stream_tls *s = to_tls(stream);

    if (s->handshake_done && !s->closing && !atomic_load(&s->failed)) {
        LOCK_SCOPE(&s->session_lock);
        int r = gnutls_bye(s->session, GNUTLS_SHUT_WR);
        if (r < 0)
            return error_set(e, EPROTO, "ending the TLS session: %s",
                             gnutls_strerror(r));
    }
    s->closing = true;
    if (tls_flush(s, e) == -1)
        return -1;
    return stream_shutdown_write(s->lower, e);
}

static int
tls_fd(const struct stream *stream)
{
    return stream_fd(((const struct stream_tls *)stream)->lower);
}

/* All but the stream below. */
static void
free_session(struct stream_tls *s)
{
    if (s->session)
        gnutls_deinit(s->session);
    tls_credentials_clear(&s->credentials);
    pthread_mutex_destroy(&s->session_lock);
    pthread_mutex_destroy(&s->out_lock);
    tls_buffers_clear(s);
    free(s->hostname);
    free(s);
}

static void
tls_free(struct stream *stream)
{
    struct stream_tls *s = to_tls(stream);
    struct error ignored;

    /* A polite end, if that needs no waiting. */
    if (s->handshake_done && !s->closing && !atomic_load(&s->failed) &&
        gnutls_bye(s->session, GNUTLS_SHUT_WR) == 0)
        tls_flush(s, &ignored);
    struct stream *lower = s->lower;
    free_session(s);
    stream_free(lower);
}

static const struct stream_ops tls_ops = {
    .readv = tls_readv,
    .writev = tls_writev,
    .pending = tls_pending,
    .read_wants = tls_read_wants,
    .write_wants = tls_write_wants,
    .shutdown_write = tls_shutdown_write,
    .fd = tls_fd,
    .free = tls_free,
};

static int
set_priority(struct stream_tls *s, const struct stream_tls_settings *settings,
             struct error *e)
{
    const char *priority = settings->priority, *where = NULL;
    int r;

    if (!priority)
        r = gnutls_priority_set_direct(
            s->session, s->is_psk ? DEFAULT_PSK_PRIORITY : DEFAULT_PRIORITY, &where);
    else {
        r = gnutls_priority_set_direct(s->session, priority, &where);
        struct text t = {0};
        text_printf(&t, "%s%s", priority, PSK_KEY_EXCHANGES);
        char *with_psk CLEANUP_FREE = text_steal(&t);
        if (!with_psk)
            return error_set_errno(e, ENOMEM, "TLS priority");
        if (r >= 0 && s->is_psk)
            r = gnutls_priority_set_direct(s->session, with_psk, NULL);
    }
    if (r >= 0)
        return 0;
    return error_set(e, EINVAL, "TLS priority \"%s\": %s, at \"%s\"",
                     priority ? priority : DEFAULT_PRIORITY, gnutls_strerror(r),
                     where ? where : "");
}

/* Tells the server which name we want (not an address: RFC 6066), and ourselves which
 * name and purpose its certificate must have. */
static int
set_verification(struct stream_tls *s, const struct stream_tls_settings *settings,
                 struct error *e)
{
    const char *hostname = settings->hostname;
    struct in6_addr address;
    int r = 0;

    if (hostname && hostname[0] && inet_pton(AF_INET, hostname, &address) != 1 &&
        inet_pton(AF_INET6, hostname, &address) != 1)
        r = gnutls_server_name_set(s->session, GNUTLS_NAME_DNS, hostname,
                                   strlen(hostname));
    if (r < 0)
        return error_set(e, EINVAL, "TLS host name \"%s\": %s", hostname,
                         gnutls_strerror(r));
    if (s->is_psk || !settings->verify_peer)
        return 0;

    /* The purpose too: other clients of the same authority are no servers. */
    unsigned n = 0;
    s->required[n++] = (gnutls_typed_vdata_st){
        .type = GNUTLS_DT_KEY_PURPOSE_OID,
        .data = (unsigned char *)GNUTLS_KP_TLS_WWW_SERVER,
    };
    if (hostname && hostname[0]) {
        s->hostname = strdup(hostname);
        if (!s->hostname)
            return error_set_errno(e, ENOMEM, "TLS session");
        s->required[n++] = (gnutls_typed_vdata_st){
            .type = GNUTLS_DT_DNS_HOSTNAME,
            .data = (unsigned char *)s->hostname,
        };
    }
    gnutls_session_set_verify_cert2(s->session, s->required, n, 0);
    return 0;
}

static int
set_up(struct stream_tls *s, const struct stream_tls_settings *settings,
       struct error *e)
{
    int r =
        gnutls_init(&s->session, GNUTLS_CLIENT | GNUTLS_NONBLOCK | GNUTLS_NO_TICKETS);

    if (r < 0)
        return error_set(e, ENOMEM, "TLS session: %s", gnutls_strerror(r));
    if (tls_buffers_init(s) == -1)
        return error_set_errno(e, errno, "TLS session");
    if (tls_credentials_init(&s->credentials, settings, e) == -1 ||
        set_priority(s, settings, e) == -1 || set_verification(s, settings, e) == -1)
        return -1;
    r = s->is_psk
            ? gnutls_credentials_set(s->session, GNUTLS_CRD_PSK, s->credentials.psk)
            : gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE,
                                     s->credentials.certificates);
    if (r < 0)
        return error_set(e, ENOMEM, "TLS session: %s", gnutls_strerror(r));
    return 0;
}

struct stream *
stream_tls_new(struct stream *lower, const struct stream_tls_settings *settings,
               struct error *e)
{
    struct stream_tls *s = calloc(1, sizeof *s);

    if (!s) {
        error_set_errno(e, ENOMEM, "TLS session");
        return NULL;
    }
    s->stream.ops = &tls_ops;
    s->lower = lower;
    s->is_psk = settings->psk_file != NULL;
    pthread_mutex_init(&s->session_lock, NULL);
    pthread_mutex_init(&s->out_lock, NULL);
    atomic_init(&s->failed, false);
    atomic_init(&s->handshake_wants, STREAM_WRITE);
    if (set_up(s, settings, e) == -1) {
        free_session(s);
        return NULL;
    }
    return &s->stream;
}

bool
stream_tls_supported(void)
{
    return true;
}

#else /* !HAVE_GNUTLS */

#include <errno.h>
#include <stddef.h>

#include "stream.h"

struct stream *
stream_tls_new(struct stream *lower, const struct stream_tls_settings *settings,
               struct error *e)
{
    (void)lower;
    (void)settings;
    error_set(e, ENOTSUP, "built without TLS");
    return NULL;
}

int
stream_tls_handshake(struct stream *s, struct error *e)
{
    (void)s;
    return error_set(e, ENOTSUP, "built without TLS");
}

bool
stream_tls_supported(void)
{
    return false;
}

#endif
