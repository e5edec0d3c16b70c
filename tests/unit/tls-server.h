/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls-server.h - a TLS server inside a test, and certificates for it and its client */

#ifndef TLS_SERVER_H
#define TLS_SERVER_H

#include <gnutls/gnutls.h>
#include <stdbool.h>

/* ---- certificates ---- */

struct certificate_options {
    const char *dns_name, *ip_name; /* NULL: none */
    bool is_ca, expired, for_clients;
};

/* An authority or a leaf with its key. */
struct certificate {
    gnutls_x509_crt_t crt;
    gnutls_x509_privkey_t key;
};

/* issuer NULL: self-signed.  Dies where it fails, like all here. */
void certificate_make(struct certificate *c, const struct certificate *issuer,
                      const struct certificate_options *options);
/* Write PEM files. */
void certificate_save(const struct certificate *c, const char *path);
void certificate_save_key(const struct certificate *c, const char *path);
void certificate_clear(struct certificate *c);

void file_write(const char *path, const char *text);

/* ---- the server ---- */

struct tls_server_options {
    const struct certificate *certificate; /* NULL: PSK */
    const struct certificate *client_ca;   /* demand a certificate of its clients */
    const char *psk_file;
    const char *priority; /* NULL: "NORMAL", with PSK "NORMAL:-KX-ALL:..." */
};

struct tls_server {
    gnutls_session_t session;
    gnutls_certificate_credentials_t certificates;
    gnutls_psk_server_credentials_t psk;
    int fd; /* its own */
};

/* Takes fd. */
void tls_server_init(struct tls_server *s, int fd,
                     const struct tls_server_options *options);
void tls_server_clear(struct tls_server *s);

#endif /* TLS_SERVER_H */
