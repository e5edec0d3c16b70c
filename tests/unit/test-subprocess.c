/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-subprocess.c - servers run as subprocesses: what they are given, and their end
 */

#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base-cleanup.h"
#include "base-text.h"
#include "connect.h"

#define DEADLINE_MS 20000

static char directory[] = "/tmp/test-subprocess-XXXXXX";

static bool
is_fit(int fd)
{
    return fd >= 0 && fcntl(fd, F_GETFL) & O_NONBLOCK &&
           fcntl(fd, F_GETFD) & FD_CLOEXEC;
}

/* Reads until the other end closes. */
static char *
read_all(int fd)
{
    struct text t = {0};
    char buffer[4096];

    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        if (poll(&poll_fd, 1, DEADLINE_MS) != 1)
            bail_out("nothing to read");
        ssize_t n = read(fd, buffer, sizeof buffer);
        if (n == -1 && errno == EAGAIN)
            continue;
        if (n <= 0)
            return text_steal(&t);
        text_append_bytes(&t, buffer, (size_t)n);
    }
}

/* What a shell script says on the socket that connect_command gave. */
static char *
output_of(const char *script)
{
    char *argv[] = {"sh", "-c", (char *)script, NULL};
    struct subprocess sub = {0};
    struct error e;

    int fd CLEANUP_CLOSE = connect_command(argv, &sub, &e);
    if (fd == -1) {
        diag("%s", e.text);
        return NULL;
    }
    char *output = read_all(fd);
    subprocess_end(&sub);
    return output;
}

static bool
process_exists(pid_t pid)
{
    return kill(pid, 0) == 0;
}

static void
test_command(void)
{
    char *argv[] = {"cat", NULL};
    struct subprocess sub = {0};
    struct error e;

    int fd CLEANUP_CLOSE = connect_command(argv, &sub, &e);
    ok(is_fit(fd), "the socket of a command is non-blocking and closed on exec");
    ok(sub.pid > 0 && process_exists(sub.pid), "the command runs");
    ok(write(fd, "hello", 5) == 5 && shutdown(fd, SHUT_WR) == 0,
       "it can be written to");
    char *echo CLEANUP_FREE = read_all(fd);
    is_str(echo, "hello", "its standard input and output are the socket");
    is_int(subprocess_kill(&sub, 0, &e), 0, "it can be sent a signal");
    pid_t pid = sub.pid;
    subprocess_end(&sub);
    ok(sub.pid == 0 && !process_exists(pid) && waitpid(pid, NULL, WNOHANG) == -1,
       "it has ended, and no zombie is left");
    subprocess_end(&sub);
    pass("ending what has ended does nothing");
    ok(subprocess_kill(&sub, SIGTERM, &e) == -1 && e.number == ESRCH,
       "a signal for no subprocess is ESRCH");
}

static void
test_command_failures(void)
{
    char file[100];
    char *missing[] = {"/no/such/program", NULL},
         *not_in_path[] = {"no-such-prog", NULL};
    char *not_executable[] = {file, NULL}, *empty[] = {NULL};
    struct subprocess sub = {0};
    struct error e;

    ok(connect_command(missing, &sub, &e) == -1 && e.number == ENOENT &&
           strstr(e.text, "/no/such/program: No such file"),
       "a program that is missing is named with the reason");
    is_int(sub.pid, 0, "no subprocess is left then");
    ok(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "nor a zombie");
    ok(connect_command(not_in_path, &sub, &e) == -1 && e.number == ENOENT,
       "a program that is not in PATH is missing");
    snprintf(file, sizeof file, "%s/file", directory);
    close(open(file, O_CREAT | O_WRONLY, 0600));
    ok(connect_command(not_executable, &sub, &e) == -1 && e.number == EACCES &&
           strstr(e.text, file),
       "a file that cannot be run is named");
    ok(connect_command(empty, &sub, &e) == -1 && e.number == EINVAL,
       "an empty command is refused");
    ok(connect_activation(missing, "", &sub, &e) == -1 && e.number == ENOENT &&
           !sub.directory,
       "a missing program is reported with socket activation too");
    unlink(file);
}

static void
on_signal(int signum)
{
    (void)signum;
}

static void
test_child_signals(void)
{
    sigset_t blocked, old;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR1, on_signal);
    sigemptyset(&blocked);
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &blocked, &old);
    char *status CLEANUP_FREE =
        output_of("grep -E '^Sig(Blk|Ign):' /proc/self/status | tr -d '\\t\\n'");
    /* Signals 32 and 33 belong to the C library, whose posix_spawn leaves them ignored:
     * so they are in whatever make starts, and nobody can set them otherwise. */
    const uint64_t internal = 3ULL << 31;
    uint64_t blocks = UINT64_MAX, ignores = UINT64_MAX;
    if (!ok(status &&
                sscanf(status, "SigBlk:%" SCNx64 "SigIgn:%" SCNx64, &blocks,
                       &ignores) == 2 &&
                (blocks & ~internal) == 0 && (ignores & ~internal) == 0,
            "the subprocess blocks and ignores no signal"))
        diag("  %s", status);
    sigset_t now;
    pthread_sigmask(SIG_SETMASK, &old, &now);
    ok(sigismember(&now, SIGTERM) && sigismember(&now, SIGUSR2) &&
           !sigismember(&now, SIGINT),
       "the caller's signal mask is as before");
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR1, SIG_DFL);
}

static void
test_descriptors(void)
{
    /* ls itself opens the folder: that is one more. */
    char *fds CLEANUP_FREE = output_of("ls /proc/self/fd | tr '\\n' ' '");
    int number = 0;

    for (const char *s = fds ? fds : ""; *s; s++)
        number += *s == ' ';
    ok(number == 4 && strncmp(fds, "0 1 2 ", 6) == 0,
       "the subprocess gets only the standard descriptors");
    diag("%s", fds);
}

/* Whoever started this test may have left something open for its children. */
static void
keep_descriptors_from_children(void)
{
    for (int fd = 3; fd < 1024; fd++) {
        int flags = fcntl(fd, F_GETFD);
        if (flags != -1)
            fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
    }
}

/* With descriptors 0, 1 and 3 free in the caller, its own sockets land there. */
static void
test_low_descriptors(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        close(0);
        close(1);
        close(3);
        char *argv[] = {"sh", "-c", "echo good; test \"$LISTEN_FDS\" = \"\"", NULL};
        struct subprocess sub = {0};
        struct error e;
        int fd = connect_command(argv, &sub, &e);
        char *said = fd >= 0 ? read_all(fd) : NULL;
        subprocess_end(&sub);
        _exit(said && strcmp(said, "good\n") == 0 ? 0 : 1);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    is_int(status, 0, "a caller without standard descriptors can run a command");
}

static void
test_stubborn(void)
{
    char *argv[] = {"sh", "-c", "echo up; exec sleep 1000", NULL};
    struct subprocess sub = {0};
    struct error e;
    char line[4];

    int fd CLEANUP_CLOSE = connect_command(argv, &sub, &e);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    poll(&poll_fd, 1, DEADLINE_MS);
    if (read(fd, line, sizeof line) < 1)
        diag("the command says nothing");
    kill(sub.pid, SIGSTOP);
    int status;
    waitpid(sub.pid, &status, WUNTRACED);
    pid_t pid = sub.pid;
    subprocess_end(&sub);
    ok(!process_exists(pid), "a stopped subprocess ends too");

    int second CLEANUP_CLOSE = connect_command(argv, &sub, &e);
    kill(sub.pid, SIGKILL);
    waitpid(sub.pid, NULL, 0);
    subprocess_end(&sub);
    is_int(sub.pid, 0, "a subprocess that somebody else has waited for is no problem");
}

/* ---- socket activation ---- */

/* Runs a server that answers on the activated socket with what the script prints. */
static char *
activated(const char *script, const char *name, struct subprocess *sub)
{
    struct text t = {0};
    struct error e;

    /* Perl takes the socket over as sd_listen_fds(3) says. */
    text_printf(&t,
                "open(S, '+<&=3') or die; accept(C, S) or die; "
                "open(O, '-|', q{%s}) or die; syswrite(C, join('', <O>)); close(C); "
                "sleep 1000",
                script);
    char *program CLEANUP_FREE = text_steal(&t);
    char *argv[] = {"perl", "-e", program, NULL};
    int fd CLEANUP_CLOSE = connect_activation(argv, name, sub, &e);
    if (!is_fit(fd)) {
        diag("%s", e.text);
        return NULL;
    }
    return read_all(fd);
}

static void
test_activation(void)
{
    struct subprocess sub = {0};
    struct stat st;
    char want[60], socket_path[200];
    struct error e;

    setenv("LISTEN_FDS", "77", 1);
    setenv("LISTEN_PID", "1", 1);
    setenv("LISTEN_FDNAMES", "old", 1);
    char *output CLEANUP_FREE =
        activated("echo $LISTEN_PID $LISTEN_FDS $LISTEN_FDNAMES", "", &sub);
    snprintf(want, sizeof want, "%ld 1 unknown\n", (long)sub.pid);
    is_str(output, want, "the server gets its process number, one socket, no name");
    ok(sub.directory && stat(sub.directory, &st) == 0 && (st.st_mode & 07777) == 0700,
       "the socket's directory is private");
    snprintf(socket_path, sizeof socket_path, "%s/sock", sub.directory);
    struct connector *c = connector_new_unix(socket_path, strlen(socket_path), &e);
    is_int(connector_step(c, &e), 0,
           "another connection to the same server is possible");
    connector_free(c);
    char *gone CLEANUP_FREE = strdup(sub.directory);
    pid_t pid = sub.pid;
    subprocess_end(&sub);
    ok(!process_exists(pid) && stat(gone, &st) == -1 && errno == ENOENT,
       "the server has ended and the directory is removed");

    char *named CLEANUP_FREE = activated("env | grep ^LISTEN | sort", "disk", &sub);
    snprintf(want, sizeof want, "LISTEN_FDNAMES=disk\nLISTEN_FDS=1\nLISTEN_PID=%ld\n",
             (long)sub.pid);
    is_str(named, want, "the socket's name is passed, and each variable once");
    subprocess_end(&sub);

    char *dies[] = {"true", NULL};
    int fd CLEANUP_CLOSE = connect_activation(dies, "", &sub, &e);
    /* It may be gone before the connection is tried. */
    if (fd >= 0) {
        char *nothing CLEANUP_FREE = read_all(fd);
        is_str(nothing, "", "a server that ends at once closes the connection");
    } else {
        ok(e.number == ECONNREFUSED && strstr(e.text, "true: it ended at once"),
           "a server that ends at once is named");
    }
    subprocess_end(&sub);
    ok(!sub.directory, "nothing is left of it");
}

static void
test_long_tmpdir(void)
{
    char tmpdir[200] = "/", *argv[] = {"sleep", "1000", NULL};
    struct subprocess sub = {0};
    struct error e;
    const char *before = getenv("TMPDIR");
    char *saved CLEANUP_FREE = before ? strdup(before) : NULL;

    memset(tmpdir + 1, 'x', sizeof tmpdir - 2);
    setenv("TMPDIR", tmpdir, 1);
    int fd CLEANUP_CLOSE = connect_activation(argv, "", &sub, &e);
    ok(fd >= 0 && sub.directory && strncmp(sub.directory, "/tmp/", 5) == 0,
       "a TMPDIR that is too long for a socket is not used");
    subprocess_end(&sub);
    setenv("TMPDIR", directory, 1);
    int second CLEANUP_CLOSE = connect_activation(argv, "", &sub, &e);
    ok(second >= 0 && strncmp(sub.directory, directory, strlen(directory)) == 0,
       "TMPDIR is used otherwise");
    subprocess_end(&sub);
    if (saved)
        setenv("TMPDIR", saved, 1);
    else
        unsetenv("TMPDIR");
}

int
main(void)
{
    if (!mkdtemp(directory))
        bail_out("mkdtemp");
    keep_descriptors_from_children();
    test_command();
    test_command_failures();
    test_child_signals();
    test_descriptors();
    test_low_descriptors();
    test_stubborn();
    test_activation();
    test_long_tmpdir();
    rmdir(directory);
    done_testing();
}
