/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-bundle.c - writes that go to the kernel together: all of them, in order, and
 * when the kernel does not take them
 */

#include "config.h"

#include "bundle.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifdef HAVE_LIBURING
#include <liburing.h>
#endif

static int failures, last_error;

static void
on_failed(int error)
{
    failures++;
    last_error = error;
}

/* Keeps a number and so many bytes more of it, in two pieces. */
static bool
keep(int fd, int number, size_t more)
{
    static char bytes[2 * BUNDLE_BYTES];
    struct iovec iov[3] = {
        {.iov_base = &number, .iov_len = sizeof number},
        {.iov_base = NULL, .iov_len = 0},
        {.iov_base = bytes, .iov_len = more},
    };
    ssize_t n = -1;

    memset(bytes, number, sizeof bytes);
    bundle_allow();
    bool is_kept = bundle_writev(fd, iov, 3, on_failed, &n);
    return is_kept && n == (ssize_t)(sizeof number + more);
}

/* What comes next: its number, -1 if there is nothing, -2 if it is not whole. */
static int
next(int fd, size_t more)
{
    static char bytes[2 * BUNDLE_BYTES];
    ssize_t n = recv(fd, bytes, sizeof bytes, MSG_DONTWAIT);
    int number;

    if (n < 0)
        return -1;
    if (n != (ssize_t)(sizeof number + more))
        return -2;
    memcpy(&number, bytes, sizeof number);
    for (size_t i = sizeof number; i < (size_t)n; i++)
        if (bytes[i] != (char)number)
            return -2;
    return number;
}

static bool
all_come(int fd, int n, size_t more)
{
    for (int i = 0; i < n; i++)
        if (next(fd, more) != i)
            return false;
    return next(fd, more) == -1;
}

static void
test_keeps(const int fd[2])
{
    ok(!keep(fd[1], 0, 0), "without a begin nothing is kept");
    bundle_begin();
    ok(keep(fd[1], 0, 100) && keep(fd[1], 1, 100), "two are");
    is_int(next(fd[0], 100), -1, "they wait");
    bundle_end();
    ok(all_come(fd[0], 2, 100), "until the end, and come as they were");
    ok(!keep(fd[1], 0, 0), "after which none is kept");

    bundle_begin();
    ok(keep(fd[1], 0, 0), "one alone");
    bundle_end();
    ok(all_come(fd[0], 1, 0), "comes too");
    bundle_begin();
    bundle_end();
    is_int(next(fd[0], 0), -1, "nothing comes of nothing");

    int n = 2 * BUNDLE_WRITES + 3;
    bool kept = true;
    bundle_begin();
    for (int i = 0; i < n; i++)
        kept &= keep(fd[1], i, (size_t)i);
    bundle_end();
    ok(kept, "more than there is room for");
    bool came = true;
    for (int i = 0; i < n; i++)
        came &= next(fd[0], (size_t)i) == i;
    ok(came, "come in order");
}

static void
test_bounds(const int fd[2])
{
    struct iovec iov = {.iov_base = "one", .iov_len = 3};
    ssize_t n = -1;

    bundle_begin();
    ok(keep(fd[1], 0, BUNDLE_BYTES - sizeof(int)), "as large as may be");
    ok(!keep(fd[1], 1, BUNDLE_BYTES - sizeof(int) + 1), "larger ones are not kept");
    ok(!keep(fd[1], 1, 2 * BUNDLE_BYTES - 1), "however large");
    ok(!bundle_writev(fd[1], &iov, 1, on_failed, &n), "nor what was not allowed");
    bundle_allow();
    ok(bundle_writev(fd[1], &iov, 1, on_failed, &n) && n == 3, "what was is");
    ok(!bundle_writev(fd[1], &iov, 1, on_failed, &n), "once");
    bundle_end();
    is_int(next(fd[0], BUNDLE_BYTES - sizeof(int)), 0, "the large one came");
    char text[8];
    is_int(recv(fd[0], text, sizeof text, MSG_DONTWAIT), 3, "and the small one");
    is_int(next(fd[0], 0), -1, "and nothing else");
    bundle_allow();
    bundle_begin();
    ok(!bundle_writev(fd[1], &iov, 1, on_failed, &n), "an old permission is none");
    bundle_end();
}

static void
test_failures(const int fd[2])
{
    int pair[2], to_pipe[2];

    is_int(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair), 0, "sockets");
    close(pair[0]);
    failures = 0;
    bundle_begin();
    keep(pair[1], 0, 0);
    keep(fd[1], 0, 10);
    keep(pair[1], 1, 0);
    keep(fd[1], 1, 10);
    bundle_end();
    ok(failures == 2 && last_error == EPIPE, "those that fail are told");
    ok(all_come(fd[0], 2, 10), "the others come");
    failures = 0;
    bundle_begin();
    keep(pair[1], 0, 0);
    bundle_end();
    ok(failures == 1 && last_error == EPIPE, "one alone that fails");
    close(pair[1]);

    is_int(pipe2(to_pipe, O_NONBLOCK), 0, "a pipe");
    int size = fcntl(to_pipe[1], F_SETPIPE_SZ, 4096);
    failures = 0;
    bundle_begin();
    keep(to_pipe[1], 0, (size_t)size);
    bundle_end();
    ok(failures == 1 && last_error == EIO, "what is written in part only");
    close(to_pipe[0]);
    close(to_pipe[1]);
}

/* The descriptor of the io_uring that this process has, -1 if it has none. */
static int
find_uring(void)
{
    char path[32], target[64];

    for (int fd = 3; fd < 256; fd++) {
        snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(path, target, sizeof target - 1);
        if (n > 0 && memmem(target, (size_t)n, "[io_uring]", 10) != NULL)
            return fd;
    }
    return -1;
}

#ifdef HAVE_LIBURING
/* The linker puts this in the place of liburing's: what is to be written is something
 * that the kernel does not know. */
static bool spoils;
int __real_io_uring_submit_and_wait(struct io_uring *uring, unsigned wait);
int __wrap_io_uring_submit_and_wait(struct io_uring *uring, unsigned wait);

int
__wrap_io_uring_submit_and_wait(struct io_uring *uring, unsigned wait)
{
    const struct io_uring_sq *sq = &uring->sq;

    for (unsigned i = sq->sqe_head; spoils && i != sq->sqe_tail; i += 2)
        sq->sqes[i % BUNDLE_WRITES].opcode = 255;
    return __real_io_uring_submit_and_wait(uring, wait);
}

static void
test_refused_writes(const int fd[2])
{
    failures = 0;
    spoils = true;
    bundle_begin();
    for (int i = 0; i < BUNDLE_WRITES; i++)
        keep(fd[1], i, 10);
    bundle_end();
    spoils = false;
    ok(failures == 0 && next(fd[0], 10) >= 0, "what io_uring refuses is written");
    unsigned came = 1;
    while (next(fd[0], 10) >= 0)
        came++;
    is_int(came, BUNDLE_WRITES, "all of it, and once");
}
#else
static void
test_refused_writes(const int fd[2])
{
    (void)fd;
}
#endif

static void
test_kernel_refuses(const int fd[2])
{
    int other = open("/dev/null", O_RDWR | O_CLOEXEC), uring = find_uring();

    ok(other >= 0 && uring >= 0 && dup2(other, uring) == uring,
       "an io_uring that is none any more");
    failures = 0;
    bundle_begin();
    for (int i = 0; i < 5; i++)
        keep(fd[1], i, 10);
    bundle_end();
    ok(failures == 0 && all_come(fd[0], 5, 10), "all are written without it");
    bundle_begin();
    ok(!keep(fd[1], 0, 0), "and it is not tried again");
    bundle_end();
    close(other);
    bundle_free();
    bundle_begin();
    ok(keep(fd[1], 0, 0), "before all of it was given back");
    bundle_end();
    is_int(next(fd[0], 0), 0, "then it works");
}

struct late {
    int fd;
    long writer; /* a thread */
    atomic_bool ends;
};

/* Whether a thread waits for something. */
static bool
sleeps(long thread)
{
    char path[64], line[512] = "";

    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", thread);
    FILE *stat = fopen(path, "re");
    if (stat == NULL)
        return false;
    const char *state =
        fgets(line, sizeof line, stat) != NULL ? strrchr(line, ')') : NULL;
    fclose(stat);
    return state != NULL && strncmp(state, ") S", 3) == 0;
}

/* Only when the writer waits for that. */
static void *
read_late(void *user_data)
{
    struct late *late = user_data;
    char bytes[4096];

    while (!atomic_load(&late->ends) || !sleeps(late->writer))
        poll(NULL, 0, 1);
    while (read(late->fd, bytes, sizeof bytes) > 0)
        ;
    return NULL;
}

/* The last one, for no thread of this process uses it again after that. */
static void
test_done_elsewhere(void)
{
    struct late late = {.writer = syscall(SYS_gettid)};
    pthread_t reader;
    int to_pipe[2];

    is_int(pipe(to_pipe), 0, "a pipe");
    late.fd = to_pipe[0];
    int size = fcntl(to_pipe[1], F_SETPIPE_SZ, 4096);
    char *full = calloc(1, (size_t)size);
    ok(full != NULL && write(to_pipe[1], full, (size_t)size) == size, "that is full");
    free(full);
    is_int(pthread_create(&reader, NULL, read_late, &late), 0,
           "and read from when the writer waits");
    failures = 0;
    bundle_begin();
    keep(to_pipe[1], 0, 100);
    keep(to_pipe[1], 1, 100);
    atomic_store(&late.ends, true);
    bundle_end();
    is_int(failures, 0, "the end waits for what is not done at once");
    bundle_begin();
    ok(!keep(to_pipe[1], 0, 0), "which is not worth it a second time");
    bundle_end();
    close(to_pipe[1]);
    pthread_join(reader, NULL);
    close(to_pipe[0]);
}

int
main(void)
{
    int fd[2];

    signal(SIGPIPE, SIG_IGN);
    is_int(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd), 0, "sockets");
    bundle_begin();
    bool any = keep(fd[1], 0, 0);
    bundle_end();
    if (!any) {
        skip("no io_uring", "all else");
        done_testing();
    }
    is_int(next(fd[0], 0), 0, "there is an io_uring");
    test_keeps(fd);
    test_bounds(fd);
    test_failures(fd);
    test_refused_writes(fd);
    test_kernel_refuses(fd);
    test_done_elsewhere();
    bundle_free();
    bundle_free();
    done_testing();
}
