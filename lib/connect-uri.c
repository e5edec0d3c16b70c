/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-uri.c - takes NBD URIs apart
 *
 * After doc/uri.md of the NBD project and RFC 3986, with the extensions that
 * nbd_connect_uri(3) lists.  URIs may come from anybody: what is not understood is
 * refused and never ignored.  Knows no socket and opens no file.
 */

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base-cleanup.h"
#include "base-text.h"
#include "connect-uri.h"

#define VSOCK_CID_HOST 2

static const struct scheme {
    const char *name;
    enum uri_transport transport;
    bool tls;
} schemes[] = {
    {"nbd", URI_TCP, false},         {"nbds", URI_TCP, true},
    {"nbd+unix", URI_UNIX, false},   {"nbds+unix", URI_UNIX, true},
    {"nbd+vsock", URI_VSOCK, false}, {"nbds+vsock", URI_VSOCK, true},
    {"nbd+ssh", URI_SSH, false},     {"nbds+ssh", URI_SSH, true},
};
#define N_SCHEMES (sizeof schemes / sizeof schemes[0])

/* ---- the authority: [USER@][HOST][:PORT] ---- */

static int
parse_user(struct uri_parser *p, struct uri_slice user)
{
    const char *colon = memchr(user.start, ':', user.len);

    if (colon)
        return uri_wrong(p, colon,
                         "a password is not possible (a ':' in the user name "
                         "must be written as %%3A)");
    if (user.len == 0)
        return 0;
    return uri_decode_string(p, user, "the user name", &p->uri->username);
}

/* An address in brackets, perhaps with "%25" and a zone (RFC 6874) after it. */
static int
parse_bracketed(struct uri_parser *p, struct uri_slice host)
{
    char *decoded CLEANUP_FREE = NULL;
    struct in6_addr address;

    if (uri_decode_string(p, host, "the address", &decoded) == -1)
        return -1;
    char *zone = strchr(decoded, '%');
    if (zone)
        *zone = '\0';
    if (inet_pton(AF_INET6, decoded, &address) != 1)
        return uri_wrong(p, host.start, "only an IPv6 address can be in brackets");
    if (zone && zone[1] == '\0')
        return uri_wrong(p, host.start, "the zone of the IPv6 address is empty");
    if (zone)
        *zone = '%';
    p->uri->host = steal_pointer(&decoded);
    return 0;
}

static int
parse_host(struct uri_parser *p, struct uri_slice host)
{
    struct uri *uri = p->uri;

    if (uri->transport == URI_VSOCK) {
        uri->vsock_cid = VSOCK_CID_HOST;
        return host.len == 0 ? 0
                             : uri_decode_number(p, host, "the CID", 0, UINT32_MAX,
                                                 &uri->vsock_cid);
    }
    if (host.len == 0) {
        uri->host = strdup("localhost");
        return uri->host ? 0 : uri_no_memory(p);
    }
    if (uri_decode_string(p, host, "the host name", &uri->host) == -1)
        return -1;
    /* An address in brackets is not hidden behind escapes. */
    size_t plain = strcspn(uri->host, "[]:");
    if (uri->host[plain] != '\0')
        return uri_wrong(p, host.start, "'%c' in the host name", uri->host[plain]);
    return 0;
}

static int
parse_port(struct uri_parser *p, struct uri_slice port)
{
    struct uri *uri = p->uri;

    /* "host:" is the same as "host" (RFC 3986, 3.2.3). */
    if (port.len == 0)
        return 0;
    if (uri->transport == URI_VSOCK)
        return uri_decode_number(p, port, "the port", 0, UINT32_MAX, &uri->vsock_port);
    return uri_decode_port(p, port, "the port", &uri->port);
}

/* Splits HOST and PORT. */
static int
parse_server(struct uri_parser *p, struct uri_slice server)
{
    struct uri_slice host = server, port = {server.start + server.len, 0};
    bool bracketed = server.len > 0 && server.start[0] == '[';
    const char *end = server.start + server.len, *after;

    if (bracketed) {
        const char *close = memchr(server.start, ']', server.len);
        if (!close)
            return uri_wrong(p, server.start, "no ']' for this '['");
        host = (struct uri_slice){server.start + 1, (size_t)(close - server.start) - 1};
        after = close + 1;
        if (after < end && *after != ':')
            return uri_wrong(p, after, "only \":PORT\" can follow ']'");
    } else {
        after = memchr(server.start, ':', server.len);
        if (!after)
            after = end;
        host.len = (size_t)(after - server.start);
    }
    if (after < end)
        port = (struct uri_slice){after + 1, (size_t)(end - after) - 1};

    bool brackets_fit = p->uri->transport != URI_VSOCK;
    if (bracketed && !brackets_fit)
        return uri_wrong(p, server.start, "the CID is not a number");
    if ((bracketed ? parse_bracketed(p, host) : parse_host(p, host)) == -1)
        return -1;
    return parse_port(p, port);
}

static int
parse_authority(struct uri_parser *p, struct uri_slice authority)
{
    struct uri *uri = p->uri;
    struct uri_slice server = authority;
    const char *at = memrchr(authority.start, '@', authority.len);

    if (at) {
        struct uri_slice user = {authority.start, (size_t)(at - authority.start)};
        const char *second = memchr(user.start, '@', user.len);
        if (second)
            return uri_wrong(p, second, "'@' in the user name must be written as %%40");
        server = (struct uri_slice){at + 1, authority.len - user.len - 1};
        if (parse_user(p, user) == -1)
            return -1;
    }
    /* A host means nothing for a Unix socket; libnbd lets it pass too. */
    if (uri->transport != URI_UNIX && parse_server(p, server) == -1)
        return -1;
    /* ssh would take these for options. */
    if (uri->transport == URI_SSH && uri->host[0] == '-')
        return uri_wrong(p, server.start, "the host name begins with '-'");
    if (uri->transport == URI_SSH && uri->username && uri->username[0] == '-')
        return uri_wrong(p, authority.start, "the user name begins with '-'");
    return 0;
}

/* ---- the whole ---- */

static const struct scheme *
find_scheme(const char *text)
{
    size_t len = strcspn(text, ":");

    if (strncmp(text + len, "://", 3) != 0)
        return NULL;
    for (size_t i = 0; i < N_SCHEMES; i++)
        if (strlen(schemes[i].name) == len &&
            strncasecmp(text, schemes[i].name, len) == 0)
            return &schemes[i];
    return NULL;
}

bool
uri_is_nbd(const char *text)
{
    return find_scheme(text) != NULL;
}

/* What was not given. */
static int
set_defaults(struct uri_parser *p)
{
    struct uri *uri = p->uri;

    if (uri->transport == URI_UNIX && !uri->socket)
        return uri_wrong(p, p->text + strlen(p->text),
                         "the parameter \"socket\" is missing: %s:///%s?socket=PATH",
                         uri->tls ? "nbds+unix" : "nbd+unix",
                         uri->export_name[0] ? "NAME" : "");
    if (uri->transport == URI_TCP && !uri->port)
        uri->port = strdup(URI_NBD_PORT);
    if (uri->transport == URI_SSH && !uri->nbd_port)
        uri->nbd_port = strdup(URI_NBD_PORT);
    if ((uri->transport == URI_TCP && !uri->port) ||
        (uri->transport == URI_SSH && !uri->nbd_port))
        return uri_no_memory(p);
    return 0;
}

static int
parse(struct uri_parser *p)
{
    const struct scheme *scheme = find_scheme(p->text);

    if (!scheme) {
        if (strncmp(p->text + strcspn(p->text, ":"), "://", 3) == 0)
            return uri_wrong(p, p->text, "unknown scheme");
        return uri_wrong(p, p->text,
                         "it must begin with nbd://, nbds://, nbd+unix:/// or "
                         "another of the NBD schemes");
    }
    p->uri->transport = scheme->transport;
    p->uri->tls = scheme->tls;
    p->uri->vsock_port = URI_NBD_PORT_NUM;
    if (uri_check_characters(p) == -1)
        return -1;

    const char *start = p->text + strlen(scheme->name) + strlen("://");
    struct uri_slice authority = {start, strcspn(start, "/?")};
    const char *path = start + authority.len;
    size_t path_len = strcspn(path, "?");
    /* Exactly one '/' is not part of the name. */
    struct uri_slice name = {path + (path_len > 0), path_len - (path_len > 0)};

    for (size_t i = 0; i < path_len + strlen(path + path_len); i++)
        if (path[i] == '[' || path[i] == ']')
            return uri_wrong(p, path + i, "'%c' must be written as %%%02X", path[i],
                             path[i]);
    if (parse_authority(p, authority) == -1 ||
        uri_decode_string(p, name, "the export name", &p->uri->export_name) == -1)
        return -1;
    if (path[path_len] == '?' && uri_parse_query(p, path + path_len + 1) == -1)
        return -1;
    return set_defaults(p);
}

int
uri_parse(const char *text, struct uri *uri, struct error *e)
{
    struct uri_parser p = {.text = text, .uri = uri, .e = e};

    *uri = (struct uri){.tls_verify_peer = -1};
    int r = parse(&p);
    if (r == -1)
        uri_clear(uri);
    return r;
}

void
uri_clear(struct uri *uri)
{
    free(uri->host);
    free(uri->port);
    free(uri->nbd_port);
    free(uri->socket);
    free(uri->export_name);
    free(uri->username);
    free(uri->tls_certificates);
    free(uri->tls_psk_file);
    free(uri->tls_username);
    free(uri->tls_hostname);
    free(uri->tls_priority);
    *uri = (struct uri){.tls_verify_peer = -1};
}
