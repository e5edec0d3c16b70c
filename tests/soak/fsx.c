/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fsx.c - one program that does everything to a file of fixed size, in random order,
 * and knows what every byte must be
 *
 *     fsx [-n OPERATIONS] [-s SEED] [-t zero|error] [-d DURABLE] [-z] FILE
 *
 * Reads and writes through the page cache, past it and through a mapping, holes, fsync,
 * opening again, lseek for data and holes, hints, and truncate as the mount's option
 * says (-t; default error).  After each fsync DURABLE, the file in which the server
 * keeps what it has flushed, must have all of it.  -z: FILE must have holes where whole
 * ranges were punched, at least once.  A difference prints the last operations, and
 * which of them touched the byte; the same SEED does the same again.  Status 1: a byte
 * was wrong, or an operation did what it must not.
 */

#include "fsx-model.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define IO_MAX (512 * 1024)

static uint64_t state;
static const char *path;
static uint64_t size;
static int fd = -1, direct = -1, durable = -1;
static uint8_t *map;
static bool map_writable; /* shared; otherwise a new private one for each look */
static bool map_dirty;    /* the kernel may not have sent all of it */
static bool truncate_zeroes;
static uint8_t *buf;
static uint64_t on; /* where OP_READ_ON goes on */
static unsigned long counts[OP_KINDS], holes_seen;

static uint64_t
next_random(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(2685821657736338717) >> 16;
}

/* ---- the file */

static void
open_file(void)
{
    struct stat st;

    if (map != NULL && map_writable)
        munmap(map, size);
    if (fd != -1)
        close(fd);
    if (direct != -1)
        close(direct);
    fd = open(path, O_RDWR | O_CLOEXEC);
    direct = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
    if (fd == -1 || direct == -1)
        wrong(0, "open");
    if (fstat(fd, &st) == -1 || (uint64_t)st.st_size != size)
        wrong(0, "the size is %lld", (long long)st.st_size);
    map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    map_writable = map != MAP_FAILED;
    if (!map_writable) {
        if (errno != ENODEV) /* a file past the page cache */
            wrong(0, "mmap");
        map = NULL;
    }
}

static void
fill(struct operation *op)
{
    uint64_t what = next_random();

    if (what % 12 == 0) {
        memset(buf, 0, op->len);
        return;
    }
    for (uint64_t i = 0; i < op->len; i++)
        buf[i] = (uint8_t)((what >> (i % 6 * 8)) + ((op->off + i) >> 8));
}

/* ---- operations */

static void
do_read(struct operation *op, int file)
{
    ssize_t n = pread(file, buf, op->len, (off_t)op->off);

    if (n != (ssize_t)op->len)
        wrong(op->off, "read gave %zd", n);
    model_compare(buf, op->off, op->len, kinds[op->kind].name);
}

static void
do_write(struct operation *op, int file)
{
    fill(op);
    ssize_t n = pwrite(file, buf, op->len, (off_t)op->off);
    if (n != (ssize_t)op->len)
        wrong(op->off, "write gave %zd", n);
    model_change(op, buf);
}

static void
do_map_read(struct operation *op)
{
    uint8_t *bytes = map;

    if (!map_writable) {
        bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (bytes == MAP_FAILED)
            wrong(0, "mmap for reading");
    }
    model_compare(bytes + op->off, op->off, op->len, "the mapping");
    if (!map_writable)
        munmap(bytes, size);
}

static void
do_map_write(struct operation *op)
{
    fill(op);
    memcpy(map + op->off, buf, op->len);
    model_change(op, buf);
    map_dirty = true;
}

static void
do_map_sync(struct operation *op)
{
    int how = next_random() % 4 > 0 ? MS_SYNC : MS_ASYNC;

    op->off -= op->off % 4096;
    if (msync(map + op->off, op->len, how) == -1)
        wrong(op->off, "msync");
}

static void
do_copy(struct operation *op)
{
    off_t from = (off_t)op->from, to = (off_t)op->off;
    uint64_t apart = op->from < op->off ? op->off - op->from : op->from - op->off;
    uint64_t left = op->len < apart ? op->len : apart; /* what overlaps is EINVAL */

    for (op->len = left; left > 0;) {
        ssize_t n = copy_file_range(fd, &from, fd, &to, left, 0);
        if (n <= 0)
            wrong(op->off, "copy_file_range gave %zd", n);
        left -= (uint64_t)n;
    }
    model_change(op, model + op->from);
}

static void
do_zero(struct operation *op, int mode)
{
    if (fallocate(fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)op->off, (off_t)op->len) == -1)
        wrong(op->off, "fallocate");
    model_change(op, NULL);
}

static void
check_durable(void)
{
    for (uint64_t off = 0; durable != -1 && off < size; off += IO_MAX) {
        uint64_t len = size - off < IO_MAX ? size - off : IO_MAX;
        if (pread(durable, buf, len, (off_t)off) != (ssize_t)len)
            wrong(off, "the durable image");
        model_compare(buf, off, len, "durable after fsync");
    }
}

static void
do_sync(void)
{
    if ((next_random() % 2 ? fsync(fd) : fdatasync(direct)) == -1)
        wrong(0, "fsync");
    map_dirty = false;
    check_durable();
}

/* From there on: holes are zeros, data and holes take turns, and all of it is seen. */
static void
do_seek(struct operation *op)
{
    uint64_t off = op->off;

    if (map_dirty && fdatasync(fd) == -1) /* the kernel asks us without writing first */
        wrong(off, "fdatasync");
    map_dirty = false;
    for (unsigned turns = 0; off < size && turns < 16; turns++) {
        errno = 0;
        off_t data = lseek(fd, (off_t)off, SEEK_DATA);
        if (data == -1 && errno == ENXIO)
            data = (off_t)size;
        if (data < (off_t)off || data > (off_t)size)
            wrong(off, "SEEK_DATA from %llu gave %lld", (unsigned long long)off,
                  (long long)data);
        if (!model_is_zero(off, (uint64_t)data - off))
            wrong(off, "data in a hole: SEEK_DATA from %llu gave %lld",
                  (unsigned long long)off, (long long)data);
        holes_seen += (uint64_t)data > off;
        if ((uint64_t)data == size)
            break;
        off_t hole = lseek(fd, data, SEEK_HOLE);
        if (hole <= data || hole > (off_t)size)
            wrong(off, "SEEK_HOLE from data at %lld gave %lld", (long long)data,
                  (long long)hole);
        off = (uint64_t)hole;
    }
}

static void
do_hint(struct operation *op)
{
    static const int hints[] = {POSIX_FADV_NORMAL,   POSIX_FADV_SEQUENTIAL,
                                POSIX_FADV_RANDOM,   POSIX_FADV_WILLNEED,
                                POSIX_FADV_DONTNEED, POSIX_FADV_NOREUSE};
    int error = posix_fadvise(fd, (off_t)op->off, (off_t)op->len,
                              hints[next_random() % (sizeof hints / sizeof hints[0])]);

    if (error != 0 || (map != NULL && madvise(map, size, MADV_WILLNEED) == -1))
        wrong(op->off, "a hint: %s", strerror(error));
}

static void
do_truncate(struct operation *op)
{
    struct stat st;
    int r = ftruncate(fd, (off_t)op->off);

    op->len = size - op->off;
    op->changes = truncate_zeroes;
    if (truncate_zeroes ? r == -1 : r != -1 || errno != EPERM)
        wrong(op->off, "truncate gave %d", r);
    if (truncate_zeroes)
        model_change(op, NULL);
    if (fstat(fd, &st) == -1 || (uint64_t)st.st_size != size)
        wrong(op->off, "after truncate the size is %lld", (long long)st.st_size);
}

/* ---- at random */

static void
choose(struct operation *op)
{
    static const uint32_t most[] = {1, 600, 4096, 20000, 70000, 200000, IO_MAX};
    unsigned pick = (unsigned)(next_random() % 1000), sum = 0, total = 0;

    for (unsigned i = 0; i < OP_KINDS; i++)
        total += kinds[i].weight;
    for (unsigned i = 0; i < OP_KINDS; i++) {
        sum += kinds[i].weight;
        op->kind = (enum kind)i;
        if (pick * total < sum * 1000)
            break;
    }
    if (map == NULL && (op->kind == OP_MAP_WRITE || op->kind == OP_MAP_SYNC))
        op->kind = OP_MAP_READ;
    op->changes = op->kind == OP_WRITE || op->kind == OP_WRITE_DIRECT ||
                  op->kind == OP_MAP_WRITE || op->kind == OP_COPY ||
                  op->kind == OP_PUNCH || op->kind == OP_ZERO;
    op->len = 1 + next_random() % most[next_random() % 7];
    op->off = next_random() % size;
    op->from = next_random() % size;
    if (op->kind == OP_READ_ON) {
        op->off = on < size ? on : 0;
        op->len = 65536;
    } else if (next_random() % 3 == 0) {
        op->off -= op->off % 4096;
        op->len = (op->len + 4095) / 4096 * 4096;
    }
    if (op->len > size - op->off)
        op->len = size - op->off;
    if (op->kind == OP_COPY && op->len > size - op->from)
        op->len = size - op->from;
    on = op->kind == OP_READ_ON ? op->off + op->len : on;
}

static void
run(struct operation *op)
{
    switch (op->kind) {
    case OP_READ:
    case OP_READ_ON:
        return do_read(op, fd);
    case OP_READ_DIRECT:
        return do_read(op, direct);
    case OP_WRITE:
        return do_write(op, fd);
    case OP_WRITE_DIRECT:
        return do_write(op, direct);
    case OP_MAP_READ:
        return do_map_read(op);
    case OP_MAP_WRITE:
        return do_map_write(op);
    case OP_MAP_SYNC:
        return do_map_sync(op);
    case OP_COPY:
        return do_copy(op);
    case OP_PUNCH:
        return do_zero(op, FALLOC_FL_PUNCH_HOLE);
    case OP_ZERO:
        return do_zero(op, FALLOC_FL_ZERO_RANGE);
    case OP_SYNC:
        return do_sync();
    case OP_OPEN:
        return open_file();
    case OP_SEEK:
        return do_seek(op);
    case OP_HINT:
        return do_hint(op);
    case OP_TRUNCATE:
        return do_truncate(op);
    case OP_KINDS:
        break;
    }
}

static void
prepare(void)
{
    struct stat st;

    if (stat(path, &st) == -1 || st.st_size == 0) {
        fprintf(stderr, "fsx: %s: %s\n", path, strerror(errno));
        exit(2);
    }
    size = (uint64_t)st.st_size;
    model = malloc(size);
    buf = aligned_alloc(4096, IO_MAX + 4096);
    if (model == NULL || buf == NULL)
        exit(2);
    open_file();
    for (uint64_t off = 0; off < size; off += IO_MAX) {
        uint64_t len = size - off < IO_MAX ? size - off : IO_MAX;
        if (pread(fd, model + off, len, (off_t)off) != (ssize_t)len)
            wrong(off, "the first read");
    }
}

static void
report(bool want_holes)
{
    for (unsigned i = 0; i < OP_KINDS; i++)
        printf("%s %lu, ", kinds[i].name, counts[i]);
    printf("holes seen %lu, operations %lu\n", holes_seen, model_count());
    errno = 0;
    if (want_holes && holes_seen == 0)
        wrong(0, "no hole was ever seen");
}

int
main(int argc, char **argv)
{
    unsigned long operations = 1000;
    bool want_holes = false;
    int option;

    while ((option = getopt(argc, argv, "n:s:t:d:z")) != -1) {
        if (option == 'n')
            operations = strtoul(optarg, NULL, 10);
        else if (option == 's')
            state = strtoull(optarg, NULL, 10);
        else if (option == 't')
            truncate_zeroes = strcmp(optarg, "zero") == 0;
        else if (option == 'd' && (durable = open(optarg, O_RDONLY | O_CLOEXEC)) != -1)
            ;
        else if (option == 'z')
            want_holes = true;
        else
            return 2;
    }
    if (optind != argc - 1)
        return 2;
    path = argv[optind];
    printf("seed %llu\n", (unsigned long long)state);
    state = (state + 1) * UINT64_C(0x9e3779b97f4a7c15);
    prepare();
    while (model_count() < operations) {
        struct operation *op = model_next();
        choose(op);
        counts[op->kind]++;
        run(op);
    }
    do_sync();
    report(want_holes);
    return 0;
}
