/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-tls-credentials.c - reads certificates, keys and pre-shared keys
 *
 * Files are read here and given to GnuTLS as bytes, so that an error names the file.
 * Knows no session and no socket.
 */

#include "config.h"

#ifdef HAVE_GNUTLS

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base-cleanup.h"
#include "base-text.h"
#include "stream-tls.h"

#ifndef SYSCONFDIR
#define SYSCONFDIR "/etc"
#endif

/* No certificate or key file is near this. */
#define MAX_FILE_SIZE (16U << 20)
/* Client certificates with a number. */
#define MAX_NUMBERED 100U

struct secret {
    char *bytes; /* with a NUL after them */
    size_t len;
};

static void
cleanup_secret(struct secret *s)
{
    if (s->bytes)
        explicit_bzero(s->bytes, s->len);
    free(s->bytes);
}
#define CLEANUP_SECRET CLEANUP(cleanup_secret)

/* Reads until the end or the limit. */
static int
read_all(int fd, struct secret *out)
{
    ssize_t n = 0;

    while (out->len < MAX_FILE_SIZE) {
        n = read(fd, out->bytes + out->len, MAX_FILE_SIZE - out->len);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        out->len += (size_t)n;
    }
    out->bytes[out->len] = '\0';
    if (out->len == MAX_FILE_SIZE) {
        errno = EFBIG;
        return -1;
    }
    return n == 0 ? 0 : -1;
}

static int
read_file(const char *path, struct secret *out, struct error *e)
{
    int fd CLEANUP_CLOSE = open(path, O_RDONLY | O_CLOEXEC);

    if (fd == -1)
        return error_set_errno(e, errno, "%s", path);
    /* Untouched pages of it cost nothing. */
    out->bytes = malloc(MAX_FILE_SIZE + 1);
    if (!out->bytes)
        return error_set_errno(e, ENOMEM, "%s", path);
    if (read_all(fd, out) == -1)
        return error_set_errno(e, errno, "%s", path);
    char *fitted = realloc(out->bytes, out->len + 1);
    if (fitted)
        out->bytes = fitted;
    return 0;
}

static gnutls_datum_t
to_datum(const struct secret *s)
{
    return (gnutls_datum_t){.data = (unsigned char *)s->bytes,
                            .size = (unsigned)s->len};
}

static char *
join(const char *directory, const char *name)
{
    struct text t = {0};

    text_printf(&t, "%s/%s", directory, name);
    return text_steal(&t);
}

/* ---- X.509 ---- */

static int
trust_file(struct tls_credentials *credentials, const char *path, struct error *e)
{
    struct secret pem CLEANUP_SECRET = {0};

    if (read_file(path, &pem, e) == -1)
        return -1;
    gnutls_datum_t datum = to_datum(&pem);
    int r = gnutls_certificate_set_x509_trust_mem(credentials->certificates, &datum,
                                                  GNUTLS_X509_FMT_PEM);
    if (r < 0)
        return error_set(e, EINVAL, "%s: %s", path, gnutls_strerror(r));
    if (r == 0)
        return error_set(e, EINVAL, "%s: no certificate in it", path);
    return 0;
}

static int
add_revocations(struct tls_credentials *credentials, const char *path, struct error *e)
{
    struct secret pem CLEANUP_SECRET = {0};

    if (read_file(path, &pem, e) == -1)
        return -1;
    gnutls_datum_t datum = to_datum(&pem);
    int r = gnutls_certificate_set_x509_crl_mem(credentials->certificates, &datum,
                                                GNUTLS_X509_FMT_PEM);
    if (r < 0)
        return error_set(e, EINVAL, "%s: %s", path, gnutls_strerror(r));
    return 0;
}

/* Our own certificate, for servers that ask for one. */
static int
add_own(struct tls_credentials *credentials, const char *certificate, const char *key,
        struct error *e)
{
    struct secret certificate_pem CLEANUP_SECRET = {0};
    struct secret key_pem CLEANUP_SECRET = {0};

    if (read_file(certificate, &certificate_pem, e) == -1 ||
        read_file(key, &key_pem, e) == -1)
        return -1;
    gnutls_datum_t certificate_datum = to_datum(&certificate_pem);
    gnutls_datum_t key_datum = to_datum(&key_pem);
    int r = gnutls_certificate_set_x509_key_mem(
        credentials->certificates, &certificate_datum, &key_datum, GNUTLS_X509_FMT_PEM);
    if (r < 0)
        return error_set(e, EINVAL, "%s and %s: %s", certificate, key,
                         gnutls_strerror(r));
    return 0;
}

/* A file that may be missing: but one that is there and cannot be read is an error. */
static bool
is_there(const char *path)
{
    return access(path, F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

/* Adds client-cert[SUFFIX].pem and its key: 1, or 0 where they are not there. */
static int
add_own_of(struct tls_credentials *credentials, const char *directory,
           const char *suffix, struct error *e)
{
    struct text certificate_name = {0}, key_name = {0};

    text_printf(&certificate_name, "%s/client-cert%s.pem", directory, suffix);
    text_printf(&key_name, "%s/client-key%s.pem", directory, suffix);
    char *certificate CLEANUP_FREE = text_steal(&certificate_name);
    char *key CLEANUP_FREE = text_steal(&key_name);
    if (!certificate || !key)
        return error_set_errno(e, ENOMEM, "%s", directory);
    if (!is_there(certificate) && !is_there(key))
        return 0;
    return add_own(credentials, certificate, key, e) == -1 ? -1 : 1;
}

/* GnuTLS chooses among them, by what the server accepts. */
static int
add_all_own(struct tls_credentials *credentials, const char *directory, struct error *e)
{
    int added = add_own_of(credentials, directory, "", e);

    if (added == -1)
        return -1;
    for (unsigned i = 0; i < MAX_NUMBERED; i++) {
        char suffix[16];

        snprintf(suffix, sizeof suffix, "-%u", i);
        added = add_own_of(credentials, directory, suffix, e);
        if (added != 1)
            return added;
    }
    return 0;
}

static int
use_directory(struct tls_credentials *credentials, const char *directory,
              bool verify_peer, struct error *e)
{
    char *ca CLEANUP_FREE = join(directory, "ca-cert.pem");
    char *crl CLEANUP_FREE = join(directory, "ca-crl.pem");

    if (!ca || !crl)
        return error_set_errno(e, ENOMEM, "%s", directory);
    /* Without verification nobody needs to be trusted. */
    if ((verify_peer || is_there(ca)) && trust_file(credentials, ca, e) == -1)
        return -1;
    if (is_there(crl) && add_revocations(credentials, crl, e) == -1)
        return -1;
    return add_all_own(credentials, directory, e);
}

static int
use_system_trust(struct tls_credentials *credentials, bool verify_peer, struct error *e)
{
    int r = gnutls_certificate_set_x509_system_trust(credentials->certificates);

    if (r > 0 || !verify_peer)
        return 0;
    if (r < 0)
        return error_set(e, ENOENT, "the system's certificate authorities: %s",
                         gnutls_strerror(r));
    return error_set(e, ENOENT,
                     "the system has no certificate authorities: give a "
                     "directory with ca-cert.pem");
}

/* Root's is the system's, whatever HOME says: under sudo it may be another user's. */
static int
use_default_directory(struct tls_credentials *credentials, bool verify_peer,
                      struct error *e)
{
    static const char *const in_home[] = {"/.pki/libnbd", "/.config/pki/libnbd"};
    const char *home = getenv("HOME");
    bool root = geteuid() == 0;

    for (size_t i = 0; i < (root ? 1 : 2); i++) {
        struct text t = {0};
        if (root)
            text_append(&t, SYSCONFDIR "/pki/libnbd");
        else if (home && home[0] == '/')
            text_printf(&t, "%s%s", home, in_home[i]);
        else
            break;
        char *directory CLEANUP_FREE = text_steal(&t);
        char *ca CLEANUP_FREE = directory ? join(directory, "ca-cert.pem") : NULL;
        if (!ca)
            return error_set_errno(e, ENOMEM, "looking for certificates");
        if (access(ca, F_OK) == 0)
            return use_directory(credentials, directory, verify_peer, e);
    }
    return use_system_trust(credentials, verify_peer, e);
}

static int
init_certificates(struct tls_credentials *credentials,
                  const struct stream_tls_settings *settings, struct error *e)
{
    struct stat st;

    int r = gnutls_certificate_allocate_credentials(&credentials->certificates);
    if (r < 0)
        return error_set(e, ENOMEM, "TLS certificates: %s", gnutls_strerror(r));
    if (!settings->certificates)
        return use_default_directory(credentials, settings->verify_peer, e);
    if (stat(settings->certificates, &st) == -1)
        return error_set_errno(e, errno, "TLS certificates directory %s",
                               settings->certificates);
    if (!S_ISDIR(st.st_mode))
        return error_set_errno(e, ENOTDIR, "TLS certificates directory %s",
                               settings->certificates);
    return use_directory(credentials, settings->certificates, settings->verify_peer, e);
}

/* ---- pre-shared keys ---- */

/* The user that this process runs as. */
static char *
login_name(struct error *e)
{
    struct passwd entry, *found = NULL;
    char buffer[4096];

    int r = getpwuid_r(geteuid(), &entry, buffer, sizeof buffer, &found);
    if (!found) {
        error_set(e, r ? r : ENOENT,
                  "user %lu has no login name: set the TLS user name",
                  (unsigned long)geteuid());
        return NULL;
    }
    char *name = strdup(found->pw_name);
    if (!name)
        error_set_errno(e, ENOMEM, "TLS user name");
    return name;
}

/* Is the first field of a line this user?  psktool(1) writes names that are not plain
 * text as "#" and hexadecimal digits. */
static bool
is_user(const char *field, size_t len, const char *username)
{
    if (len == strlen(username) && memcmp(field, username, len) == 0)
        return true;
    if (len == 0 || field[0] != '#' || len - 1 != 2 * strlen(username))
        return false;
    for (size_t i = 0; username[i]; i++) {
        static const char digits[] = "0123456789abcdef";
        unsigned char c = (unsigned char)username[i];
        if (tolower((unsigned char)field[1 + 2 * i]) != digits[c >> 4] ||
            tolower((unsigned char)field[2 + 2 * i]) != digits[c & 15])
            return false;
    }
    return true;
}

/* Finds "user:key" in the file's text: the key, and its length in *len. */
static const char *
find_key(const char *file, const char *username, size_t *len)
{
    while (*file) {
        size_t line = strcspn(file, "\n");
        size_t name = strcspn(file, ":\n");
        if (name < line && is_user(file, name, username)) {
            const char *key = file + name + 1;
            *len = line - name - 1;
            while (*len > 0 && isspace((unsigned char)key[*len - 1]))
                --*len;
            return key;
        }
        file += line + (file[line] == '\n');
    }
    return NULL;
}

static int
init_psk(struct tls_credentials *credentials,
         const struct stream_tls_settings *settings, struct error *e)
{
    struct secret file CLEANUP_SECRET = {0};
    char *login CLEANUP_FREE = NULL;
    const char *username = settings->username;
    size_t len;

    if (!username) {
        login = login_name(e);
        if (!login)
            return -1;
        username = login;
    }
    if (read_file(settings->psk_file, &file, e) == -1)
        return -1;
    const char *key = find_key(file.bytes, username, &len);
    if (!key)
        return error_set(e, ENOENT, "%s: no key for user \"%s\" in it",
                         settings->psk_file, username);

    gnutls_datum_t hex = {.data = (unsigned char *)key, .size = (unsigned)len};
    int r = gnutls_psk_allocate_client_credentials(&credentials->psk);
    if (r < 0)
        return error_set(e, ENOMEM, "TLS pre-shared key: %s", gnutls_strerror(r));
    r = len == 0 ? GNUTLS_E_PARSING_ERROR
                 : gnutls_psk_set_client_credentials(credentials->psk, username, &hex,
                                                     GNUTLS_PSK_KEY_HEX);
    if (r < 0)
        return error_set(e, EINVAL, "%s: the key of user \"%s\": %s",
                         settings->psk_file, username, gnutls_strerror(r));
    return 0;
}

int
tls_credentials_init(struct tls_credentials *credentials,
                     const struct stream_tls_settings *settings, struct error *e)
{
    *credentials = (struct tls_credentials){0};
    int r = settings->psk_file ? init_psk(credentials, settings, e)
                               : init_certificates(credentials, settings, e);
    if (r == -1)
        tls_credentials_clear(credentials);
    return r;
}

void
tls_credentials_clear(struct tls_credentials *credentials)
{
    if (credentials->certificates)
        gnutls_certificate_free_credentials(credentials->certificates);
    if (credentials->psk)
        gnutls_psk_free_client_credentials(credentials->psk);
    *credentials = (struct tls_credentials){0};
}

#endif /* HAVE_GNUTLS */
