/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-tls.c - TLS through the public interface, with pre-shared keys and nbdkit */

#include <sys/stat.h>

#include "compat.h"

static char dir[] = "/tmp/test-tls.XXXXXX";
static char keys[64], keys_argument[96];

#define KEY "0123456789abcdef0123456789abcdef"
#define SERVER(tls)                                                                    \
    ARGV("nbdkit", "-s", "--exit-with-parent", "--tls=" tls, keys_argument, "pattern", \
         "8M")

static struct nbd_handle *
with_keys(int mode)
{
    struct nbd_handle *h = new_handle();

    must(nbd_set_tls(h, mode), "TLS");
    must(nbd_set_tls_psk_file(h, keys), "the keys");
    must(nbd_set_tls_username(h, "alice"), "the user");
    return h;
}

static int
on_read(void *user, int *error)
{
    *(int *)user += *error == 0;
    return 1;
}

static void
required(void)
{
    struct nbd_handle *h = with_keys(LIBNBD_TLS_REQUIRE);
    static unsigned char buf[64][65536];
    int done = 0;

    is_int(nbd_connect_command(h, SERVER("require")), 0, "TLS on both sides");
    is_int(nbd_get_tls_negotiated(h), 1, "is negotiated");
    is_int(nbd_pread(h, buf[0], 512, 4096, 0), 0, "a sector is read");
    ok(buf[0][6] == 0x10 && buf[0][15] == 8, "and is right");
    for (int i = 0; i < 64; i++)
        nbd_aio_pread(h, buf[i], sizeof buf[i], 65536U * (unsigned)i,
                      (nbd_completion_callback){on_read, &done, NULL}, 0);
    POLL_UNTIL(h, nbd_aio_in_flight(h) == 0);
    is_int(done, 64, "many reads at once are answered");
    bool right = true;
    for (int i = 0; i < 64; i++)
        right &= buf[i][5] == i && buf[i][65535] == 0xf8;
    ok(right, "and right");
    is_int(nbd_shutdown(h, 0), 0, "the handle shuts down");
    is_int(nbd_aio_is_closed(h), 1, "in good order");
    nbd_close(h);
}

static void
mismatched(void)
{
    struct nbd_handle *h = with_keys(LIBNBD_TLS_REQUIRE);

    is_int(nbd_connect_command(h, MEMORY), -1, "required, but the server has none");
    ok(is_error_of("nbd_connect_command"), "is an error: %s", nbd_get_error());
    nbd_close(h);

    h = with_keys(LIBNBD_TLS_ALLOW);
    is_int(nbd_connect_command(h, MEMORY), 0, "allowed, but the server has none");
    is_int(nbd_get_tls_negotiated(h), 0, "goes on without");
    nbd_close(h);

    h = new_handle();
    is_int(nbd_connect_command(h, SERVER("require")), -1,
           "disabled, but the server requires it");
    diag("%s", nbd_get_error());
    nbd_close(h);

    h = with_keys(LIBNBD_TLS_REQUIRE);
    must(nbd_set_tls_username(h, "mallory"), "another user");
    is_int(nbd_connect_command(h, SERVER("require")), -1, "a user without a key fails");
    diag("%s", nbd_get_error());
    nbd_close(h);

    h = with_keys(LIBNBD_TLS_REQUIRE);
    must(nbd_set_tls_psk_file(h, "/nonexistent/keys"), "no keys");
    is_int(nbd_connect_command(h, SERVER("require")), -1, "missing keys are an error");
    ok(strstr(nbd_get_error(), "/nonexistent/keys"), "that names the file");
    nbd_close(h);
}

static void
by_hand(void)
{
    struct nbd_handle *h = with_keys(LIBNBD_TLS_DISABLE);

    must(nbd_set_opt_mode(h, true), "option mode");
    must(nbd_connect_command(h, SERVER("require")), "connecting");
    is_int(nbd_get_tls_negotiated(h), 0, "no TLS yet");
    is_int(nbd_opt_starttls(h), 1, "nbd_opt_starttls");
    is_int(nbd_get_tls_negotiated(h), 1, "TLS now");
    is_int(nbd_opt_starttls(h), 0, "a second time is refused");
    is_int(nbd_get_tls_negotiated(h), 1, "and TLS goes on");
    is_int(nbd_opt_go(h), 0, "go");
    is_int(nbd_get_size(h), 8 << 20, "the size is known");
    nbd_close(h);
}

int
main(void)
{
    struct nbd_handle *h = new_handle();
    FILE *file;

    if (!nbd_supports_tls(h))
        skip_all("the library was built without TLS");
    nbd_close(h);
    if (!mkdtemp(dir))
        must(-1, "a directory");
    snprintf(keys, sizeof keys, "%s/keys.psk", dir);
    snprintf(keys_argument, sizeof keys_argument, "--tls-psk=%s", keys);
    file = fopen(keys, "w");
    if (!file)
        must(-1, "a file");
    fputs("alice:" KEY "\n", file);
    fclose(file);
    required();
    mismatched();
    by_hand();
    unlink(keys);
    rmdir(dir);
    done_testing();
}
