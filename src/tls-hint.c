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

struct advice {
    const char *said; /* part of what the library says */
    bool with_keys;   /* only where we have come with keys */
    const char *text;
};

/* The first that fits. */
static const struct advice by_word[] = {
    {"does not have the name", false,
     "say with tls-hostname=NAME which name it has, or use that in the URI"},
    {"issuer is unknown", false,
     "give the ca-cert.pem of its authority, in tls-certificates=DIR"},
    {"no certificate authorities", false, "which is tls-certificates=DIR"},
    {"has expired", false, "the server needs a new one"},
    {"is not valid yet", false, "are the clocks right?"},
    {"NBD_REP_ERR_TLS_REQD", false, "use nbds in the URI, or tls=require"},
    {"NBD_OPT_STARTTLS", false,
     "the server has no TLS; without encryption use nbd in the URI and no tls option"},
    {"Insufficient credentials", true,
     "the server may want certificates: tls-certificates=DIR, not tls-psk-file"},
};

/* A server that does not like our key, or our certificate or the lack of one, may just
 * go away, and may do so when its part of the handshake is done. */
static const char *const went_away[] = {"TLS handshake: the server", "reset by peer",
                                        "closed the connection", "Broken pipe"};
static const char wants_key[] =
    "does the server have this key for this user? See tls-psk-file, tls-username";
static const char wants_certificate[] =
    "does the server want a certificate of yours, client-cert.pem with client-key.pem "
    "in tls-certificates=DIR, or keys: tls-psk-file?";

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
        if (has(error, by_word[i].said) && (keys || !by_word[i].with_keys))
            return by_word[i].text;
    for (size_t i = 0; required && i < sizeof went_away / sizeof went_away[0]; i++)
        if (has(error, went_away[i]))
            return keys ? wants_key : wants_certificate;
    return NULL;
}
