/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-uri.c - any text as a URI
 *
 * What parses must come back the same from its own text; what does not must say why.
 */

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base-cleanup.h"
#include "connect.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool
same_string(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool
same(const struct uri *a, const struct uri *b)
{
    return a->transport == b->transport && a->tls == b->tls &&
           same_string(a->host, b->host) && same_string(a->port, b->port) &&
           same_string(a->nbd_port, b->nbd_port) && a->compress == b->compress &&
           a->socket_len == b->socket_len && !a->socket == !b->socket &&
           (!a->socket || memcmp(a->socket, b->socket, a->socket_len) == 0) &&
           a->vsock_cid == b->vsock_cid && a->vsock_port == b->vsock_port &&
           same_string(a->export_name, b->export_name) &&
           same_string(a->username, b->username) &&
           same_string(a->tls_certificates, b->tls_certificates) &&
           same_string(a->tls_psk_file, b->tls_psk_file) &&
           same_string(a->tls_username, b->tls_username) &&
           same_string(a->tls_hostname, b->tls_hostname) &&
           same_string(a->tls_priority, b->tls_priority) &&
           a->tls_verify_peer == b->tls_verify_peer;
}

static void
check_round_trip(const struct uri *first)
{
    struct uri second;
    struct error e;

    char *text CLEANUP_FREE = uri_format(first);
    assert(text);
    assert(uri_is_nbd(text));
    assert(uri_parse(text, &second, &e) == 0);
    assert(same(first, &second));
    char *again CLEANUP_FREE = uri_format(&second);
    assert(again && strcmp(text, again) == 0);
    uri_clear(&second);
}

static void
check_ssh(const struct uri *uri)
{
    char **argv CLEANUP_FREE_STRINGS = uri_ssh_command(uri);
    size_t n = 0;

    assert(argv);
    while (strcmp(argv[n], "--") != 0)
        n++;
    assert(argv[n + 1][0] != '-');
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct uri uri;
    struct error e = {0};
    char *text CLEANUP_FREE = malloc(size + 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    if (uri_parse(text, &uri, &e) == -1) {
        assert(e.number == EINVAL && e.text[0]);
        return 0;
    }
    assert(uri_is_nbd(text));
    assert(uri.export_name);
    check_round_trip(&uri);
    if (uri.transport == URI_SSH)
        check_ssh(&uri);
    uri_clear(&uri);
    return 0;
}
