/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuse-server.c - see fuse-server.h */

#include "fuse-server.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base-bytes.h"
#include "wire.h"

#define BLOCK   4096
#define CONTEXT 7 /* the number of base:allocation */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* both */
static struct disk disk;
static uint8_t memory[DISK_MAX];

static char folder[] = "/tmp/fuzz-fuse.XXXXXX";
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static int listener;

/* ---- bytes */

struct out {
    uint8_t bytes[64 + DISK_MAX];
    size_t len;
    uint8_t payload[DISK_MAX]; /* of a command that came in */
    int fd;
};

static void
put(struct out *out, uint64_t value, size_t len)
{
    for (size_t i = len; i-- > 0; value >>= 8)
        out->bytes[out->len + i] = (uint8_t)value;
    out->len += len;
}

static bool
flush_out(int fd, struct out *out)
{
    size_t at = 0;

    while (at < out->len) {
        ssize_t n = send(fd, out->bytes + at, out->len - at, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        at += (size_t)n;
    }
    out->len = 0;
    return true;
}

static bool
take(int fd, void *bytes, size_t len)
{
    return len == 0 || recv(fd, bytes, len, MSG_WAITALL) == (ssize_t)len;
}

/* ---- handshake */

static void
put_option(struct out *out, uint32_t option, uint32_t type, uint32_t len)
{
    put(out, WIRE_OPTION_REPLY_MAGIC, 8);
    put(out, option, 4);
    put(out, type, 4);
    put(out, len, 4);
}

static void
put_export(struct out *out, uint32_t option, const struct disk *d)
{
    put_option(out, option, 3, 12); /* NBD_REP_INFO, NBD_INFO_EXPORT */
    put(out, 0, 2);
    put(out, d->size, 8);
    put(out, d->flags, 2);
    if (d->block > 0) {
        put_option(out, option, 3, 14); /* NBD_INFO_BLOCK_SIZE */
        put(out, 3, 2);
        put(out, d->block, 4);
        put(out, BLOCK > d->block ? BLOCK : d->block, 4);
        put(out, 65536, 4);
    }
    put_option(out, option, 1, 0);
}

static void
put_listing(struct out *out, uint32_t option)
{
    static const char *const names[] = {"", "disk", "folder/disk"};

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        uint32_t len = (uint32_t)strlen(names[i]);
        put_option(out, option, 2, 4 + len);
        put(out, len, 4);
        memcpy(out->bytes + out->len, names[i], len);
        out->len += len;
    }
    put_option(out, option, 1, 0);
}

/* Until GO: true. */
static bool
shake_hands(int fd, struct out *out, const struct disk *d)
{
    static const char context[] = "base:allocation";
    uint8_t flags[4], header[16], data[4096];

    put(out, WIRE_NBDMAGIC, 8);
    put(out, UINT64_C(0x49484156454f5054), 8); /* IHAVEOPT */
    put(out, 3, 2);
    if (!flush_out(fd, out) || !take(fd, flags, sizeof flags))
        return false;
    for (;;) {
        if (!take(fd, header, sizeof header))
            return false;
        uint32_t option = load_be32(header + 8), len = load_be32(header + 12);
        if (len > sizeof data || !take(fd, data, len))
            return false;
        if (option == 7 || option == 6) { /* GO, INFO */
            put_export(out, option, d);
        } else if (option == 3) { /* LIST */
            put_listing(out, option);
        } else if (option == 8 && d->structured) {
            put_option(out, option, 1, 0);
        } else if (option == 10 && d->structured) { /* SET_META_CONTEXT */
            if (d->extents) {
                put_option(out, option, 4, 4 + sizeof context - 1);
                put(out, CONTEXT, 4);
                memcpy(out->bytes + out->len, context, sizeof context - 1);
                out->len += sizeof context - 1;
            }
            put_option(out, option, 1, 0);
        } else if (option == 2) { /* ABORT */
            put_option(out, option, 1, 0);
        } else {
            put_option(out, option, UINT32_C(0x80000001), 0);
        }
        if (!flush_out(fd, out))
            return false;
        if (option == 7)
            return true;
    }
}

/* ---- commands */

static void
put_reply(struct out *out, const struct disk *d, uint64_t cookie, unsigned type,
          uint32_t len)
{
    if (d->structured) {
        put(out, WIRE_STRUCTURED_REPLY_MAGIC, 4);
        put(out, 1, 2); /* done */
        put(out, type, 2);
        put(out, cookie, 8);
        put(out, len, 4);
    } else {
        put(out, WIRE_SIMPLE_REPLY_MAGIC, 4);
        put(out, 0, 4);
        put(out, cookie, 8);
    }
}

static void
put_error(struct out *out, const struct disk *d, uint64_t cookie, uint32_t error)
{
    put_reply(out, d, cookie, WIRE_CHUNK_ERROR_BIT | 1, 6);
    if (d->structured) {
        put(out, error, 4);
        put(out, 0, 2);
    } else {
        store_be32(out->bytes + out->len - 12, error);
    }
}

/* A block of zeros is a hole. */
static void
put_status(struct out *out, const struct disk *d, uint64_t cookie, uint64_t off,
           uint64_t end)
{
    static const uint8_t zeros[BLOCK];
    size_t header = out->len;
    uint32_t kind = 9, len = 0;

    put_reply(out, d, cookie, WIRE_CHUNK_BLOCK_STATUS, 0);
    put(out, CONTEXT, 4);
    while (off < end) {
        uint64_t to = off - off % BLOCK + BLOCK < end ? off - off % BLOCK + BLOCK : end;
        uint32_t now = memcmp(memory + off, zeros, to - off) == 0 ? 3 : 0;
        if (now == kind) {
            len += (uint32_t)(to - off);
            out->len -= 8;
        } else {
            kind = now;
            len = (uint32_t)(to - off);
        }
        put(out, len, 4);
        put(out, kind, 4);
        off = to;
    }
    store_be32(out->bytes + header + 16, (uint32_t)(out->len - header - 20));
}

static void
answer(struct out *out, const struct disk *d, unsigned type, uint64_t cookie,
       uint64_t off, uint32_t len)
{
    if (type != WIRE_CMD_FLUSH && !range_is_inside(off, len, d->size)) {
        put_error(out, d, cookie, 28);
        return;
    }
    switch (type) {
    case WIRE_CMD_READ:
        put_reply(out, d, cookie, WIRE_CHUNK_OFFSET_DATA, 8 + len);
        if (d->structured)
            put(out, off, 8);
        memcpy(out->bytes + out->len, memory + off, len);
        out->len += len;
        return;
    case WIRE_CMD_BLOCK_STATUS:
        put_status(out, d, cookie, off, off + len);
        return;
    case WIRE_CMD_TRIM:
    case WIRE_CMD_WRITE_ZEROES:
        memset(memory + off, 0, len);
        break;
    }
    put_reply(out, d, cookie, WIRE_CHUNK_NONE, 0);
}

static void
serve(int fd, struct out *out, const struct disk *d)
{
    uint8_t header[28], *payload = out->payload;

    for (unsigned n = 1; take(fd, header, sizeof header); n++) {
        unsigned type = load_be16(header + 6);
        uint64_t cookie = load_be64(header + 8), off = load_be64(header + 16);
        uint32_t len = load_be32(header + 24);
        bool is_write = type == WIRE_CMD_WRITE;
        if (type == WIRE_CMD_DISC ||
            (is_write && (len > DISK_MAX || !take(fd, payload, len))) ||
            (type == WIRE_CMD_READ && len > DISK_MAX))
            return;
        bool bad = d->bad > 0 && n % d->bad == 0;
        pthread_mutex_lock(&lock);
        if (bad && d->hangs_up) {
            disk.bad = 0;
            pthread_mutex_unlock(&lock);
            return;
        }
        if (bad) {
            put_error(out, d, cookie, n % 2 ? 5 : 28);
        } else {
            if (is_write && range_is_inside(off, len, d->size))
                memcpy(memory + off, payload, len);
            answer(out, d, type, cookie, off, len);
        }
        pthread_mutex_unlock(&lock);
        if (!flush_out(fd, out))
            return;
    }
}

static void *
work(void *user_data)
{
    struct out *out = user_data;

    pthread_mutex_lock(&lock);
    struct disk d = disk;
    pthread_mutex_unlock(&lock);
    if (shake_hands(out->fd, out, &d))
        serve(out->fd, out, &d);
    close(out->fd);
    free(out);
    return NULL;
}

static void *
listen_on(void *user_data)
{
    (void)user_data;
    for (;;) {
        struct out *out = malloc(sizeof *out);
        pthread_t thread;
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd == -1 || out == NULL)
            abort();
        out->fd = fd;
        out->len = 0;
        if (pthread_create(&thread, NULL, work, out) != 0)
            abort();
        pthread_detach(thread);
    }
    return NULL;
}

static void
clean_up(void)
{
    unlink(address.sun_path);
    rmdir(folder);
}

const char *
server_begin(void)
{
    pthread_t thread;

    listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (mkdtemp(folder) == NULL)
        abort();
    snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", folder);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) == -1 ||
        listen(listener, 16) == -1 ||
        pthread_create(&thread, NULL, listen_on, NULL) != 0)
        abort();
    pthread_detach(thread);
    atexit(clean_up);
    return address.sun_path;
}

void
server_disk(const struct disk *d)
{
    pthread_mutex_lock(&lock);
    disk = *d;
    memset(memory, 0, sizeof memory);
    pthread_mutex_unlock(&lock);
}

bool
server_has(uint64_t off, const void *bytes, size_t len)
{
    pthread_mutex_lock(&lock);
    bool same = len == 0 || memcmp(memory + off, bytes, len) == 0;
    pthread_mutex_unlock(&lock);
    return same;
}
