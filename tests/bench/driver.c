/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.c - the benchmark's measuring program: what a shell would measure along with
 * itself
 *
 *     driver read FILE BLOCK BYTES SECONDS [direct]
 *         reads in order until so many bytes came or so many seconds passed
 *     driver write FILE BLOCK BYTES SECONDS
 *         the same, writing bytes that are not zero, and fsync within the time measured
 *     driver walk FILE SECONDS
 *         walks through data and holes with lseek
 *     driver run [-d PID] [-s PID] [-t SECONDS] -- COMMAND...
 *         runs a command and says what it, the daemon and the server took meanwhile
 *     driver start FILE SECONDS -- COMMAND...
 *         runs a daemon until a first read of FILE succeeds, then ends it
 *     driver listen PORTFILE -- COMMAND...
 *         becomes a server that inherits a listening TCP socket (socket activation) on
 *         a port of the system's choice
 *     driver calibrate
 *         does a fixed amount of work on every processor
 *     driver touch BYTES
 *         uses so much free memory, or half of it, and frees it again
 *
 * All print key=value words; SECONDS of 0 is no limit.  It knows nothing of NBD or of
 * what is mounted: it uses files as any other program does.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"

double
now_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

_Noreturn void
die(const char *format, ...)
{
    va_list args;

    va_start(args, format);
    fputs("driver: ", stderr);
    vfprintf(stderr, format, args);
    va_end(args);
    fputc('\n', stderr);
    exit(2);
}

int64_t
parse_size(const char *text)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    int64_t n = strtoll(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    int shift = unit ? 10 * (int)(unit - units + 1) : 0;

    if (errno || end == text || n < 0 || n > INT64_MAX >> shift ||
        (*end && (!unit || end[1])))
        die("not a size: %s", text);
    return n << shift;
}

double
parse_seconds(const char *text)
{
    char *end;
    double seconds = strtod(text, &end);

    if (end == text || *end || !(seconds >= 0))
        die("not a number of seconds: %s", text);
    return seconds;
}

static int
open_or_die(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC);

    if (fd < 0)
        die("open %s: %s", path, strerror(errno));
    return fd;
}

/* Page-aligned, as direct I/O needs it, and touched, so that no page fault is measured.
 */
static void *
new_block(int64_t len)
{
    void *block = NULL;

    if (len <= 0 || len > 1 << 30 || posix_memalign(&block, 4096, (size_t)len) != 0)
        die("no block of %" PRIi64 " bytes", len);
    memset(block, 0xa5, (size_t)len);
    return block;
}

static bool
time_is_up(double begin, double limit)
{
    return limit > 0 && now_s() - begin >= limit;
}

static int
driver_read(int argc, char **argv)
{
    if (argc != 5 && argc != 6)
        die("usage: driver read FILE BLOCK BYTES SECONDS [direct]");
    int64_t block_size = parse_size(argv[2]), bytes = parse_size(argv[3]), done = 0;
    double limit = parse_seconds(argv[4]);
    char *block = new_block(block_size);
    int fd = open_or_die(argv[1], O_RDONLY | (argc == 6 ? O_DIRECT : 0));
    double begin = now_s();

    while (done < bytes && !time_is_up(begin, limit)) {
        ssize_t n = read(fd, block, (size_t)block_size);

        if (n < 0)
            die("read %s at %" PRIi64 ": %s", argv[1], done, strerror(errno));
        if (n == 0)
            break;
        done += n;
    }
    printf("bytes=%" PRIi64 " io_seconds=%.6f\n", done, now_s() - begin);
    close(fd);
    free(block);
    return 0;
}

static int
driver_write(int argc, char **argv)
{
    if (argc != 5)
        die("usage: driver write FILE BLOCK BYTES SECONDS");
    int64_t block_size = parse_size(argv[2]), bytes = parse_size(argv[3]), done = 0;
    double limit = parse_seconds(argv[4]);
    char *block = new_block(block_size);
    int fd = open_or_die(argv[1], O_WRONLY);
    double begin = now_s();

    while (done < bytes && !time_is_up(begin, limit)) {
        int64_t left = bytes - done;
        ssize_t n = write(fd, block, (size_t)(left < block_size ? left : block_size));

        if (n <= 0)
            die("write %s at %" PRIi64 ": %s", argv[1], done,
                n ? strerror(errno) : "nothing written");
        done += n;
    }
    if (fsync(fd) < 0)
        die("fsync %s: %s", argv[1], strerror(errno));
    printf("bytes=%" PRIi64 " io_seconds=%.6f\n", done, now_s() - begin);
    close(fd);
    free(block);
    return 0;
}

/* A step is one piece of data or one hole. */
static int
driver_walk(int argc, char **argv)
{
    if (argc != 3)
        die("usage: driver walk FILE SECONDS");
    double limit = parse_seconds(argv[2]);
    int fd = open_or_die(argv[1], O_RDONLY);
    off_t size = lseek(fd, 0, SEEK_END), at = 0, data = 0;
    int64_t steps = 0;
    double begin = now_s();

    while (at < size && !time_is_up(begin, limit)) {
        off_t start = lseek(fd, at, SEEK_DATA);

        if (start < 0 && errno != ENXIO)
            die("SEEK_DATA %s: %s", argv[1], strerror(errno));
        if (start < 0) {
            steps++;
            at = size;
            break;
        }
        off_t end = lseek(fd, start, SEEK_HOLE);
        if (end <= start)
            die("SEEK_HOLE %s at %jd: %s", argv[1], (intmax_t)start,
                end < 0 ? strerror(errno) : "no way forward");
        steps += (start > at) + 1;
        data += end - start;
        at = end;
    }
    printf("steps=%" PRIi64 " data=%jd io_seconds=%.6f whole=%d\n", steps,
           (intmax_t)data, now_s() - begin, at >= size);
    close(fd);
    return 0;
}

int
main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int argc, char **argv);
    } commands[] = {
        {"read", driver_read},           {"write", driver_write},
        {"walk", driver_walk},           {"run", driver_run},
        {"start", driver_start},         {"listen", driver_listen},
        {"calibrate", driver_calibrate}, {"touch", driver_touch},
    };

    for (size_t i = 0; argc > 1 && i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(argv[1], commands[i].name))
            return commands[i].run(argc - 1, argv + 1);
    die("usage: driver read|write|walk|run|start|listen|calibrate|touch ...");
}
