/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-spawn.c - starting and ending a subprocess
 *
 * Other threads may hold any lock at the moment of fork, so the child calls only
 * async-signal-safe functions (signal-safety(7)): whatever needs memory or the
 * environment is made before.  Knows nothing of sockets.
 */

#include "connect-spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base-array.h"
#include "base-cleanup.h"
#include "base-text.h"

/* How long a program may take to end after SIGTERM (a server may have much to write)
 * before SIGKILL. */
#define END_SECONDS 30

/* Descriptors that the child still needs are kept above those it is told to set up. */
#define FIRST_FREE_FD 10

struct paths {
    ARRAY_OF(char *) list;
};

static void
clear_paths(struct paths *paths)
{
    for (size_t i = 0; i < paths->list.len; i++)
        free(paths->list.items[i]);
    array_clear(&paths->list);
}

static int
add_path(struct paths *paths, const char *directory, size_t len, const char *program)
{
    struct text path = {0};

    /* An empty entry of PATH is the current directory. */
    text_append_bytes(&path, directory, len);
    if (len > 0)
        text_append(&path, "/");
    text_append(&path, program);
    char *s = text_steal(&path);
    if (!s || array_reserve(&paths->list, 1) == -1) {
        free(s);
        return -1;
    }
    paths->list.items[paths->list.len++] = s;
    return 0;
}

/* Where execvp would look for program.  execvp itself is not async-signal-safe. */
static int
find_paths(const char *program, struct paths *paths)
{
    if (strchr(program, '/'))
        return add_path(paths, "", 0, program);

    const char *path = getenv("PATH");
    if (!path)
        path = "/bin:/usr/bin";
    for (;;) {
        size_t len = strcspn(path, ":");
        if (add_path(paths, path, len, program) == -1)
            return -1;
        if (path[len] == '\0')
            return 0;
        path += len + 1;
    }
}

/* ---- the child: async-signal-safe functions only ---- */

/* What the parent had installed or ignored is not the program's affair. */
static void
reset_signals(void)
{
    struct sigaction action;
    sigset_t none;

    for (int i = 1; i < NSIG; i++) {
        if (sigaction(i, NULL, &action) == -1)
            continue;
        bool ignored = !(action.sa_flags & SA_SIGINFO) && action.sa_handler == SIG_IGN;
        if (ignored && i != SIGPIPE && i != SIGCHLD)
            continue;
        memset(&action, 0, sizeof action);
        action.sa_handler = SIG_DFL;
        sigaction(i, &action, NULL);
    }
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void
write_pid(char *slot)
{
    char digits[20];
    int n = 0;

    for (unsigned long pid = (unsigned long)getpid(); pid > 0; pid /= 10)
        digits[n++] = (char)('0' + pid % 10);
    while (n > 0)
        *slot++ = digits[--n];
    *slot = '\0';
}

/* Returns only if no path could be run: the errno to report. */
static int
run_first(const struct paths *paths, char *const *argv, char *const *environment)
{
    int result = ENOENT;

    for (size_t i = 0; i < paths->list.len; i++) {
        execve(paths->list.items[i], argv, environment);
        /* A file that may not be run hides the ones that are not there. */
        if (errno == EACCES)
            result = EACCES;
        else if (errno != ENOENT && errno != ENOTDIR)
            return errno;
    }
    return result;
}

static void __attribute__((noreturn))
child(const struct spawn *spawn, const struct paths *paths, char *const *environment,
      int report_fd)
{
    int number = 0;

    reset_signals();
    for (int i = 0; i < spawn->n_targets && number == 0; i++)
        if (dup2(spawn->fd, spawn->targets[i]) == -1)
            number = errno;
    if (spawn->pid_slot)
        write_pid(spawn->pid_slot);
    if (number == 0)
        number = run_first(paths, spawn->argv, environment);
    while (write(report_fd, &number, sizeof number) == -1 && errno == EINTR)
        ;
    _exit(127);
}

/* ---- the parent ---- */

static int
move_up(int *fd)
{
    if (*fd >= FIRST_FREE_FD)
        return 0;
    int moved = fcntl(*fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (moved == -1)
        return -1;
    close(*fd);
    *fd = moved;
    return 0;
}

/* Forks with all signals blocked, so that no handler of the parent's runs in the child
 * before reset_signals. */
static pid_t
fork_quietly(const struct spawn *spawn, const struct paths *paths,
             char *const *environment, int report_fd)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = fork();
    if (pid == 0)
        child(spawn, paths, environment, report_fd);
    int saved_errno = errno;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = saved_errno;
    return pid;
}

static void
cleanup_paths(struct paths *paths)
{
    clear_paths(paths);
}

int
spawn_start(const struct spawn *spawn, struct subprocess *sub, struct error *e)
{
    const char *program = spawn->argv[0];
    int report[2];
    struct paths paths CLEANUP(cleanup_paths) = {0};
    struct spawn moved = *spawn;

    if (find_paths(program, &paths) == -1)
        return error_set_errno(e, ENOMEM, "running %.300s", program);
    if (pipe2(report, O_CLOEXEC) == -1)
        return error_set_errno(e, errno, "running %.300s", program);
    int reader CLEANUP_CLOSE = report[0];
    int writer CLEANUP_CLOSE = report[1];
    int passed CLEANUP_CLOSE = fcntl(spawn->fd, F_DUPFD_CLOEXEC, FIRST_FREE_FD);
    if (passed == -1 || move_up(&writer) == -1)
        return error_set_errno(e, errno, "running %.300s", program);
    moved.fd = passed;

    pid_t pid = fork_quietly(&moved, &paths,
                             spawn->environment ? spawn->environment : environ, writer);
    if (pid == -1)
        return error_set_errno(e, errno, "running %.300s: fork", program);
    close_quietly(steal_fd(&writer));

    /* The pipe closes without a word when the program runs. */
    int number = 0;
    ssize_t n;
    do
        n = read(reader, &number, sizeof number);
    while (n == -1 && errno == EINTR);
    if (n == 0) {
        sub->pid = pid;
        return 0;
    }
    while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
        ;
    return error_set_errno(e, n == (ssize_t)sizeof number ? number : EIO,
                           "running %.300s", program);
}

int
subprocess_kill(const struct subprocess *sub, int signum, struct error *e)
{
    if (sub->pid <= 0)
        return error_set(e, ESRCH, "there is no subprocess");
    if (kill(sub->pid, signum) == -1)
        return error_set_errno(e, errno, "sending signal %d to process %ld", signum,
                               (long)sub->pid);
    return 0;
}

/* Has it ended (or does somebody else wait for it)?  Takes away its remains. */
static bool
is_gone(pid_t pid)
{
    pid_t r;

    do
        r = waitpid(pid, NULL, WNOHANG);
    while (r == -1 && errno == EINTR);
    return r != 0;
}

static long long
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Waits until the process has ended: true, or false after ms milliseconds. */
static bool
wait_until_gone(pid_t pid, int ms)
{
    long long end = now_ms() + ms;
    int pidfd CLEANUP_CLOSE = (int)syscall(SYS_pidfd_open, pid, 0);

    while (!is_gone(pid)) {
        long long left = end - now_ms();
        if (left <= 0)
            return false;
        /* Without a pidfd (Linux before 5.3) look again after a moment. */
        struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};
        poll(&poll_fd, 1, pidfd >= 0 ? (int)left : (left < 20 ? (int)left : 20));
    }
    return true;
}

static void
end_process(pid_t pid)
{
    /* A number that is not our child's any more may be somebody else's by now. */
    if (is_gone(pid))
        return;
    kill(pid, SIGTERM);
    kill(pid, SIGCONT); /* a stopped one would not notice */
    if (wait_until_gone(pid, END_SECONDS * 1000))
        return;
    kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) == -1 && errno == EINTR)
        ;
}

void
subprocess_end(struct subprocess *sub)
{
    int saved_errno = errno;

    if (sub->pid > 0)
        end_process(sub->pid);
    sub->pid = 0;
    if (sub->directory) {
        struct text path = {0};
        text_printf(&path, "%s/sock", sub->directory);
        if (path.text)
            unlink(path.text);
        text_clear(&path);
        rmdir(sub->directory);
        free(steal_pointer(&sub->directory));
    }
    errno = saved_errno;
}
