/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls-hint.c - see tls-hint.h
 *
 * The library says what happened and knows nothing of our options.  Its words are its
 * own, not GnuTLS's, which depend on the language.
 */

#include "tls-hint.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

enum kind { CERTIFICATES, KEYS, EITHER };

struct advice {
    const char *said; /* part of what the library says */
    enum kind kind;   /* where we have come with these */
    const char *text;
};

/* The first that fits. */
static const struct advice by_word[] = {
    {"does not have the name", EITHER,
     "say with tls-hostname=NAME which name it has, or use that in the URI"},
    {"issuer is unknown", EITHER,
     "give the ca-cert.pem of its authority, in tls-certificates=DIR"},
    {"has expired", EITHER, "the server needs a new one"},
    {"is not valid yet", EITHER, "are the clocks right?"},
    {"NBD_REP_ERR_TLS_REQD", EITHER, "use nbds in the URI, or tls=require"},
    {"NBD_OPT_STARTTLS", EITHER,
     "the server has no TLS; without encryption use nbd in the URI and no tls option"},
    {"Insufficient credentials", KEYS,
     "the server may want certificates: tls-certificates=DIR, not tls-psk-file"},
    {"TLS handshake: the server", KEYS,
     "does the server have this key for this user? See tls-psk-file, tls-username"},
    {"TLS handshake: the server", CERTIFICATES,
     "the server may want keys (tls-psk-file), or a certificate of yours"},
};

/* A server that does not like our certificate, or the lack of one, just goes away after
 * its part of the handshake. */
static const char *const went_away[] = {"reset by peer", "closed the connection",
                                        "Broken pipe"};
static const char wants_certificate[] =
    "does the server want a certificate of yours? It is client-cert.pem, with "
    "client-key.pem, in tls-certificates=DIR";

static bool
has(const char *text, const char *word)
{
    return text != NULL && strstr(text, word) != NULL;
}

const char *
tls_hint(const char *error, const struct tls_settings *tls, const char *uri)
{
    bool keys = (tls != NULL && tls->psk_file != NULL) || has(uri, "tls-psk-file=");
    bool required = (tls != NULL && tls->mode == TLS_REQUIRE) ||
                    (uri != NULL && strncasecmp(uri, "nbds", 4) == 0);

    for (size_t i = 0; i < sizeof by_word / sizeof by_word[0]; i++)
        if (has(error, by_word[i].said) &&
            (by_word[i].kind == EITHER || (by_word[i].kind == KEYS) == keys))
            return by_word[i].text;
    if (!required || keys)
        return NULL;
    for (size_t i = 0; i < sizeof went_away / sizeof went_away[0]; i++)
        if (has(error, went_away[i]))
            return wants_certificate;
    return NULL;
}
