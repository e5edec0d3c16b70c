/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-tls-end.c - what happens to a TLS session: new keys, its end, and damage */

#include "config.h"

#include "tap.h"

#ifdef HAVE_GNUTLS

#include <errno.h>
#include <sys/socket.h>

#include "tls-pair.h"

static struct certificate certificate;

static void
test_new_keys(void)
{
    struct tls_pair p;
    struct error e;
    char buffer[20];
    struct iovec iov = {"to server", 9};

    connect_pair(&p, PLAIN, &certificate, TLS13);
    for (int i = 0; i < 3; i++) {
        if (gnutls_session_key_update(p.server.session, GNUTLS_KU_PEER) < 0)
            bail_out("key update");
        server_write(&p, "to client", 9);
        ok(read_wait(p.client, buffer, sizeof buffer, &e) == 9 &&
               memcmp(buffer, "to client", 9) == 0,
           "reading goes on after new keys");
        is_int(stream_writev(p.client, &iov, 1, &e), 9,
               "writing goes on with new keys");
        /* The answer with new keys comes first; it is EAGAIN to the server. */
        size_t n = server_read(&p, buffer, 9);
        n = n > 0 ? n : server_read(&p, buffer, 9);
        is_int(n, 9, "the server understands it");
    }
    tls_pair_clear(&p);

    /* A server that wants another handshake gets none, and the session stands. */
    connect_pair(&p, PLAIN, &certificate, TLS12);
    if (gnutls_rehandshake(p.server.session) < 0)
        bail_out("rehandshake");
    ok(read_one(p.client, buffer, 1, &e) == -1 && e.number == EAGAIN,
       "a request to negotiate again is no data");
    int r = gnutls_handshake(p.server.session);
    ok(r == GNUTLS_E_WARNING_ALERT_RECEIVED &&
           gnutls_alert_get(p.server.session) == GNUTLS_A_NO_RENEGOTIATION,
       "it is declined");
    server_write(&p, "x", 1);
    is_int(read_wait(p.client, buffer, 1, &e), 1, "and the session goes on");
    tls_pair_clear(&p);
}

static void
test_end(void)
{
    struct tls_pair p;
    struct error e;
    char buffer[20];
    struct iovec iov = {"x", 1};

    connect_pair(&p, PLAIN, &certificate, TLS13);
    is_int(stream_shutdown_write(p.client, &e), 0,
           "the client can say that it is done");
    is_int(stream_shutdown_write(p.client, &e), 0, "and again");
    is_int(gnutls_record_recv(p.server.session, buffer, 1), 0,
           "the server sees an orderly end");
    ok(stream_writev(p.client, &iov, 1, &e) == -1 && e.number == EPIPE,
       "nothing is written after that");
    server_write(&p, "last words", 10);
    is_int(read_wait(p.client, buffer, sizeof buffer, &e), 10,
           "the server can still be read");
    gnutls_bye(p.server.session, GNUTLS_SHUT_WR);
    is_int(read_wait(p.client, buffer, 1, &e), 0, "its goodbye is the end");
    is_int(read_one(p.client, buffer, 1, &e), 0, "and stays the end");
    tls_pair_clear(&p);

    connect_pair(&p, PLAIN, &certificate, TLS13);
    server_write(&p, "bytes", 5);
    shutdown(p.server.fd, SHUT_WR);
    is_int(read_wait(p.client, buffer, sizeof buffer, &e), 5,
           "what came before the end is read");
    is_int(read_wait(p.client, buffer, 1, &e), 0, "a close without goodbye is an end");
    is_int(read_one(p.client, buffer, 1, &e), 0, "and stays one");
    tls_pair_clear(&p);

    connect_pair(&p, PLAIN, &certificate, TLS13);
    stream_free(p.client);
    p.client = NULL;
    is_int(gnutls_record_recv(p.server.session, buffer, 1), 0,
           "freeing the stream says goodbye");
    tls_pair_clear(&p);
}

static void
test_damage(void)
{
    static const char alert[] = "\x15\x03\x03\x00\x02\x02\x28";
    static const char garbage[] = "this is no TLS record";
    struct tls_pair p;
    struct error e;
    char buffer[20];

    connect_pair(&p, PLAIN, &certificate, TLS13);
    server_write(&p, "good", 4);
    if (send(p.server.fd, garbage, sizeof garbage, 0) < 0)
        bail_out("send");
    is_int(read_wait(p.client, buffer, sizeof buffer, &e), 4,
           "what came before the garbage is read");
    for (int i = 0; i < 2; i++) {
        ok(read_wait(p.client, buffer, 1, &e) == -1 && e.number == EPROTO &&
               strstr(e.text, "receiving from the server over TLS: "),
           "garbage is an error %s", i ? "again" : "then");
        diag("%s", e.text);
    }
    tls_pair_clear(&p);

    /* A record that the attacker has made himself is not encrypted. */
    connect_pair(&p, PLAIN, &certificate, TLS13);
    if (send(p.server.fd, alert, sizeof alert - 1, 0) < 0)
        bail_out("send");
    ok(read_wait(p.client, buffer, 1, &e) == -1 && e.number == EPROTO,
       "a forged alert is an error");
    tls_pair_clear(&p);

    connect_pair(&p, PLAIN, &certificate, TLS13);
    gnutls_alert_send(p.server.session, GNUTLS_AL_FATAL, GNUTLS_A_INTERNAL_ERROR);
    ok(read_wait(p.client, buffer, 1, &e) == -1 && e.number == EPROTO &&
           strstr(e.text, "Internal error"),
       "an alert of the server's is named");
    tls_pair_clear(&p);
}

int
main(void)
{
    certificate_make(&certificate, NULL, &(struct certificate_options){.is_ca = false});
    test_new_keys();
    test_end();
    test_damage();
    certificate_clear(&certificate);
    done_testing();
}

#else

int
main(void)
{
    skip_all("built without TLS");
}

#endif
