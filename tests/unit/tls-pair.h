/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls-pair.h - our TLS client and a TLS server, on the two ends of a socket pair */

#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include "stream.h"
#include "tls-server.h"

/* How mean the client's socket is. */
enum transport {
    PLAIN,
    TRICKLE, /* a byte at a time, and EAGAIN every second time */
};

struct tls_pair {
    struct stream *client;
    struct tls_server server;
};

/* -1: the client's settings were refused, with e set. */
int tls_pair_init(struct tls_pair *p, enum transport transport,
                  const struct stream_tls_settings *settings,
                  const struct tls_server_options *options, struct error *e);
/* Drives both until the client is done: what stream_tls_handshake said at last. */
int tls_pair_handshake(struct tls_pair *p, struct error *e);
void tls_pair_clear(struct tls_pair *p);

/* ---- for tests of a connection that stands; these die where they fail ---- */

#define DEADLINE_MS 30000
#define TLS12       "NORMAL:-VERS-ALL:+VERS-TLS1.2"
#define TLS13       "NORMAL:-VERS-ALL:+VERS-TLS1.3"

/* A connection to a server with that certificate. */
void connect_pair(struct tls_pair *p, enum transport transport,
                  const struct certificate *certificate, const char *priority);
/* Waits for what the client's stream needs. */
void wait_for(struct stream *s, unsigned wants);
/* The server takes what is there, up to len bytes. */
size_t server_read(struct tls_pair *p, void *buffer, size_t len);
void server_write(struct tls_pair *p, const void *bytes, size_t len);
/* The client reads; read_wait waits for something. */
ssize_t read_one(struct stream *s, void *buffer, size_t len, struct error *e);
ssize_t read_wait(struct stream *s, void *buffer, size_t len, struct error *e);

#endif /* TLS_PAIR_H */
