/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* appends.c - three threads write a little at a time, one piece behind the other
 *
 *     appends FILE SEED WRITES
 *
 * FILE has to be all zeros.  Each has a third of it, which begins in the middle of a
 * block.  Now and then it goes elsewhere, writes the same again, punches a hole, and
 * looks whether what it wrote is there: through O_DIRECT, with lseek, and as somebody
 * who reads from front to back, with what the kernel has kept thrown away.  In the end
 * all of the file is compared with what it has to be.  Status 1: it is not, with a line
 * that says where.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define THREADS 3
#define PAGE    4096
#define LONGEST 20000     /* of one write; most are much shorter */
#define WINDOW  (1 << 19) /* of what is read from front to back */
#define PIECE   (1 << 15)

struct stream {
    pthread_t thread;
    uint64_t from, to; /* its part of the file */
    uint64_t pos;
    uint64_t last; /* where its last write began */
    unsigned seed;
    int reader;      /* a descriptor */
    uint8_t *window; /* aligned, for what is read */
};

static const char *path;
static uint8_t *model;
static uint64_t size;
static long writes;
static int file, direct; /* descriptors */
static atomic_bool failed;

static void
fail(const char *what, uint64_t off, uint64_t len)
{
    if (!atomic_exchange(&failed, true))
        printf("%s: %s: %llu bytes from %llu on: %s\n", path, what,
               (unsigned long long)len, (unsigned long long)off, strerror(errno));
}

static unsigned
below(struct stream *stream, unsigned n)
{
    return (unsigned)rand_r(&stream->seed) % n;
}

static void
compare(const uint8_t *got, uint64_t off, uint64_t len)
{
    for (uint64_t i = 0; i < len; i++)
        if (got[i] != model[off + i]) {
            errno = 0;
            fail("these are not what was written", off + i, len - i);
            return;
        }
}

/* What is there without the kernel's cache; others may write beside it. */
static void
look(struct stream *stream, uint64_t off, uint64_t len)
{
    uint64_t from = off / PAGE * PAGE, to = (off + len + PAGE - 1) / PAGE * PAGE;

    ssize_t r = pread(direct, stream->window, to - from, (off_t)from);
    if (r < (ssize_t)(off + len - from))
        fail("read", from, to - from);
    else
        compare(stream->window + (off - from), off, len);
    if (lseek(direct, (off_t)off, SEEK_DATA) != (off_t)off)
        fail("SEEK_DATA goes past", off, len);
}

/* From some way before what is written now, to as far behind it. */
static void
read_through(struct stream *stream)
{
    uint64_t back = stream->pos - stream->from < WINDOW / 2 ? stream->pos - stream->from
                                                            : WINDOW / 2;
    uint64_t off = stream->pos - back;

    posix_fadvise(stream->reader, (off_t)off, WINDOW, POSIX_FADV_DONTNEED);
    for (uint64_t end = off + WINDOW; off < end && off + PIECE <= stream->to;
         off += PIECE)
        if (pread(stream->reader, stream->window, PIECE, (off_t)off) != PIECE)
            fail("read", off, PIECE);
        else
            compare(stream->window, off, PIECE);
}

static void
write_piece(struct stream *stream, uint64_t off, uint64_t len)
{
    uint8_t seed = (uint8_t)(1 + below(stream, 255));

    for (uint64_t i = 0; i < len; i++)
        model[off + i] = (uint8_t)(seed + i * 7) | 1;
    if (pwrite(file, model + off, len, (off_t)off) != (ssize_t)len)
        fail("write", off, len);
    stream->last = off;
    stream->pos = off + len;
}

static void
punch(struct stream *stream)
{
    uint64_t len = 1 + below(stream, 3 * PAGE);
    uint64_t off =
        stream->from + below(stream, (unsigned)(stream->to - stream->from - len));

    memset(model + off, 0, len);
    if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
                  (off_t)len) == -1)
        fail("punch", off, len);
}

static void
step(struct stream *stream)
{
    unsigned what = below(stream, 400);
    uint64_t len = 1 + below(stream, what % 8 == 0  ? LONGEST
                                     : what % 8 < 4 ? 3000
                                                    : PAGE);

    if (what % 8 >= 4)
        len = PAGE;
    if (what == 1)
        stream->pos =
            stream->from + below(stream, (unsigned)(stream->to - stream->from));
    if (stream->pos + len > stream->to)
        stream->pos = stream->from;
    if (what == 2)
        write_piece(stream, stream->last,
                    stream->pos > stream->last && stream->pos - stream->last <= LONGEST
                        ? stream->pos - stream->last
                        : 1);
    else if (what == 3)
        punch(stream);
    else
        write_piece(stream, stream->pos, len);
    if (what > 3 && what < 10)
        look(stream, stream->last, stream->pos - stream->last);
    if (what > 9 && what < 14)
        read_through(stream);
}

static void *
run(void *user_data)
{
    struct stream *stream = user_data;

    for (long i = 0; i < writes && !atomic_load(&failed); i++)
        step(stream);
    return NULL;
}

static void
compare_all(uint8_t *window)
{
    for (uint64_t off = 0; off < size && !atomic_load(&failed); off += PAGE) {
        uint64_t len = size - off < PAGE ? size - off : PAGE;
        if (pread(direct, window, PAGE, (off_t)off) < (ssize_t)len)
            fail("read", off, len);
        else
            compare(window, off, len);
    }
}

int
main(int argc, char **argv)
{
    static struct stream stream[THREADS];
    struct stat st;

    if (argc != 4) {
        fputs("usage: appends FILE SEED WRITES\n", stderr);
        return 2;
    }
    path = argv[1];
    writes = strtol(argv[3], NULL, 10);
    file = open(path, O_RDWR | O_CLOEXEC);
    direct = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (file == -1 || direct == -1 || fstat(file, &st) == -1) {
        perror(path);
        return 2;
    }
    size = (uint64_t)st.st_size;
    model = calloc(1, size + LONGEST);
    if (model == NULL) {
        perror("no memory");
        return 2;
    }
    for (int i = 0; i < THREADS; i++) {
        stream[i].from = size / THREADS * (unsigned)i + (i > 0 ? 77 : 0);
        stream[i].to = i + 1 < THREADS ? size / THREADS * (unsigned)(i + 1) + 77 : size;
        stream[i].pos = stream[i].last = stream[i].from;
        stream[i].seed = (unsigned)strtoul(argv[2], NULL, 10) * THREADS + (unsigned)i;
        stream[i].window = aligned_alloc(PAGE, WINDOW);
        stream[i].reader = open(path, O_RDONLY | O_CLOEXEC);
        pthread_create(&stream[i].thread, NULL, run, &stream[i]);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(stream[i].thread, NULL);
    if (fsync(file) == -1)
        fail("fsync", 0, size);
    compare_all(stream[0].window);
    if (close(file) == -1)
        fail("close", 0, size);
    return atomic_load(&failed) ? 1 : 0;
}
