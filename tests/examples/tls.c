/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls.c - an encrypted connection, with a shared key or with certificates
 *
 *     tls psk SOCKET KEYS USER
 *     tls x509 SOCKET DIRECTORY HOSTNAME
 *
 * KEYS is a file that psktool(1) made, DIRECTORY has ca-cert.pem in it.  The server is
 * behind a Unix socket, which has no host name: so the name that its certificate must
 * bear is said.  Prints the size of the default export.
 */

#include <err.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libnbd.h>

static void
check(int64_t r)
{
    if (r == -1)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
}

int
main(int argc, char *argv[])
{
    bool psk = argc > 1 && strcmp(argv[1], "psk") == 0;
    bool x509 = argc > 1 && strcmp(argv[1], "x509") == 0;
    struct nbd_handle *h;

    if (argc != 5 || !(psk || x509))
        errx(EXIT_FAILURE,
             "usage: %s psk SOCKET KEYS USER\n"
             "       %s x509 SOCKET DIRECTORY HOSTNAME",
             argv[0], argv[0]);
    h = nbd_create();
    if (h == NULL)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
    if (!nbd_supports_tls(h))
        errx(EXIT_FAILURE, "the library was built without TLS");

    /* LIBNBD_TLS_ALLOW would go on in plain text if somebody wants it so. */
    check(nbd_set_tls(h, LIBNBD_TLS_REQUIRE));
    if (psk) {
        check(nbd_set_tls_psk_file(h, argv[3]));
        check(nbd_set_tls_username(h, argv[4]));
    } else {
        check(nbd_set_tls_certificates(h, argv[3]));
        check(nbd_set_tls_hostname(h, argv[4]));
    }
    check(nbd_connect_unix(h, argv[2]));

    printf("%" PRIi64 " bytes, %s\n", nbd_get_size(h),
           nbd_get_tls_negotiated(h) == 1 ? "encrypted" : "in plain text");
    check(nbd_shutdown(h, 0));
    nbd_close(h);
    return EXIT_SUCCESS;
}
