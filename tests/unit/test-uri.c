/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-uri.c - NBD URIs: what each means, what is refused and why, and back to text */

#include "tap.h"

#include <errno.h>

#include "base-cleanup.h"
#include "base-text.h"
#include "connect.h"

/* ---- what a URI means, in one line ---- */

static void
add_field(struct text *t, const char *name, const char *value, size_t len)
{
    if (!value)
        return;
    char *printable CLEANUP_FREE = text_printable(value, len, 1000);
    text_printf(t, " %s=%s", name, printable);
}

static void
add_string(struct text *t, const char *name, const char *value)
{
    add_field(t, name, value, value ? strlen(value) : 0);
}

static char *
describe(const struct uri *u)
{
    static const char *const transports[] = {"tcp", "unix", "vsock", "ssh"};
    struct text t = {0};

    text_append(&t, transports[u->transport]);
    text_append(&t, u->tls ? " tls" : "");
    if (u->transport == URI_VSOCK)
        text_printf(&t, " cid=%u port=%u", u->vsock_cid, u->vsock_port);
    add_string(&t, "user", u->username);
    add_string(&t, "host", u->host);
    add_string(&t, "port", u->port);
    add_string(&t, "nbd-port", u->nbd_port);
    text_append(&t, u->compress ? " compress" : "");
    add_field(&t, "socket", u->socket, u->socket_len);
    add_string(&t, "certificates", u->tls_certificates);
    add_string(&t, "psk", u->tls_psk_file);
    add_string(&t, "tls-user", u->tls_username);
    add_string(&t, "hostname", u->tls_hostname);
    add_string(&t, "priority", u->tls_priority);
    if (u->tls_verify_peer != -1)
        text_printf(&t, " verify=%d", u->tls_verify_peer);
    text_printf(&t, " export=%s", u->export_name);
    return text_steal(&t);
}

/* ---- URIs that are right ---- */

/* text: what uri_format makes of it; NULL: the same as uri. */
static const struct {
    const char *uri, *meaning, *text;
} good[] = {
    /* TCP */
    {"nbd://example.com/", "tcp host=example.com port=10809 export=", NULL},
    {"nbd://example.com",
     "tcp host=example.com port=10809 export=", "nbd://example.com/"},
    {"nbd://example.com/disk", "tcp host=example.com port=10809 export=disk", NULL},
    {"nbd://example.com//disk", "tcp host=example.com port=10809 export=/disk", NULL},
    {"nbd://example.com///", "tcp host=example.com port=10809 export=//", NULL},
    {"nbd://example.com/hello%20world",
     "tcp host=example.com port=10809 export=hello world", NULL},
    {"nbd://example.com/a/b/c", "tcp host=example.com port=10809 export=a/b/c", NULL},
    {"nbd://example.com/a%2fb", "tcp host=example.com port=10809 export=a/b",
     "nbd://example.com/a/b"},
    {"nbd://example.com/../x/.", "tcp host=example.com port=10809 export=../x/.", NULL},
    {"nbd://example.com/a+b=c&d", "tcp host=example.com port=10809 export=a+b=c&d",
     NULL},
    {"nbd://example.com/a:b@c!$'()*,;",
     "tcp host=example.com port=10809 export=a:b@c!$'()*,;", NULL},
    {"nbd://example.com/100%25", "tcp host=example.com port=10809 export=100%", NULL},
    {"nbd://example.com/%C3%A9", "tcp host=example.com port=10809 export=\xc3\xa9",
     NULL},
    {"nbd://example.com/%c3%a9", "tcp host=example.com port=10809 export=\xc3\xa9",
     "nbd://example.com/%C3%A9"},
    {"nbd://example.com/%3f%23%5b%5d", "tcp host=example.com port=10809 export=?#[]",
     "nbd://example.com/%3F%23%5B%5D"},
    {"nbd://example.com?",
     "tcp host=example.com port=10809 export=", "nbd://example.com/"},
    {"nbd://example.com/?&&",
     "tcp host=example.com port=10809 export=", "nbd://example.com/"},
    {"nbd://example.com:1/x", "tcp host=example.com port=1 export=x", NULL},
    {"nbd://example.com:65535/x", "tcp host=example.com port=65535 export=x", NULL},
    {"nbd://example.com:00010809/",
     "tcp host=example.com port=10809 export=", "nbd://example.com/"},
    {"nbd://example.com:/x", "tcp host=example.com port=10809 export=x",
     "nbd://example.com/x"},
    {"nbd:///x", "tcp host=localhost port=10809 export=x", "nbd://localhost/x"},
    {"nbd://", "tcp host=localhost port=10809 export=", "nbd://localhost/"},
    {"nbd://:77/", "tcp host=localhost port=77 export=", "nbd://localhost:77/"},
    {"nbd://10.0.0.1/", "tcp host=10.0.0.1 port=10809 export=", NULL},
    {"nbd://[::1]/", "tcp host=::1 port=10809 export=", NULL},
    {"nbd://[2001:db8::7]:99/x", "tcp host=2001:db8::7 port=99 export=x", NULL},
    {"nbd://[::ffff:1.2.3.4]/", "tcp host=::ffff:1.2.3.4 port=10809 export=", NULL},
    {"nbd://[fe80::1%25eth0]:5/", "tcp host=fe80::1%eth0 port=5 export=", NULL},
    {"nbd://ex%61mple.com/",
     "tcp host=example.com port=10809 export=", "nbd://example.com/"},
    {"nbd://example.com/?nbd-port=77",
     "tcp host=example.com port=77 export=", "nbd://example.com:77/"},
    {"nbd://example.com:1/?nbd-port=77",
     "tcp host=example.com port=77 export=", "nbd://example.com:77/"},
    {"NBD://Example.COM/X", "tcp host=Example.COM port=10809 export=X",
     "nbd://Example.COM/X"},
    {"NbDs://h/", "tcp tls host=h port=10809 export=", "nbds://h/"},
    {"nbd://-h/", "tcp host=-h port=10809 export=", NULL},
    /* TLS */
    {"nbds://example.com/", "tcp tls host=example.com port=10809 export=", NULL},
    {"nbds://alice@example.com/",
     "tcp tls user=alice host=example.com port=10809 export=", NULL},
    {"nbds://al%3Ai%40ce@h/", "tcp tls user=al:i@ce host=h port=10809 export=", NULL},
    {"nbds://@h/", "tcp tls host=h port=10809 export=", "nbds://h/"},
    {"nbds://alice@/",
     "tcp tls user=alice host=localhost port=10809 export=", "nbds://alice@localhost/"},
    {"nbds://h/?tls-certificates=/etc/pki/x",
     "tcp tls host=h port=10809 certificates=/etc/pki/x export=", NULL},
    {"nbds://h/?tls-psk-file=/k.psk",
     "tcp tls host=h port=10809 psk=/k.psk export=", NULL},
    {"nbds://h/?tls-psk-file=a%26b%3Dc%3Bd",
     "tcp tls host=h port=10809 psk=a&b=c;d export=", NULL},
    {"nbds://h/?tls-psk-file=a=b",
     "tcp tls host=h port=10809 psk=a=b export=", "nbds://h/?tls-psk-file=a%3Db"},
    {"nbds://h/?tls-psk-file=a+b",
     "tcp tls host=h port=10809 psk=a+b export=", "nbds://h/?tls-psk-file=a%2Bb"},
    {"nbds://alice@h/?tls-username=bob",
     "tcp tls user=alice host=h port=10809 tls-user=bob export=", NULL},
    {"nbds://h/?tls-hostname=other.example",
     "tcp tls host=h port=10809 hostname=other.example export=", NULL},
    {"nbds://h/?tls-priority=NORMAL:-VERS-TLS1.2",
     "tcp tls host=h port=10809 priority=NORMAL:-VERS-TLS1.2 export=", NULL},
    {"nbds://h/?tls-verify-peer=0",
     "tcp tls host=h port=10809 verify=0 export=", "nbds://h/?tls-verify-peer=false"},
    {"nbds://h/?tls-verify-peer=1",
     "tcp tls host=h port=10809 verify=1 export=", "nbds://h/?tls-verify-peer=true"},
    {"nbds://h/?tls-verify-peer=false",
     "tcp tls host=h port=10809 verify=0 export=", NULL},
    {"nbds://h/?tls-verify-peer=TRUE",
     "tcp tls host=h port=10809 verify=1 export=", "nbds://h/?tls-verify-peer=true"},
    {"nbds://h/?tls-type=x509", "tcp tls host=h port=10809 export=", "nbds://h/"},
    {"nbds://h/?tls-type=psk&tls-psk-file=k",
     "tcp tls host=h port=10809 psk=k export=", "nbds://h/?tls-psk-file=k"},
    {"nbds://h/?tls%2Dhostname=x",
     "tcp tls host=h port=10809 hostname=x export=", "nbds://h/?tls-hostname=x"},
    {"nbds://h/x?tls-certificates=c&tls-hostname=n;tls-username=u",
     "tcp tls host=h port=10809 certificates=c tls-user=u hostname=n export=x",
     "nbds://h/x?tls-certificates=c&tls-username=u&tls-hostname=n"},
    /* Unix */
    {"nbd+unix:///?socket=/tmp/nbd.sock", "unix socket=/tmp/nbd.sock export=", NULL},
    {"nbd+unix:///foo?socket=/tmp/nbd.sock", "unix socket=/tmp/nbd.sock export=foo",
     NULL},
    {"nbd+unix:////foo?socket=s", "unix socket=s export=/foo", NULL},
    {"nbd+unix://?socket=s", "unix socket=s export=", "nbd+unix:///?socket=s"},
    {"nbds+unix://alice@/?socket=/tmp/nbd.sock&tls-certificates=certs",
     "unix tls user=alice socket=/tmp/nbd.sock certificates=certs export=", NULL},
    {"nbd+unix:///?socket=%00/abstract", "unix socket=\\x00/abstract export=", NULL},
    {"nbd+unix:///?socket=%00a%00b", "unix socket=\\x00a\\x00b export=", NULL},
    {"nbd+unix:///?socket=/a%20b", "unix socket=/a b export=", NULL},
    {"nbd+unix:///?socket=/a?b",
     "unix socket=/a?b export=", "nbd+unix:///?socket=/a%3Fb"},
    {"nbd+unix://host:99/x?socket=s", "unix socket=s export=x",
     "nbd+unix:///x?socket=s"},
    {"NBD+UNIX:///?socket=s", "unix socket=s export=", "nbd+unix:///?socket=s"},
    /* vsock */
    {"nbd+vsock:///", "vsock cid=2 port=10809 export=", "nbd+vsock://2/"},
    {"nbd+vsock://3/x", "vsock cid=3 port=10809 export=x", NULL},
    {"nbds+vsock://3:99/x", "vsock tls cid=3 port=99 export=x", NULL},
    {"nbd+vsock://:99/", "vsock cid=2 port=99 export=", "nbd+vsock://2:99/"},
    {"nbd+vsock://4294967295:4294967295/",
     "vsock cid=4294967295 port=4294967295 export=", NULL},
    {"nbd+vsock://1/?nbd-port=4294967295",
     "vsock cid=1 port=4294967295 export=", "nbd+vsock://1:4294967295/"},
    /* ssh */
    {"nbd+ssh://server/", "ssh host=server nbd-port=10809 export=", NULL},
    {"nbds+ssh://joe@server:2222/x",
     "ssh tls user=joe host=server port=2222 nbd-port=10809 export=x", NULL},
    {"nbd+ssh://server:10809/",
     "ssh host=server port=10809 nbd-port=10809 export=", NULL},
    {"nbd+ssh://server/?nbd-port=77&compress=true",
     "ssh host=server nbd-port=77 compress export=", NULL},
    {"nbd+ssh://server/?compress=false",
     "ssh host=server nbd-port=10809 export=", "nbd+ssh://server/"},
    {"nbd+ssh://server/x?socket=/run/nbd.sock",
     "ssh host=server nbd-port=10809 socket=/run/nbd.sock export=x", NULL},
    {"nbds+ssh://joe@server/?tls-username=ann",
     "ssh tls user=joe host=server nbd-port=10809 tls-user=ann export=", NULL},
    {"nbd+ssh://[::1]/", "ssh host=::1 nbd-port=10809 export=", NULL},
};

static char *
meaning_of(const char *text, char **formatted)
{
    struct uri u;
    struct error e;

    if (uri_parse(text, &u, &e) == -1) {
        diag("%s", e.text);
        return NULL;
    }
    char *meaning = describe(&u);
    if (formatted)
        *formatted = uri_format(&u);
    uri_clear(&u);
    return meaning;
}

static void
test_good(void)
{
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        char *formatted CLEANUP_FREE = NULL;
        char *meaning CLEANUP_FREE = meaning_of(good[i].uri, &formatted);
        is_str(meaning, good[i].meaning, "%s is understood", good[i].uri);
        const char *text = good[i].text ? good[i].text : good[i].uri;
        is_str(formatted, text, "%s is written as %s", good[i].uri, text);
        char *again CLEANUP_FREE = formatted ? meaning_of(formatted, NULL) : NULL;
        is_str(again, good[i].meaning, "%s means the same when it is read again",
               good[i].uri);
    }
}

/* ---- URIs that are wrong ---- */

static const struct {
    const char *uri;
    size_t at; /* the character that the message must name */
    const char *says;
} bad[] = {
    {"", 1, "must begin with nbd://"},
    {"nbd", 1, "must begin with nbd://"},
    {"nbd:", 1, "must begin with nbd://"},
    {"nbd:/x", 1, "must begin with nbd://"},
    {"/tmp/sock", 1, "must begin with nbd://"},
    {"nbd+unix:/x?socket=s", 1, "must begin with nbd://"},
    {"http://example.com/", 1, "unknown scheme"},
    {"nbdx://example.com/", 1, "unknown scheme"},
    {"nbd+tcp://example.com/", 1, "unknown scheme"},
    {"://example.com/", 1, "unknown scheme"},
    {" nbd://h/", 1, "unknown scheme"},
    {"nbd://h/a b", 10, "must be written as %20"},
    {"nbd://h/a\nb", 10, "must be written as %0A"},
    {"nbd://h/\xc3\xa9", 9, "must be written as %C3"},
    {"nbd://h/{x}", 9, "'{' must be written as %7B"},
    {"nbd://h/a\"b", 10, "must be written as %22"},
    {"nbd://h/a\\b", 10, "must be written as %5C"},
    {"nbd://h/a[1]", 10, "'[' must be written as %5B"},
    {"nbd://h/x?tls-hostname=a]", 25, "']' must be written as %5D"},
    {"nbd://h/x#y", 10, "'#' in a name must be written as %23"},
    {"nbd://h/%", 9, "two hexadecimal digits"},
    {"nbd://h/%4", 9, "two hexadecimal digits"},
    {"nbd://h/%zz", 9, "two hexadecimal digits"},
    {"nbd://h/%-1", 9, "two hexadecimal digits"},
    {"nbd://h/a%00b", 9, "the export name contains %00"},
    {"nbd://h%00/", 7, "the host name contains %00"},
    {"nbd://u%00@h/", 7, "the user name contains %00"},
    {"nbd://user:pw@h/", 11, "a password is not possible"},
    {"nbd://a@b@h/", 8, "'@' in the user name"},
    {"nbd://h:0/", 9, "the port must be a number from 1 to 65535"},
    {"nbd://h:65536/", 9, "the port must be a number from 1 to 65535"},
    {"nbd://h:99999999999999999999999/", 9, "the port must be a number"},
    {"nbd://h:nbd/", 9, "the port is not a number"},
    {"nbd://h:12x/", 11, "the port is not a number"},
    {"nbd://h:-1/", 9, "the port is not a number"},
    {"nbd://h:1:2/", 10, "the port is not a number"},
    {"nbd://::1/", 8, "the port is not a number"},
    {"nbd://[::1/", 7, "no ']'"},
    {"nbd://[::1]x/", 12, "only \":PORT\" can follow"},
    {"nbd://[example.com]/", 8, "only an IPv6 address can be in brackets"},
    {"nbd://[1.2.3.4]/", 8, "only an IPv6 address can be in brackets"},
    {"nbd://[]/", 8, "only an IPv6 address can be in brackets"},
    {"nbd://[v1.x]/", 8, "only an IPv6 address can be in brackets"},
    {"nbd://[fe80::1%25]/", 8, "the zone of the IPv6 address is empty"},
    {"nbd://h]x/", 7, "']' in the host name"},
    {"nbd://al%3Aice/", 7, "':' in the host name"},
    {"nbd://h/?foo=bar", 10, "unknown parameter \"foo\""},
    {"nbd://h/?foo", 10, "unknown parameter \"foo\""},
    {"nbd://h/?x-new=1", 10, "unknown parameter \"x-new\""},
    {"nbd://h/?=1", 10, "unknown parameter \"\""},
    {"nbd://h/?f%0Ao=1", 10, "unknown parameter \"f\\x0ao\""},
    {"nbd://h/?TLS-HOSTNAME=x", 10, "unknown parameter \"TLS-HOSTNAME\""},
    {"nbd://h/?tls-hostname=x&foo=1", 25, "unknown parameter \"foo\""},
    {"nbd://h/?tls-hostname", 10, "\"tls-hostname\" has no value"},
    {"nbd://h/?tls-hostname=", 23, "\"tls-hostname\" has no value"},
    {"nbd://h/?tls-hostname=x&tls-hostname=x", 25, "\"tls-hostname\" is given twice"},
    {"nbd://h/?tls-hostname=a%00", 23, "\"tls-hostname\" contains %00"},
    {"nbd://h/?a%00=1", 10, "a parameter's name contains %00"},
    {"nbd://h/?tls-verify-peer=2", 26, "\"tls-verify-peer\" must be true or false"},
    {"nbd://h/?tls-verify-peer=", 26, "\"tls-verify-peer\" must be true or false"},
    {"nbd://h/?tls-type=anon", 19, "\"tls-type\" must be x509 or psk"},
    {"nbd://h/?nbd-port=0", 19, "\"nbd-port\" must be a number from 1 to 65535"},
    {"nbd://h/?socket=/s", 17, "\"socket\" is only possible with nbd+unix"},
    {"nbd+vsock:///?socket=/s", 22, "\"socket\" is only possible with nbd+unix"},
    {"nbd://h/?compress=true", 19, "\"compress\" is only possible with ssh"},
    {"nbd+unix:///", 13, "the parameter \"socket\" is missing"},
    {"nbds+unix:///x", 15, "nbds+unix:///NAME?socket=PATH"},
    {"nbd+unix:///?SOCKET=/s", 14, "unknown parameter \"SOCKET\""},
    {"nbd+unix:///?socket=", 21, "\"socket\" has no value"},
    {"nbd+unix:///?socket", 14, "\"socket\" has no value"},
    {"nbd+unix:///?socket=%00", 21, "\"socket\" has no value"},
    {"nbd+unix:///?socket=a%00b", 21, "only possible at the beginning"},
    {"nbd+unix:///?socket=a&socket=b", 23, "\"socket\" is given twice"},
    {"nbd+unix:///?socket=a&nbd-port=1", 32, "not possible with a Unix socket"},
    {"nbd+unix:///?socket=a;b", 23, "unknown parameter \"b\""},
    {"nbd+vsock://host/", 13, "the CID is not a number"},
    {"nbd+vsock://[::1]/", 13, "the CID is not a number"},
    {"nbd+vsock://4294967296/", 13, "the CID must be a number from 0 to 4294967295"},
    {"nbd+vsock://2:4294967296/", 15, "the port must be a number from 0 to"},
    {"nbd+ssh://-oProxyCommand=x/", 11, "the host name begins with '-'"},
    {"nbd+ssh://%2DoProxyCommand=x/", 11, "the host name begins with '-'"},
    {"nbds+ssh://joe@-h/", 16, "the host name begins with '-'"},
    {"nbd+ssh://-l@h/", 11, "the user name begins with '-'"},
    {"nbd+ssh://h/?compress=maybe", 23, "\"compress\" must be true or false"},
    {"nbd+ssh://h/?socket=%00a", 21, "not possible with ssh"},
    {"nbd+ssh://h/?socket=-cid", 21, "the socket's name begins with '-'"},
    {"nbds+ssh://h/?socket=%2De", 22, "the socket's name begins with '-'"},
};

static void
test_bad(void)
{
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char *name CLEANUP_FREE = text_printable(bad[i].uri, strlen(bad[i].uri), 1000);
        char place[40];
        struct uri u;
        struct error e = {0};

        snprintf(place, sizeof place, "at character %zu of ", bad[i].at);
        int r = uri_parse(bad[i].uri, &u, &e);
        ok(r == -1 && e.number == EINVAL && strstr(e.text, bad[i].says) &&
               strstr(e.text, place),
           "\"%s\" is refused: %s", name, bad[i].says);
        if (r == 0)
            uri_clear(&u);
        else if (!strstr(e.text, bad[i].says) || !strstr(e.text, place))
            diag("wanted \"%s\" %s, got: %s", bad[i].says, place, e.text);
    }
}

/* ---- the rest ---- */

static void
test_long(void)
{
    struct text t = {0};
    struct uri u;
    struct error e;

    text_append(&t, "nbd://h/");
    for (int i = 0; i < 100000; i++)
        text_append(&t, "%41");
    char *long_uri CLEANUP_FREE = text_steal(&t);
    ok(uri_parse(long_uri, &u, &e) == 0 && strlen(u.export_name) == 100000,
       "a URI can be as long as memory allows");
    uri_clear(&u);
    long_uri[300005] = '^';
    ok(uri_parse(long_uri, &u, &e) == -1 && strstr(e.text, "at character 300006 of"),
       "an error far inside a long URI names the place");
    ok(strlen(e.text) < 400 && strstr(e.text, "..."),
       "a long URI is cut in the message");
}

static void
test_password(void)
{
    static const char *const uris[] = {"nbd://user:secret@h/", "nbd://u:secret@h:x/",
                                       "nbds://:secret@[::1]/?what",
                                       "nbd+unix://u:sec:ret@/?socket=s"};
    struct uri u;

    for (size_t i = 0; i < sizeof uris / sizeof uris[0]; i++) {
        struct error e = {0};
        int r = uri_parse(uris[i], &u, &e);
        ok(r == -1 && strstr(e.text, ":***@") && !strstr(e.text, "sec") &&
               !strstr(e.text, "ret"),
           "a password is not in the message for URI %zu", i + 1);
    }
    struct error e = {0};
    ok(uri_parse("nbd://h:1x/a@b", &u, &e) == -1 && strstr(e.text, "h:1x/a@b"),
       "what is no password is");
}

static void
test_is_nbd(void)
{
    static const char *const yes[] = {"nbd://", "NBDS://x", "nbd+unix:///?",
                                      "nbds+ssh://h", "nbd+vsock://"};
    static const char *const no[] = {
        "",         "nbd",     "nbd:",      "nbd:/",  "nbdx://",
        "disk.img", "xnbd://", "http://h/", "nbd+://"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++)
        ok(uri_is_nbd(yes[i]), "\"%s\" looks like an NBD URI", yes[i]);
    for (size_t i = 0; i < sizeof no / sizeof no[0]; i++)
        ok(!uri_is_nbd(no[i]), "\"%s\" does not look like an NBD URI", no[i]);
}

static char *
ssh_command(const char *text)
{
    struct uri u;
    struct error e;
    struct text t = {0};

    if (uri_parse(text, &u, &e) == -1)
        bail_out("%s", e.text);
    char **argv CLEANUP_FREE_STRINGS = uri_ssh_command(&u);
    uri_clear(&u);
    for (size_t i = 0; argv && argv[i]; i++)
        text_printf(&t, "%s<%s>", i ? " " : "", argv[i]);
    return text_steal(&t);
}

static void
test_ssh(void)
{
    static const struct {
        const char *uri, *command;
    } cases[] = {
        {"nbd+ssh://h/", "<ssh> <--> <h> <nc> <localhost> <10809>"},
        {"nbd+ssh://joe@h:22/?compress=true&nbd-port=7",
         "<ssh> <-C> <-p> <22> <-l> <joe> <--> <h> <nc> <localhost> <7>"},
        {"nbd+ssh://h/?socket=/a", "<ssh> <--> <h> <nc> <-U> <'/a'>"},
        {"nbd+ssh://h/?socket=/a'%3Brm%20-rf%20'",
         "<ssh> <--> <h> <nc> <-U> <'/a'\\'';rm -rf '\\'''>"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *command CLEANUP_FREE = ssh_command(cases[i].uri);
        is_str(command, cases[i].command, "%s makes the right ssh command",
               cases[i].uri);
    }
}

int
main(void)
{
    test_good();
    test_bad();
    test_long();
    test_password();
    test_is_nbd();
    test_ssh();
    done_testing();
}
