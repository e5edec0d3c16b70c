/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-tls-stream.c - bytes over TLS: whole, in pieces, from two threads, and the end
 */

#include "config.h"

#include "tap.h"

#ifdef HAVE_GNUTLS

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base-cleanup.h"
#include "stream-tls.h"
#include "tls-pair.h"

static struct certificate certificate;

/* Byte i of a stream. */
static uint8_t
pattern(size_t i)
{
    return (uint8_t)(i * 7 + (i >> 8) * 13 + (i >> 16));
}

static bool
is_pattern(const uint8_t *bytes, size_t len, size_t first)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != pattern(first + i))
            return false;
    return true;
}

static uint8_t *
make_pattern(size_t len)
{
    uint8_t *bytes = malloc(len + 1);

    if (!bytes)
        bail_out("no memory");
    for (size_t i = 0; i < len; i++)
        bytes[i] = pattern(i);
    return bytes;
}

/* ---- one side at a time ---- */

/* Pieces of all sizes in one write; the server reads meanwhile. */
static void
test_writing(enum transport transport, const char *priority, size_t size)
{
    struct tls_pair p;
    struct error e;
    struct iovec iov[20];
    uint8_t *bytes CLEANUP_FREE = make_pattern(size);
    uint8_t *got CLEANUP_FREE = malloc(size + 1);
    size_t sent = 0, received = 0, refused = 0;

    connect_pair(&p, transport, &certificate, priority);
    while (received < size) {
        int n = 0;
        size_t at = sent;
        for (; n < 20 && at < size; n++) {
            size_t len = (size_t)(n % 5) * (size_t)(n % 5) * 1000 + (size_t)(n % 3);
            if (n == 19 || len > size - at)
                len = size - at;
            iov[n] = (struct iovec){bytes + at, len};
            at += len;
        }
        ssize_t r = n > 0 ? stream_writev(p.client, iov, n, &e) : 0;
        if (r == -1 && e.number != EAGAIN)
            bail_out("%s", e.text);
        refused += r == -1;
        sent += r > 0 ? (size_t)r : 0;
        received += server_read(&p, got + received, size - received);
    }
    ok(sent == size && memcmp(bytes, got, size) == 0,
       "%zu bytes are written as they are (%s, %s)", size,
       transport == PLAIN ? "socket" : "byte by byte", priority);
    if (transport == TRICKLE && size > 0)
        ok(refused > 0, "the transport had refused bytes %zu times", refused);
    tls_pair_clear(&p);
}

static void
test_reading(enum transport transport, const char *priority, size_t size)
{
    struct tls_pair p;
    struct error e;
    uint8_t *bytes CLEANUP_FREE = make_pattern(size);
    uint8_t *got CLEANUP_FREE = malloc(size + 1);
    size_t sent = 0, received = 0;

    connect_pair(&p, transport, &certificate, priority);
    while (received < size) {
        if (sent < size) {
            ssize_t n = gnutls_record_send(p.server.session, bytes + sent, size - sent);
            if (n > 0)
                sent += (size_t)n;
            else if (n != GNUTLS_E_AGAIN)
                bail_out("server: %s", gnutls_strerror((int)n));
        }
        size_t left = size - received, first = left < 100 ? left : 100;
        struct iovec iov[3] = {
            {got + received, first}, {NULL, 0}, {got + received + first, left - first}};
        ssize_t n = stream_readv(p.client, iov, 3, &e);
        if (n == 0 || (n == -1 && e.number != EAGAIN))
            bail_out("client: %s", n == 0 ? "end" : e.text);
        received += n > 0 ? (size_t)n : 0;
    }
    ok(memcmp(bytes, got, size) == 0, "%zu bytes are read as they are (%s, %s)", size,
       transport == PLAIN ? "socket" : "byte by byte", priority);
    ok(read_one(p.client, got, 1, &e) == -1 && e.number == EAGAIN &&
           !stream_pending(p.client),
       "then nothing is left");
    tls_pair_clear(&p);
}

static void
test_records(void)
{
    struct tls_pair p;
    struct error e;
    uint8_t buffer[20000];
    struct iovec small[3] = {{"header", 6}, {"", 0}, {"payload", 7}};

    connect_pair(&p, PLAIN, &certificate, TLS13);
    is_int(stream_writev(p.client, small, 3, &e), 13, "small pieces are written");
    is_int(gnutls_record_recv(p.server.session, buffer, sizeof buffer), 13,
           "small pieces share a record");
    is_int(stream_writev(p.client, small, 0, &e), 0, "writing nothing is possible");

    server_write(&p, "0123456789", 10);
    wait_for(p.client, STREAM_READ);
    is_int(read_one(p.client, buffer, 4, &e), 4, "part of a record can be read");
    ok(stream_pending(p.client), "the rest of it is pending");
    is_int(read_one(p.client, buffer, 100, &e), 6, "the rest of it can be read");
    ok(!stream_pending(p.client), "nothing is pending then");

    server_write(&p, "one", 3);
    server_write(&p, "two", 3);
    wait_for(p.client, STREAM_READ);
    is_int(read_one(p.client, buffer, 3, &e), 3, "the first of two records is read");
    ok(stream_pending(p.client), "a record that is still encrypted is pending");
    is_int(read_one(p.client, buffer, 100, &e), 3, "the second of two records is read");
    server_write(&p, "one", 3);
    server_write(&p, "two", 3);
    wait_for(p.client, STREAM_READ);
    is_int(read_one(p.client, buffer, 100, &e), 6, "one read takes several records");
    tls_pair_clear(&p);
}

/* Nobody reads: what was taken, and only that, arrives later. */
static void
test_full(void)
{
    enum { SIZE = 8 << 20 };
    struct tls_pair p;
    struct error e;
    uint8_t *bytes CLEANUP_FREE = make_pattern(SIZE);
    uint8_t *got CLEANUP_FREE = malloc(SIZE);
    size_t taken = 0;
    ssize_t n;

    connect_pair(&p, PLAIN, &certificate, TLS13);
    for (;;) {
        struct iovec iov = {bytes + taken, SIZE - taken};
        n = stream_writev(p.client, &iov, 1, &e);
        if (n <= 0)
            break;
        taken += (size_t)n;
    }
    ok(n == -1 && e.number == EAGAIN && taken < SIZE, "a full socket gives EAGAIN");
    is_int(stream_write_wants(p.client), STREAM_WRITE, "the writer waits for room");
    struct iovec less = {bytes + taken, 1};
    ok(stream_writev(p.client, &less, 1, &e) == -1 && e.number == EINVAL,
       "after EAGAIN fewer bytes are refused");
    size_t received = server_read(&p, got, taken);
    is_int(received, taken, "what was taken arrives while the rest waits");
    while (taken < SIZE) {
        struct iovec iov = {bytes + taken, SIZE - taken};
        n = stream_writev(p.client, &iov, 1, &e);
        taken += n > 0 ? (size_t)n : 0;
        received += server_read(&p, got + received, SIZE - received);
    }
    received += server_read(&p, got + received, SIZE - received);
    ok(received == SIZE && memcmp(got, bytes, SIZE) == 0,
       "the same bytes again go on where it stopped");
    tls_pair_clear(&p);
}

/* ---- two threads ---- */

#define BULK (24U << 20)

/* GnuTLS refuses more than 8 new keys in a second. */
#define KEY_BYTES (4U << 20)

/* Sends back all that comes, and changes the keys now and then. */
static void *
echo_server(void *pointer)
{
    struct tls_pair *p = pointer;
    uint8_t *buffer CLEANUP_FREE = malloc(65536);
    size_t total = 0;

    fcntl(p->server.fd, F_SETFL, 0);
    while (buffer && total < BULK) {
        ssize_t n = gnutls_record_recv(p->server.session, buffer, 65536);
        if (n == GNUTLS_E_INTERRUPTED || n == GNUTLS_E_AGAIN)
            continue;
        if (n <= 0)
            break;
        if ((total + (size_t)n) / KEY_BYTES != total / KEY_BYTES)
            gnutls_session_key_update(p->server.session, GNUTLS_KU_PEER);
        total += (size_t)n;
        for (ssize_t done = 0, r; done < n; done += r) {
            r = gnutls_record_send(p->server.session, buffer + done,
                                   (size_t)(n - done));
            if (r <= 0)
                return NULL;
        }
    }
    return NULL;
}

static void *
bulk_writer(void *pointer)
{
    struct tls_pair *p = pointer;
    struct error e;
    uint8_t *bytes CLEANUP_FREE = make_pattern(BULK);
    size_t sent = 0;

    while (sent < BULK) {
        size_t left = BULK - sent, piece = left < 28 ? left : 28;
        struct iovec iov[2] = {{bytes + sent, piece},
                               {bytes + sent + piece, left - piece}};
        ssize_t n = stream_writev(p->client, iov, 2, &e);
        if (n > 0)
            sent += (size_t)n;
        else if (e.number == EAGAIN)
            wait_for(p->client, stream_write_wants(p->client));
        else
            break;
    }
    return NULL;
}

static void
test_threads(void)
{
    struct tls_pair p;
    struct error e = {0};
    pthread_t server, writer;
    uint8_t *buffer CLEANUP_FREE = malloc(300000);
    size_t received = 0;
    bool same = true;

    connect_pair(&p, PLAIN, &certificate, TLS13);
    pthread_create(&server, NULL, echo_server, &p);
    pthread_create(&writer, NULL, bulk_writer, &p);
    while (received < BULK) {
        ssize_t n = read_wait(p.client, buffer, 300000, &e);
        if (n <= 0)
            break;
        same = same && is_pattern(buffer, (size_t)n, received);
        received += (size_t)n;
    }
    is_int(received, BULK, "all comes back while another thread writes");
    ok(same, "and unchanged, over %u changes of the keys", BULK / KEY_BYTES);
    if (received < BULK)
        shutdown(stream_fd(p.client), SHUT_RDWR);
    pthread_join(writer, NULL);
    pthread_join(server, NULL);
    tls_pair_clear(&p);
}

int
main(void)
{
    static const size_t sizes[] = {0, 1, 16383, 16384, 16385, 200000, 3000000};

    certificate_make(&certificate, NULL, &(struct certificate_options){.is_ca = false});
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        test_writing(PLAIN, i % 2 ? TLS12 : TLS13, sizes[i]);
        test_reading(PLAIN, i % 2 ? TLS12 : TLS13, sizes[i]);
    }
    for (size_t i = 0; i < 6; i++) {
        test_writing(TRICKLE, i % 2 ? TLS13 : TLS12, sizes[i]);
        test_reading(TRICKLE, i % 2 ? TLS13 : TLS12, sizes[i]);
    }
    test_records();
    test_full();
    test_threads();
    certificate_clear(&certificate);
    done_testing();
}

#else

int
main(void)
{
    skip_all("built without TLS");
}

#endif
