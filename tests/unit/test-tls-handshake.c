/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-tls-handshake.c - which TLS servers are believed, and why others are not */

#include "config.h"

#include "tap.h"

#include <errno.h>

#include "stream.h"

#ifdef HAVE_GNUTLS

#include <fcntl.h>
#include <ftw.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base-cleanup.h"
#include "tls-pair.h"

static char directory[] = "/tmp/test-tls-XXXXXX";

/* The certificates, and the folders that clients are given. */
static struct certificate ca, other_ca, good, expired, elsewhere, address, self_signed,
    for_clients, client;

static const char *
in(const char *name)
{
    static char paths[4][200];
    static unsigned next;
    char *path = paths[next++ % 4];

    snprintf(path, sizeof paths[0], "%s/%s", directory, name);
    return path;
}

static void
make_files(void)
{
    certificate_make(&ca, NULL, &(struct certificate_options){.is_ca = true});
    certificate_make(&other_ca, NULL, &(struct certificate_options){.is_ca = true});
    certificate_make(&good, &ca,
                     &(struct certificate_options){.dns_name = "server.example"});
    certificate_make(
        &expired, &ca,
        &(struct certificate_options){.dns_name = "server.example", .expired = true});
    certificate_make(&elsewhere, &other_ca,
                     &(struct certificate_options){.dns_name = "server.example"});
    certificate_make(&address, &ca,
                     &(struct certificate_options){.ip_name = "10.1.2.3"});
    certificate_make(&self_signed, NULL,
                     &(struct certificate_options){.dns_name = "server.example"});
    certificate_make(&for_clients, &ca,
                     &(struct certificate_options){.dns_name = "server.example",
                                                   .for_clients = true});
    certificate_make(&client, &ca, &(struct certificate_options){.for_clients = true});

    static const char *const folders[] = {"ca",    "client",  "numbered", "no-key-1",
                                          "empty", "garbage", "no-key"};
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++)
        mkdir(in(folders[i]), 0700);
    certificate_save(&ca, in("ca/ca-cert.pem"));
    certificate_save(&ca, in("client/ca-cert.pem"));
    certificate_save(&client, in("client/client-cert.pem"));
    certificate_save_key(&client, in("client/client-key.pem"));
    certificate_save(&ca, in("numbered/ca-cert.pem"));
    certificate_save(&client, in("numbered/client-cert-0.pem"));
    certificate_save_key(&client, in("numbered/client-key-0.pem"));
    certificate_save(&ca, in("no-key-1/ca-cert.pem"));
    certificate_save(&client, in("no-key-1/client-cert-0.pem"));
    certificate_save_key(&client, in("no-key-1/client-key-0.pem"));
    certificate_save(&client, in("no-key-1/client-cert-1.pem"));
    certificate_save(&ca, in("no-key/ca-cert.pem"));
    certificate_save(&client, in("no-key/client-cert.pem"));
    file_write(in("garbage/ca-cert.pem"), "no certificate\n");
    file_write(in("psk"), "other:00ff\nalice:0123456789abcdef0123456789abcdef\n"
                          "bad:xyz\nempty:\n#c3a9:deadbeef\n");
    file_write(in("wrong-psk"), "alice:ffffffffffffffffffffffffffffffff\n");
}

static void
clear_files(void)
{
    struct certificate *all[] = {&ca,          &other_ca,    &good,
                                 &expired,     &elsewhere,   &address,
                                 &self_signed, &for_clients, &client};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        certificate_clear(all[i]);
}

static int
remove_entry(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

/* message NULL: the handshake succeeds; else a part of the client's message.  number 0:
 * any. */
static void
expect(const struct stream_tls_settings *settings,
       const struct tls_server_options *options, int number, const char *message,
       const char *name)
{
    for (int transport = PLAIN; transport <= TRICKLE; transport++) {
        struct tls_pair p;
        struct error e = {0};
        const char *how = transport == PLAIN ? "" : " (byte by byte)";

        int made = tls_pair_init(&p, transport, settings, options, &e);
        int r = made == 0 ? tls_pair_handshake(&p, &e) : -1;
        if (message)
            ok(r == -1 && (number == 0 || e.number == number) &&
                   strstr(e.text, message),
               "%s%s", name, how);
        else
            is_int(r, 0, "%s%s", name, how);
        if (r == -1)
            diag("%d %s", e.number, e.text);
        if (made == 0)
            tls_pair_clear(&p);
    }
}

static void
test_certificates(void)
{
    struct stream_tls_settings s = {.certificates = in("ca"), .verify_peer = true};
    char folder[200];

    snprintf(folder, sizeof folder, "%s", in("ca"));
    s.certificates = folder;
    s.hostname = "server.example";
#define SERVER(name) (&(struct tls_server_options){.certificate = &(name)})
    expect(&s, SERVER(good), 0, NULL, "a certificate that is right is believed");
    expect(&s, SERVER(expired), EACCES, "expired",
           "CVE-2024-7383: an expired certificate is refused");
    expect(&s, SERVER(elsewhere), EACCES, "signature",
           "CVE-2024-7383: a certificate of another authority is refused");
    expect(&s, SERVER(self_signed), EACCES, "issuer is unknown",
           "CVE-2024-7383: a self-signed certificate is refused");
    expect(&s, SERVER(address), EACCES, "name",
           "a certificate without the name is refused");
    expect(&s, SERVER(for_clients), EACCES,
           "certificate:", "another client's certificate is refused");
    s.hostname = "SERVER.example";
    expect(&s, SERVER(good), 0, NULL, "case does not matter in a name");
    s.hostname = "other.example";
    expect(&s, SERVER(good), EACCES, "name",
           "CVE-2024-7383: a certificate for another name is refused");
    s.hostname = "10.1.2.3";
    expect(&s, SERVER(address), 0, NULL, "a certificate for the address is believed");
    s.hostname = "10.1.2.4";
    expect(&s, SERVER(address), EACCES, "name",
           "a certificate for another address is refused");
    s.hostname = NULL;
    expect(&s, SERVER(good), 0, NULL, "without a name only the authority matters");
    expect(&s, SERVER(elsewhere), EACCES, "signature",
           "without a name the authority does matter");
    s.verify_peer = false;
    s.hostname = "other.example";
    expect(&s, SERVER(elsewhere), 0, NULL, "without verification anybody is believed");
    s.certificates = NULL;
    expect(&s, SERVER(self_signed), 0, NULL,
           "without verification nothing needs to be configured");
    s.verify_peer = true;
    expect(&s, SERVER(good), 0, "certificate",
           "the system's authorities do not know ours");
}

static void
test_client_certificate(void)
{
    char folder[200];
    struct stream_tls_settings s = {.certificates = folder, .verify_peer = true};
    struct tls_server_options options = {.certificate = &good, .client_ca = &ca};

    /* With TLS 1.3 the client is done before the server has looked at it. */
    options.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
    snprintf(folder, sizeof folder, "%s", in("client"));
    expect(&s, &options, 0, NULL, "a client certificate is given to whom demands one");
    snprintf(folder, sizeof folder, "%s", in("numbered"));
    expect(&s, &options, 0, NULL, "so is one with a number");
    snprintf(folder, sizeof folder, "%s", in("ca"));
    expect(&s, &options, EPROTO, "the server refused",
           "a server that misses a client certificate says so");
}

static void
test_versions(void)
{
    char folder[200];
    struct stream_tls_settings s = {.certificates = folder, .verify_peer = true};
    struct tls_server_options options = {.certificate = &good};

    snprintf(folder, sizeof folder, "%s", in("ca"));
    options.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.3";
    expect(&s, &options, 0, NULL, "TLS 1.3 is possible");
    options.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
    expect(&s, &options, 0, NULL, "TLS 1.2 is possible");
    options.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.1:%COMPAT";
    expect(&s, &options, EPROTO, "TLS handshake:", "TLS 1.1 is refused");
    options.priority = NULL;
    s.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2";
    expect(&s, &options, 0, NULL, "a priority string is possible");
    s.priority = "NORMAL:+NONSENSE";
    expect(&s, &options, EINVAL, "NONSENSE",
           "a priority string that is wrong is named");
}

static void
test_psk(void)
{
    char file[200], server_file[200];
    struct stream_tls_settings s = {
        .psk_file = file, .username = "alice", .verify_peer = true, .hostname = "x"};
    struct tls_server_options options = {.psk_file = server_file};

    snprintf(file, sizeof file, "%s", in("psk"));
    snprintf(server_file, sizeof server_file, "%s", in("psk"));
    expect(&s, &options, 0, NULL, "a pre-shared key that is right is believed");
    options.priority = "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ECDHE-PSK";
    expect(&s, &options, 0, NULL, "with TLS 1.2 too");
    options.priority = NULL;
    s.priority = "NORMAL";
    expect(&s, &options, 0, NULL, "with a priority string that does not speak of keys");
    s.priority = NULL;
    s.username = "\xc3\xa9";
    expect(&s, &options, 0, NULL, "a user name that is no plain text is found");
    snprintf(file, sizeof file, "%s", in("wrong-psk"));
    s.username = "alice";
    expect(&s, &options, EPROTO, "TLS handshake:", "a wrong key is refused");

    snprintf(file, sizeof file, "%s", in("psk"));
    s.username = "mallory";
    expect(&s, &options, ENOENT, "no key for user \"mallory\"",
           "an unknown user is named");
    s.username = "bad";
    expect(&s, &options, EINVAL, "the key of user \"bad\"", "a bad key is named");
    s.username = "empty";
    expect(&s, &options, EINVAL, "the key of user \"empty\"", "an empty key is named");
    s.username = NULL;
    /* Whoever runs this is not in the file. */
    expect(&s, &options, ENOENT, "no key for user \"", "the login name is the default");
    snprintf(file, sizeof file, "%s", in("missing"));
    expect(&s, &options, ENOENT, "missing: No such file", "a missing file is named");
}

/* Without this, anybody with any certificate could stand in for the key's holder. */
static void
test_mixed(void)
{
    char file[200], folder[200];
    struct stream_tls_settings psk = {.psk_file = file, .username = "alice"};
    struct stream_tls_settings x509 = {.certificates = folder, .verify_peer = true};
    struct tls_server_options certificate = {.certificate = &good};
    struct tls_server_options key = {.psk_file = file};

    snprintf(file, sizeof file, "%s", in("psk"));
    snprintf(folder, sizeof folder, "%s", in("ca"));
    expect(&psk, &certificate, EPROTO, "TLS handshake:",
           "a server with a certificate is refused where a key is expected");
    psk.priority = "NORMAL";
    expect(&psk, &certificate, EPROTO,
           "TLS handshake:", "with a priority string of the user's too");
    expect(&x509, &key, EPROTO, "TLS handshake:",
           "a server with a key is refused where a certificate is expected");
}

static void
test_files(void)
{
    char folder[200];
    struct stream_tls_settings s = {.certificates = folder, .verify_peer = true};
    struct tls_server_options options = {.certificate = &good};

    snprintf(folder, sizeof folder, "%s", in("nowhere"));
    expect(&s, &options, ENOENT, "nowhere: No such file",
           "a folder that is missing is named");
    snprintf(folder, sizeof folder, "%s", in("psk"));
    expect(&s, &options, ENOTDIR, "psk: Not a directory",
           "a folder that is a file is named");
    snprintf(folder, sizeof folder, "%s", in("empty"));
    expect(&s, &options, ENOENT, "empty/ca-cert.pem: No such file",
           "a folder without ca-cert.pem is refused");
    snprintf(folder, sizeof folder, "%s", in("garbage"));
    expect(&s, &options, EINVAL, "garbage/ca-cert.pem: ", "garbage is named");
    snprintf(folder, sizeof folder, "%s", in("no-key"));
    expect(&s, &options, ENOENT, "no-key/client-key.pem: No such file",
           "a client certificate needs its key");
    snprintf(folder, sizeof folder, "%s", in("no-key-1"));
    expect(&s, &options, ENOENT, "no-key-1/client-key-1.pem: No such file",
           "so does each that has a number");
    snprintf(folder, sizeof folder, "%s", in("empty"));
    s.verify_peer = false;
    expect(&s, &options, 0, NULL, "without verification no authority is needed");
}

/* What a peer that does not speak TLS gets. */
static void
test_strangers(void)
{
    static const struct {
        const char *bytes;
        size_t len;
        int number;
        const char *message, *name;
    } cases[] = {
        {"", 0, ECONNRESET, "closed the connection", "a peer that closes"},
        {"\x16\x03\x03\x00\x50", 5, ECONNRESET, "closed the connection",
         "a peer that closes inside a record"},
        {"NBDMAGICIHAVEOPT", 16, EPROTO, "TLS handshake:", "a peer that speaks NBD"},
        {"\x16\x03\x03\xff\xff\x02\x00\x00", 8, EPROTO,
         "TLS handshake:", "a record that is too long"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct stream_tls_settings s = {.verify_peer = false};
        struct error e = {0};
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == -1)
            bail_out("socketpair");
        struct stream *tls = stream_tls_new(stream_socket_new(pair[0]), &s, &e);
        r = stream_tls_handshake(tls, &e);
        ok(r == -1 && e.number == EAGAIN && stream_read_wants(tls) == STREAM_READ &&
               stream_write_wants(tls) == STREAM_READ,
           "the handshake waits for the server's answer");
        if (send(pair[1], cases[i].bytes, cases[i].len, MSG_NOSIGNAL) !=
            (ssize_t)cases[i].len)
            bail_out("send");
        shutdown(pair[1], SHUT_WR);
        for (int step = 0; step < 10 && r == -1 && e.number == EAGAIN; step++)
            r = stream_tls_handshake(tls, &e);
        ok(r == -1 && e.number == cases[i].number && strstr(e.text, cases[i].message),
           "%s is refused", cases[i].name);
        diag("%d %s", e.number, e.text);
        char byte;
        struct iovec iov = {&byte, 1};
        ok(stream_readv(tls, &iov, 1, &e) == -1 && e.number == EINVAL &&
               stream_writev(tls, &iov, 1, &e) == -1 && e.number == EINVAL,
           "nothing is read or written after that");
        stream_free(tls);
        close(pair[1]);
    }
}

int
main(void)
{
    if (!mkdtemp(directory))
        bail_out("mkdtemp");
    /* Nobody's own certificates. */
    setenv("HOME", directory, 1);
    make_files();
    test_certificates();
    test_client_certificate();
    test_versions();
    test_psk();
    test_mixed();
    test_files();
    test_strangers();
    clear_files();
    nftw(directory, remove_entry, 10, FTW_DEPTH | FTW_PHYS);
    done_testing();
}

#else

int
main(void)
{
    struct stream_tls_settings s = {.verify_peer = true};
    struct error e = {0};
    struct stream *lower = stream_socket_new(-1);

    ok(!stream_tls_supported(), "the library says that it has no TLS");
    ok(!stream_tls_new(lower, &s, &e) && e.number == ENOTSUP &&
           strstr(e.text, "built without TLS"),
       "a TLS session is refused");
    stream_free(lower);
    done_testing();
}

#endif
