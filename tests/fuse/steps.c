/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* steps.c - does one thing after the other with a file, and tells how each went
 *
 *     steps FILE STEP...
 *         open=NAME[:direct|:sync]   for reading and writing
 *         write=NAME:OFFSET:LENGTH:CHARACTER
 *         writes=NAME:OFFSET:LENGTH:CHARACTER:TIMES   one behind the other
 *         read=NAME:OFFSET:LENGTH    tells the characters, each once
 *         reads=NAME:OFFSET:LENGTH:-:TIMES   one behind the other
 *         punch=NAME:OFFSET:LENGTH
 *         data=NAME:OFFSET  hole=NAME:OFFSET          lseek
 *         blocks=NAME                st_blocks
 *         fsync=NAME  close=NAME
 *         touch=PATH  forget=PATH    makes and removes another file
 *         sleep=MILLISECONDS
 *
 * NAME is a letter.  For each step a line: the step, what it gave or the name of the
 * error, and how many milliseconds it took.
 */

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LENGTH_MAX (8 << 20)

static const char *path;
static int files[26];
static char buf[LENGTH_MAX] __attribute__((aligned(4096)));
static char said[300]; /* what the step gave, where that is not a number */

struct step {
    const char *what;
    int *file;
    long long off;
    size_t len;
    char c;
    int times;
    const char *option;
};

static _Noreturn void
die(const char *why, const char *step)
{
    fprintf(stderr, "%s: %s\n", why, step);
    exit(2);
}

static long long
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* NAME:OFFSET:LENGTH:CHARACTER:TIMES, as much as there is. */
static void
parse(struct step *step, char *args)
{
    char *word[5] = {"", "0", "0", "x", "1"};
    char *rest;
    int n = 0;

    for (char *w = strtok_r(args, ":", &rest); w != NULL && n < 5;
         w = strtok_r(NULL, ":", &rest))
        word[n++] = w;
    if (!islower((unsigned char)*word[0]))
        die("no file", step->what);
    step->file = &files[*word[0] - 'a'];
    step->option = word[1];
    step->off = strtoll(word[1], NULL, 10);
    step->len = strtoul(word[2], NULL, 10);
    step->c = *word[3];
    step->times = (int)strtol(word[4], NULL, 10);
    if (step->len > LENGTH_MAX)
        die("too long", step->what);
}

static long long
do_open(struct step *step)
{
    int flags = O_RDWR | O_CLOEXEC;

    if (strcmp(step->option, "direct") == 0)
        flags |= O_DIRECT;
    if (strcmp(step->option, "sync") == 0)
        flags |= O_SYNC;
    *step->file = open(path, flags);
    return *step->file == -1 ? -1 : 0;
}

static long long
do_write(struct step *step)
{
    long long done = 0;

    memset(buf, step->c, step->len);
    for (int i = 0; i < step->times; i++) {
        ssize_t r = pwrite(*step->file, buf, step->len, step->off + done);
        if (r < 0)
            return -1;
        done += r;
    }
    return done;
}

static long long
do_read(struct step *step)
{
    ssize_t r = pread(*step->file, buf, step->len, step->off);
    size_t n = 0;

    for (ssize_t i = 0; i < r && n < sizeof said - 4; i++) {
        char c = buf[i] != 0 ? buf[i] : '0';
        if (n == 0 || said[n - 1] != c)
            said[n++] = c;
    }
    said[n] = '\0';
    return r;
}

static long long
do_reads(struct step *step)
{
    long long done = 0, r = 1;

    for (int i = 0; i < step->times && r > 0; i++, step->off += (long long)step->len) {
        r = do_read(step);
        done += r > 0 ? r : 0;
    }
    return r < 0 ? -1 : done;
}

static long long
blocks_of(int file)
{
    struct stat st;

    return fstat(file, &st) == -1 ? -1 : st.st_blocks;
}

static long long
touch(const char *other)
{
    int fd = open(other, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

    return fd == -1 ? -1 : close(fd);
}

static long long
do_step(const char *what, struct step *step, char *args)
{
    *said = '\0';
    if (strcmp(what, "touch") == 0)
        return touch(args);
    if (strcmp(what, "forget") == 0)
        return unlink(args);
    if (strcmp(what, "sleep") == 0)
        return usleep((useconds_t)strtoul(args, NULL, 10) * 1000);
    parse(step, args);
    if (strcmp(what, "open") == 0)
        return do_open(step);
    if (strcmp(what, "write") == 0 || strcmp(what, "writes") == 0)
        return do_write(step);
    if (strcmp(what, "read") == 0)
        return do_read(step);
    if (strcmp(what, "reads") == 0)
        return do_reads(step);
    if (strcmp(what, "punch") == 0)
        return fallocate(*step->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                         step->off, (off_t)step->len);
    if (strcmp(what, "data") == 0)
        return lseek(*step->file, step->off, SEEK_DATA);
    if (strcmp(what, "hole") == 0)
        return lseek(*step->file, step->off, SEEK_HOLE);
    if (strcmp(what, "blocks") == 0)
        return blocks_of(*step->file);
    if (strcmp(what, "fsync") == 0)
        return fsync(*step->file);
    if (strcmp(what, "close") == 0)
        return close(*step->file);
    die("what is that", what);
}

int
main(int argc, char **argv)
{
    if (argc < 3)
        die("usage: steps FILE STEP...", "");
    path = argv[1];
    for (int i = 2; i < argc; i++) {
        struct step step = {.what = argv[i]};
        char *what = strdup(argv[i]);
        char *args = strchr(what, '=');
        if (args != NULL)
            *args++ = '\0';
        long long begin = now_ms();
        long long result = do_step(what, &step, args != NULL ? args : "");
        int error = errno;
        long long took = now_ms() - begin;
        if (result < 0)
            printf("%s %s %lld\n", argv[i], strerrorname_np(error), took);
        else if (*said != '\0')
            printf("%s %s %lld\n", argv[i], said, took);
        else
            printf("%s %lld %lld\n", argv[i], result, took);
        fflush(stdout);
        free(what);
    }
    return 0;
}
