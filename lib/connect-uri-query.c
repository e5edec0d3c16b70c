/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-uri-query.c - the parameters of a URI: NAME=VALUE&NAME=VALUE...
 *
 * The table at the end is the list of them.
 */

#include <string.h>
#include <strings.h>

#include "base-cleanup.h"
#include "base-text.h"
#include "connect-uri.h"

static int
on_socket(struct uri_parser *p, struct uri_slice value)
{
    struct uri *uri = p->uri;

    if (uri->transport != URI_UNIX && uri->transport != URI_SSH)
        return uri_wrong(p, value.start,
                         "\"socket\" is only possible with nbd+unix, "
                         "nbds+unix, nbd+ssh and nbds+ssh");
    if (uri_decode_bytes(p, value, &uri->socket, &uri->socket_len) == -1)
        return -1;
    if (uri->socket_len == 0 || (uri->socket_len == 1 && uri->socket[0] == '\0'))
        return uri_wrong(p, value.start, "\"socket\" has no value");
    bool abstract = uri->socket[0] == '\0';
    if (!abstract && strlen(uri->socket) != uri->socket_len)
        return uri_wrong(p, value.start,
                         "%%00 is only possible at the beginning of "
                         "\"socket\", for an abstract name");
    if (abstract && uri->transport == URI_SSH)
        return uri_wrong(p, value.start, "an abstract socket is not possible with ssh");
    /* nc at the far end would take it for an option, and some have one that runs
     * commands. */
    if (uri->socket[0] == '-' && uri->transport == URI_SSH)
        return uri_wrong(p, value.start, "the socket's name begins with '-'");
    return 0;
}

static int
on_nbd_port(struct uri_parser *p, struct uri_slice value)
{
    struct uri *uri = p->uri;

    switch (uri->transport) {
    case URI_TCP:
        return uri_decode_port(p, value, "\"nbd-port\"", &uri->port);
    case URI_SSH:
        return uri_decode_port(p, value, "\"nbd-port\"", &uri->nbd_port);
    case URI_VSOCK:
        return uri_decode_number(p, value, "\"nbd-port\"", 0, UINT32_MAX,
                                 &uri->vsock_port);
    case URI_UNIX:
        break;
    }
    return uri_wrong(p, value.start, "\"nbd-port\" is not possible with a Unix socket");
}

static int
parse_bool(const struct uri_parser *p, struct uri_slice value, const char *what,
           bool *out)
{
    static const struct {
        const char *word;
        bool value;
    } words[] = {{"1", true},  {"true", true},   {"yes", true}, {"on", true},
                 {"0", false}, {"false", false}, {"no", false}, {"off", false}};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strlen(words[i].word) == value.len &&
            strncasecmp(words[i].word, value.start, value.len) == 0) {
            *out = words[i].value;
            return 0;
        }
    return uri_wrong(p, value.start, "\"%s\" must be true or false", what);
}

static int
on_compress(struct uri_parser *p, struct uri_slice value)
{
    if (p->uri->transport != URI_SSH)
        return uri_wrong(p, value.start, "\"compress\" is only possible with ssh");
    return parse_bool(p, value, "compress", &p->uri->compress);
}

static int
on_tls_verify_peer(struct uri_parser *p, struct uri_slice value)
{
    bool verify;

    if (parse_bool(p, value, "tls-verify-peer", &verify) == -1)
        return -1;
    p->uri->tls_verify_peer = verify;
    return 0;
}

/* What the method is follows from the files that are given; this may only agree. */
static int
on_tls_type(struct uri_parser *p, struct uri_slice value)
{
    bool x509 = value.len == 4 && strncasecmp(value.start, "x509", 4) == 0;
    bool psk = value.len == 3 && strncasecmp(value.start, "psk", 3) == 0;

    if (!x509 && !psk)
        return uri_wrong(p, value.start, "\"tls-type\" must be x509 or psk");
    return 0;
}

/* Strings, kept as they are. */
#define STRING_PARAMETER(field, name)                                       \
    static int on_##field(struct uri_parser *p, struct uri_slice value)     \
    {                                                                       \
        if (value.len == 0)                                                 \
            return uri_wrong(p, value.start, "\"" name "\" has no value");  \
        return uri_decode_string(p, value, "\"" name "\"", &p->uri->field); \
    }
STRING_PARAMETER(tls_certificates, "tls-certificates")
STRING_PARAMETER(tls_hostname, "tls-hostname")
STRING_PARAMETER(tls_priority, "tls-priority")
STRING_PARAMETER(tls_psk_file, "tls-psk-file")
STRING_PARAMETER(tls_username, "tls-username")

static const struct {
    const char *name;
    int (*on)(struct uri_parser *p, struct uri_slice value);
} parameters[] = {
    {"compress", on_compress},
    {"nbd-port", on_nbd_port},
    {"socket", on_socket},
    {"tls-certificates", on_tls_certificates},
    {"tls-hostname", on_tls_hostname},
    {"tls-priority", on_tls_priority},
    {"tls-psk-file", on_tls_psk_file},
    {"tls-type", on_tls_type},
    {"tls-username", on_tls_username},
    {"tls-verify-peer", on_tls_verify_peer},
};
#define N_PARAMETERS (sizeof parameters / sizeof parameters[0])

static int
parse_parameter(struct uri_parser *p, struct uri_slice parameter)
{
    const char *equals = memchr(parameter.start, '=', parameter.len);
    struct uri_slice name = parameter;
    char *decoded CLEANUP_FREE = NULL;

    if (equals)
        name.len = (size_t)(equals - parameter.start);
    if (uri_decode_string(p, name, "a parameter's name", &decoded) == -1)
        return -1;
    for (unsigned i = 0; i < N_PARAMETERS; i++) {
        if (strcmp(decoded, parameters[i].name) != 0)
            continue;
        if (!equals)
            return uri_wrong(p, parameter.start, "\"%s\" has no value", decoded);
        if (p->seen & 1U << i)
            return uri_wrong(p, parameter.start, "\"%s\" is given twice", decoded);
        p->seen |= 1U << i;
        return parameters[i].on(
            p, (struct uri_slice){equals + 1, parameter.len - name.len - 1});
    }
    char *printable CLEANUP_FREE = text_printable(decoded, strlen(decoded), 60);
    return uri_wrong(p, parameter.start, "unknown parameter \"%s\"",
                     printable ? printable : "");
}

/* Both '&' and ';' separate, as in libnbd. */
int
uri_parse_query(struct uri_parser *p, const char *query)
{
    for (;;) {
        size_t len = strcspn(query, "&;");
        if (len > 0 && parse_parameter(p, (struct uri_slice){query, len}) == -1)
            return -1;
        if (query[len] == '\0')
            return 0;
        query += len + 1;
    }
}
