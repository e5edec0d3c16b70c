/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls-server.c - a TLS server inside a test, and certificates for it and its client */

#include "tls-server.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define DAY (24 * 60 * 60)

static int
check(int r, const char *what)
{
    if (r < 0) {
        printf("Bail out! %s: %s\n", what, gnutls_strerror(r));
        exit(99);
    }
    return r;
}
#define CHECK(call) check((call), #call)

void
file_write(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    if (!f || fputs(text, f) == EOF || fclose(f) == EOF) {
        printf("Bail out! writing %s\n", path);
        exit(99);
    }
}

static void
set_names(gnutls_x509_crt_t crt, const struct certificate_options *options)
{
    unsigned char address[4];

    CHECK(gnutls_x509_crt_set_dn(crt, options->is_ca ? "CN=test CA" : "CN=test", NULL));
    if (options->dns_name)
        CHECK(gnutls_x509_crt_set_subject_alt_name(
            crt, GNUTLS_SAN_DNSNAME, options->dns_name,
            (unsigned)strlen(options->dns_name), GNUTLS_FSAN_APPEND));
    if (options->ip_name && inet_pton(AF_INET, options->ip_name, address) == 1)
        CHECK(gnutls_x509_crt_set_subject_alt_name(crt, GNUTLS_SAN_IPADDRESS, address,
                                                   sizeof address, GNUTLS_FSAN_APPEND));
}

void
certificate_make(struct certificate *c, const struct certificate *issuer,
                 const struct certificate_options *options)
{
    static unsigned char serial = 1;
    time_t now = time(NULL);

    CHECK(gnutls_x509_privkey_init(&c->key));
    CHECK(gnutls_x509_privkey_generate(
        c->key, GNUTLS_PK_ECDSA, GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0));
    CHECK(gnutls_x509_crt_init(&c->crt));
    CHECK(gnutls_x509_crt_set_version(c->crt, 3));
    CHECK(gnutls_x509_crt_set_serial(c->crt, &serial, 1));
    serial++;
    CHECK(gnutls_x509_crt_set_activation_time(c->crt, now - 2 * DAY));
    CHECK(gnutls_x509_crt_set_expiration_time(c->crt,
                                              now + (options->expired ? -DAY : DAY)));
    set_names(c->crt, options);
    CHECK(gnutls_x509_crt_set_basic_constraints(c->crt, options->is_ca, -1));
    CHECK(gnutls_x509_crt_set_key_usage(c->crt, options->is_ca
                                                    ? GNUTLS_KEY_KEY_CERT_SIGN
                                                    : GNUTLS_KEY_DIGITAL_SIGNATURE));
    if (!options->is_ca)
        CHECK(gnutls_x509_crt_set_key_purpose_oid(
            c->crt,
            options->for_clients ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER,
            0));
    CHECK(gnutls_x509_crt_set_key(c->crt, c->key));
    CHECK(gnutls_x509_crt_sign2(c->crt, issuer ? issuer->crt : c->crt,
                                issuer ? issuer->key : c->key, GNUTLS_DIG_SHA256, 0));
}

void
certificate_save(const struct certificate *c, const char *path)
{
    gnutls_datum_t pem;

    CHECK(gnutls_x509_crt_export2(c->crt, GNUTLS_X509_FMT_PEM, &pem));
    file_write(path, (const char *)pem.data);
    gnutls_free(pem.data);
}

void
certificate_save_key(const struct certificate *c, const char *path)
{
    gnutls_datum_t pem;

    CHECK(gnutls_x509_privkey_export2(c->key, GNUTLS_X509_FMT_PEM, &pem));
    file_write(path, (const char *)pem.data);
    gnutls_free(pem.data);
}

void
certificate_clear(struct certificate *c)
{
    gnutls_x509_crt_deinit(c->crt);
    gnutls_x509_privkey_deinit(c->key);
}

static void
set_credentials(struct tls_server *s, const struct tls_server_options *options)
{
    if (!options->certificate) {
        CHECK(gnutls_psk_allocate_server_credentials(&s->psk));
        CHECK(gnutls_psk_set_server_credentials_file(s->psk, options->psk_file));
        CHECK(gnutls_credentials_set(s->session, GNUTLS_CRD_PSK, s->psk));
        return;
    }
    gnutls_x509_crt_t crt = options->certificate->crt;
    CHECK(gnutls_certificate_allocate_credentials(&s->certificates));
    CHECK(gnutls_certificate_set_x509_key(s->certificates, &crt, 1,
                                          options->certificate->key));
    if (options->client_ca) {
        gnutls_x509_crt_t ca = options->client_ca->crt;
        CHECK(gnutls_certificate_set_x509_trust(s->certificates, &ca, 1));
        gnutls_certificate_server_set_request(s->session, GNUTLS_CERT_REQUIRE);
        gnutls_session_set_verify_cert(s->session, NULL, 0);
    }
    CHECK(gnutls_credentials_set(s->session, GNUTLS_CRD_CERTIFICATE, s->certificates));
}

void
tls_server_init(struct tls_server *s, int fd, const struct tls_server_options *options)
{
    const char *priority = options->priority;

    *s = (struct tls_server){.fd = fd};
    if (!priority)
        priority =
            options->certificate ? "NORMAL" : "NORMAL:-KX-ALL:+ECDHE-PSK:+DHE-PSK:+PSK";
    CHECK(gnutls_init(&s->session, GNUTLS_SERVER | GNUTLS_NO_SIGNAL));
    CHECK(gnutls_priority_set_direct(s->session, priority, NULL));
    set_credentials(s, options);
    gnutls_transport_set_int(s->session, fd);
}

void
tls_server_clear(struct tls_server *s)
{
    gnutls_deinit(s->session);
    if (s->certificates)
        gnutls_certificate_free_credentials(s->certificates);
    if (s->psk)
        gnutls_psk_free_server_credentials(s->psk);
    if (s->fd >= 0)
        close(s->fd);
}
