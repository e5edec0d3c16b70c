/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-uri.h - what the parts of the URI parser share; for connect-uri*.c only */

#ifndef CONNECT_URI_H
#define CONNECT_URI_H

#include "connect.h"

/* Where no port is given. */
#define URI_NBD_PORT     "10809"
#define URI_NBD_PORT_NUM 10809

/* A part of the URI's text. */
struct uri_slice {
    const char *start;
    size_t len;
};

struct uri_parser {
    const char *text; /* the URI */
    struct uri *uri;
    struct error *e;
    unsigned seen; /* one bit for each parameter */
};

/* ---- connect-uri-decode.c: all return 0, or -1 with p->e set ---- */

/* Reports what is wrong with the URI, and at which character (the first is 1). */
int uri_wrong(const struct uri_parser *p, const char *where, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int uri_no_memory(const struct uri_parser *p);

/* Only characters that a URI may have, complete escapes, no fragment. */
int uri_check_characters(const struct uri_parser *p);

/* Percent-decode a slice; what names it in the error.  The caller frees *out, and what
 * was in *out before is freed (but not by uri_decode_bytes). */
int uri_decode_bytes(const struct uri_parser *p, struct uri_slice from, char **out,
                     size_t *len);
int uri_decode_string(const struct uri_parser *p, struct uri_slice from,
                      const char *what, char **out);
/* A decimal number in [min, max]. */
int uri_decode_number(const struct uri_parser *p, struct uri_slice from,
                      const char *what, uint32_t min, uint32_t max, uint32_t *out);
/* A TCP port, without leading zeros afterwards. */
int uri_decode_port(const struct uri_parser *p, struct uri_slice from, const char *what,
                    char **out);

/* ---- connect-uri-query.c ---- */

/* What is after the '?'. */
int uri_parse_query(struct uri_parser *p, const char *query);

#endif /* CONNECT_URI_H */
