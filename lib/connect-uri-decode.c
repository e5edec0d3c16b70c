/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-uri-decode.c - the characters of a URI: checking and decoding them
 *
 * Knows nothing of what the parts of a URI mean.
 */

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base-cleanup.h"
#include "base-text.h"
#include "connect-uri.h"

/* A URI for a message, which may be logged: what looks like a password is not shown.
 * NULL: no memory. */
static char *
shown(const char *uri)
{
    const char *authority = strstr(uri, "://"), *at = NULL, *colon = NULL;

    if (authority)
        at = memrchr(authority + 3, '@', strcspn(authority + 3, "/?#"));
    if (at)
        colon = memchr(authority + 3, ':', (size_t)(at - authority - 3));
    if (!colon)
        return text_printable(uri, strlen(uri), 160);

    struct text all = {0};
    char *before CLEANUP_FREE = text_printable(uri, (size_t)(colon + 1 - uri), 160);
    char *after CLEANUP_FREE = text_printable(at, strlen(at), 160);
    text_append(&all, before ? before : "");
    text_append(&all, "***");
    text_append(&all, after ? after : "");
    return text_steal(&all);
}

int
uri_wrong(const struct uri_parser *p, const char *where, const char *format, ...)
{
    char what[256];
    va_list args;

    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    char *uri CLEANUP_FREE = shown(p->text);
    return error_set(p->e, EINVAL, "invalid NBD URI: %s, at character %zu of %s", what,
                     (size_t)(where - p->text) + 1, uri ? uri : "it");
}

int
uri_no_memory(const struct uri_parser *p)
{
    return error_set_errno(p->e, ENOMEM, "parsing a URI");
}

/* What RFC 3986 allows in a URI as itself, '%' included. */
static bool
is_uri_character(char c)
{
    return c != '\0' && (isalnum((unsigned char)c) && (unsigned char)c < 0x80
                             ? true
                             : strchr("-._~:/?#[]@!$&'()*+,;=%", c) != NULL);
}

static int
hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int
uri_check_characters(const struct uri_parser *p)
{
    for (const char *s = p->text; *s; s++) {
        if (!is_uri_character(*s)) {
            if (*s > ' ' && *s < 0x7f)
                return uri_wrong(p, s, "'%c' must be written as %%%02X", *s, *s);
            return uri_wrong(p, s, "a byte that must be written as %%%02X",
                             (unsigned char)*s);
        }
        if (*s == '%' && (hex_value(s[1]) == -1 || hex_value(s[2]) == -1))
            return uri_wrong(p, s, "'%%' must be followed by two hexadecimal digits");
        if (*s == '#')
            return uri_wrong(p, s,
                             "an NBD URI has no fragment, and '#' in a name must be "
                             "written as %%23");
    }
    return 0;
}

/* Percent-decodes a slice, whose escapes have been checked. */
int
uri_decode_bytes(const struct uri_parser *p, struct uri_slice from, char **out,
                 size_t *len)
{
    char *s = malloc(from.len + 1);
    size_t n = 0;

    if (!s)
        return uri_no_memory(p);
    for (size_t i = 0; i < from.len; i++) {
        if (from.start[i] == '%') {
            s[n++] = (char)(hex_value(from.start[i + 1]) << 4 |
                            hex_value(from.start[i + 2]));
            i += 2;
        } else {
            s[n++] = from.start[i];
        }
    }
    s[n] = '\0';
    *out = s;
    *len = n;
    return 0;
}

int
uri_decode_string(const struct uri_parser *p, struct uri_slice from, const char *what,
                  char **out)
{
    char *s CLEANUP_FREE = NULL;
    size_t len;

    if (uri_decode_bytes(p, from, &s, &len) == -1)
        return -1;
    if (strlen(s) != len)
        return uri_wrong(p, from.start, "%s contains %%00", what);
    free(*out);
    *out = steal_pointer(&s);
    return 0;
}

/* A decimal number in [min, max]. */
int
uri_decode_number(const struct uri_parser *p, struct uri_slice from, const char *what,
                  uint32_t min, uint32_t max, uint32_t *out)
{
    uint64_t value = 0;

    for (size_t i = 0; i < from.len; i++) {
        if (from.start[i] < '0' || from.start[i] > '9')
            return uri_wrong(p, from.start + i, "%s is not a number", what);
        if (value <= max)
            value = value * 10 + (uint64_t)(from.start[i] - '0');
    }
    if (from.len == 0 || value < min || value > max)
        return uri_wrong(p, from.start, "%s must be a number from %u to %u", what, min,
                         max);
    *out = (uint32_t)value;
    return 0;
}

int
uri_decode_port(const struct uri_parser *p, struct uri_slice from, const char *what,
                char **out)
{
    uint32_t number;
    struct text t = {0};

    if (uri_decode_number(p, from, what, 1, 65535, &number) == -1)
        return -1;
    text_printf(&t, "%u", number);
    free(*out);
    *out = text_steal(&t);
    return *out ? 0 : uri_no_memory(p);
}
