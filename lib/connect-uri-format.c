/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-uri-format.c - from a parsed NBD URI back to text, or to an ssh command
 *
 * Knows no socket and starts nothing.
 */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base-array.h"
#include "base-cleanup.h"
#include "base-text.h"
#include "connect-uri.h"

/* Appends bytes; those that are neither unreserved (RFC 3986) nor in also are escaped.
 */
static void
append_escaped(struct text *t, const char *bytes, size_t len, const char *also)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)bytes[i];
        bool plain = c < 0x80 && c != '\0' &&
                     (isalnum(c) || strchr("-._~", c) || strchr(also, c));
        if (plain)
            text_append_bytes(t, &bytes[i], 1);
        else
            text_printf(t, "%%%02X", c);
    }
}

static void
append_authority(struct text *t, const struct uri *uri)
{
    if (uri->username) {
        append_escaped(t, uri->username, strlen(uri->username), "!$&'()*+,;=");
        text_append(t, "@");
    }
    switch (uri->transport) {
    case URI_UNIX:
        return;
    case URI_VSOCK:
        text_printf(t, "%u", uri->vsock_cid);
        if (uri->vsock_port != URI_NBD_PORT_NUM)
            text_printf(t, ":%u", uri->vsock_port);
        return;
    case URI_TCP:
    case URI_SSH:
        break;
    }

    const char *host = uri->host ? uri->host : "localhost";
    bool bracketed = strchr(host, ':') != NULL;
    text_append(t, bracketed ? "[" : "");
    append_escaped(t, host, strlen(host), bracketed ? ":" : "!$&'()*+,;=");
    text_append(t, bracketed ? "]" : "");
    if (uri->port &&
        (uri->transport == URI_SSH || strcmp(uri->port, URI_NBD_PORT) != 0))
        text_printf(t, ":%s", uri->port);
}

/* NULL bytes: nothing. */
static void
append_parameter(struct text *t, const char **separator, const char *name,
                 const char *bytes, size_t len)
{
    if (!bytes)
        return;
    text_printf(t, "%s%s=", *separator, name);
    append_escaped(t, bytes, len, "/:@!$'()*,");
    *separator = "&";
}

static void
append_string(struct text *t, const char **separator, const char *name,
              const char *value)
{
    append_parameter(t, separator, name, value, value ? strlen(value) : 0);
}

char *
uri_format(const struct uri *uri)
{
    static const char *const transports[] = {
        [URI_TCP] = "",
        [URI_UNIX] = "+unix",
        [URI_VSOCK] = "+vsock",
        [URI_SSH] = "+ssh",
    };
    const char *separator = "?";
    struct text t = {0};

    text_printf(&t, "nbd%s%s://", uri->tls ? "s" : "", transports[uri->transport]);
    append_authority(&t, uri);
    text_append(&t, "/");
    if (uri->export_name)
        append_escaped(&t, uri->export_name, strlen(uri->export_name),
                       "/:@!$&'()*+,;=");
    append_parameter(&t, &separator, "socket", uri->socket, uri->socket_len);
    if (uri->transport == URI_SSH && uri->nbd_port &&
        strcmp(uri->nbd_port, URI_NBD_PORT) != 0)
        append_string(&t, &separator, "nbd-port", uri->nbd_port);
    if (uri->compress)
        append_string(&t, &separator, "compress", "true");
    append_string(&t, &separator, "tls-certificates", uri->tls_certificates);
    append_string(&t, &separator, "tls-psk-file", uri->tls_psk_file);
    append_string(&t, &separator, "tls-username", uri->tls_username);
    append_string(&t, &separator, "tls-hostname", uri->tls_hostname);
    append_string(&t, &separator, "tls-priority", uri->tls_priority);
    if (uri->tls_verify_peer != -1)
        append_string(&t, &separator, "tls-verify-peer",
                      uri->tls_verify_peer ? "true" : "false");
    return text_steal(&t);
}

/* ---- ssh ---- */

struct arguments {
    ARRAY_OF(char *) list;
    bool failed;
};

/* Takes s; NULL (no memory) is remembered. */
static void
add_argument(struct arguments *a, char *s)
{
    if (!s || array_reserve(&a->list, 2) == -1) {
        free(s);
        a->failed = true;
        return;
    }
    a->list.items[a->list.len++] = s;
    a->list.items[a->list.len] = NULL;
}

static void
add_copy(struct arguments *a, const char *s)
{
    add_argument(a, strdup(s));
}

/* ssh gives the command to a shell at the far end, which nothing of ours can avoid: a
 * path goes there in quotes that no path can leave. */
static char *
quote_for_shell(const char *s)
{
    struct text t = {0};

    text_append(&t, "'");
    for (; *s; s++)
        if (*s == '\'')
            text_append(&t, "'\\''");
        else
            text_append_bytes(&t, s, 1);
    text_append(&t, "'");
    return text_steal(&t);
}

char **
uri_ssh_command(const struct uri *uri)
{
    struct arguments a = {0};

    add_copy(&a, "ssh");
    if (uri->compress)
        add_copy(&a, "-C");
    if (uri->port) {
        add_copy(&a, "-p");
        add_copy(&a, uri->port);
    }
    if (uri->username) {
        add_copy(&a, "-l");
        add_copy(&a, uri->username);
    }
    /* No option can follow, whatever the host is called. */
    add_copy(&a, "--");
    add_copy(&a, uri->host);
    add_copy(&a, "nc");
    if (uri->socket) {
        add_copy(&a, "-U");
        add_argument(&a, quote_for_shell(uri->socket));
    } else {
        add_copy(&a, "localhost");
        add_copy(&a, uri->nbd_port);
    }
    if (a.failed) {
        free_strings(a.list.items);
        errno = ENOMEM;
        return NULL;
    }
    return a.list.items;
}
