/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sparsefile.c - makes, walks and compares huge sparse files for the tests of the mount
 *
 *     sparsefile make FILE SIZE BYTES PIECES SEED
 *         a file of SIZE bytes with BYTES of random data in PIECES scattered pieces
 *     sparsefile walk FILE
 *         prints "data OFFSET LENGTH" and "hole OFFSET LENGTH" as lseek sees it
 *     sparsefile compare A B
 *         fails unless both read the same: wherever either of them has data, both are
 *         read; where both have holes there is nothing to read
 *     sparsefile read FILE OFFSET LENGTH
 *         reads once and prints how many bytes came, or the name of the error
 *
 * Sizes take K, M, G and T.  Everything goes through lseek and pread, never through the
 * library: this is how other programs meet the mount.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_SIZE (1 << 20)

static _Noreturn void
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(1);
}

static int64_t
parse_size(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    int64_t n = strtoll(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;

    if (errno || end == text || n < 0 || (*end && (!unit || end[1])))
        die("not a size: %s", text);
    return unit ? n << 10 * (unit - units + 1) : n;
}

static int
open_or_die(const char *path, int flags, int64_t *size)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    if (fd == -1)
        die("%s: %s", path, strerror(errno));
    if (size) {
        struct stat st;
        if (fstat(fd, &st) == -1)
            die("%s: %s", path, strerror(errno));
        *size = st.st_size;
    }
    return fd;
}

/* xorshift64*: the same file for the same seed on every machine */
static uint64_t
next_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static void
make(const char *path, int64_t size, int64_t bytes, int64_t pieces, uint64_t seed)
{
    int fd = open_or_die(path, O_RDWR | O_CREAT | O_TRUNC, NULL);
    if (pieces < 1 || bytes / pieces < 4096 || size / pieces < 2 * (bytes / pieces))
        die("make: the pieces do not fit");
    if (ftruncate(fd, size) == -1)
        die("%s: %s", path, strerror(errno));

    uint64_t state = seed * 2 + 1;
    int64_t length = bytes / pieces, stride = size / pieces;
    uint64_t *piece = malloc((size_t)length);
    if (!piece)
        die("no memory");
    for (int64_t i = 0; i < pieces; i++) {
        /* one in each stride, aligned to a page so that holes stay holes */
        uint64_t room = (uint64_t)(stride - length);
        int64_t off = i * stride + (int64_t)(next_random(&state) % room);
        off -= off % 4096;
        for (size_t w = 0; w < (size_t)length / sizeof *piece; w++)
            piece[w] = next_random(&state) | 1;
        if (pwrite(fd, piece, (size_t)length, off) != (ssize_t)length)
            die("%s: %s", path, strerror(errno));
    }
    free(piece);
    if (fsync(fd) == -1 || close(fd) == -1)
        die("%s: %s", path, strerror(errno));
}

/* The first offset >= off that SEEK_DATA or SEEK_HOLE gives; size where there is none.
 */
static int64_t
seek(int fd, const char *path, int64_t off, int whence, int64_t size)
{
    int64_t found = lseek(fd, off, whence);

    if (found == -1 && errno == ENXIO)
        return size;
    if (found == -1)
        die("%s: lseek %s from %" PRId64 ": %s", path,
            whence == SEEK_DATA ? "SEEK_DATA" : "SEEK_HOLE", off, strerror(errno));
    if (found < off || found > size)
        die("%s: lseek from %" PRId64 " answers %" PRId64, path, off, found);
    return found;
}

static void
walk(const char *path)
{
    int64_t size;
    int fd = open_or_die(path, O_RDONLY, &size);

    for (int64_t off = 0; off < size;) {
        int64_t data = seek(fd, path, off, SEEK_DATA, size);
        if (data > off)
            printf("hole %" PRId64 " %" PRId64 "\n", off, data - off);
        if (data == size)
            break;
        off = seek(fd, path, data, SEEK_HOLE, size);
        if (off == data)
            die("%s: a hole where SEEK_DATA found data, at %" PRId64, path, off);
        printf("data %" PRId64 " %" PRId64 "\n", data, off - data);
    }
    close(fd);
}

static void
read_fully(int fd, const char *path, char *buf, size_t len, int64_t off)
{
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, buf + done, len - done, off + (int64_t)done);
        if (n == -1)
            die("%s: read at %" PRId64 ": %s", path, off, strerror(errno));
        if (n == 0)
            die("%s: ends at %" PRId64, path, off + (int64_t)done);
        done += (size_t)n;
    }
}

struct file {
    const char *path;
    int fd;
    int64_t size;
    int64_t data, end; /* the piece of data at or after the last question */
};

static void
find_piece(struct file *f, int64_t off)
{
    if (off < f->end)
        return;
    f->data = seek(f->fd, f->path, off, SEEK_DATA, f->size);
    f->end = f->data == f->size ? f->size
                                : seek(f->fd, f->path, f->data, SEEK_HOLE, f->size);
}

static int64_t
max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t
min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void
compare(const char *path_a, const char *path_b)
{
    static char buf_a[BUFFER_SIZE], buf_b[BUFFER_SIZE];
    struct file a = {.path = path_a}, b = {.path = path_b};
    int64_t compared = 0;

    a.fd = open_or_die(path_a, O_RDONLY, &a.size);
    b.fd = open_or_die(path_b, O_RDONLY, &b.size);
    if (a.size != b.size)
        die("sizes differ: %" PRId64 " and %" PRId64, a.size, b.size);

    for (int64_t off = 0; off < a.size;) {
        find_piece(&a, off);
        find_piece(&b, off);
        off = max64(off, min64(a.data, b.data));
        if (off == a.size)
            break;
        int64_t end = 0;
        if (off >= a.data)
            end = a.end;
        if (off >= b.data)
            end = max64(end, b.end);
        size_t n = (size_t)min64(end - off, BUFFER_SIZE);
        read_fully(a.fd, a.path, buf_a, n, off);
        read_fully(b.fd, b.path, buf_b, n, off);
        if (memcmp(buf_a, buf_b, n) != 0)
            die("%s and %s differ between %" PRId64 " and %" PRId64, path_a, path_b,
                off, off + (int64_t)n);
        off += (int64_t)n;
        compared += (int64_t)n;
    }
    printf("same: %" PRId64 " bytes compared\n", compared);
    close(a.fd);
    close(b.fd);
}

static void
read_once(const char *path, int64_t off, int64_t len)
{
    int fd = open_or_die(path, O_RDONLY, NULL);
    char *buf = malloc(len > 0 ? (size_t)len : 1);
    if (!buf)
        die("no memory");

    ssize_t n = pread(fd, buf, (size_t)len, off);
    if (n == -1)
        printf("%s\n", strerrorname_np(errno));
    else
        printf("%zd\n", n);
    free(buf);
    close(fd);
}

int
main(int argc, char *argv[])
{
    if (argc == 7 && strcmp(argv[1], "make") == 0)
        make(argv[2], parse_size(argv[3]), parse_size(argv[4]), parse_size(argv[5]),
             (uint64_t)parse_size(argv[6]));
    else if (argc == 3 && strcmp(argv[1], "walk") == 0)
        walk(argv[2]);
    else if (argc == 4 && strcmp(argv[1], "compare") == 0)
        compare(argv[2], argv[3]);
    else if (argc == 5 && strcmp(argv[1], "read") == 0)
        read_once(argv[2], parse_size(argv[3]), parse_size(argv[4]));
    else
        die("usage: sparsefile make|walk|compare|read ... (see the head of the "
            "source)");
    return 0;
}
