/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* server.c - see server.h
 *
 * Knows of NBD only that a server listens on a socket.
 */

#include "server.h"
#include "log.h"

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
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define ACTIVATED_FD 3
#define TERM_MS      5000
#define TELL_MS      200

struct server {
    pid_t pid;
    char folder[64];
    char path[80];
    char *text;
    int output; /* what it prints, as a pipe's read end */
    int quit;   /* closing it ends the watcher: the other end of quit_read */
    int quit_read;
    bool watched;
    atomic_bool ending; /* what it does now is expected */
    pthread_t watcher;
};

static void
server_free(struct server *server)
{
    if (server->path[0] != '\0')
        unlink(server->path);
    if (server->folder[0] != '\0')
        rmdir(server->folder);
    if (server->output != -1)
        close(server->output);
    if (server->quit != -1)
        close(server->quit);
    if (server->quit_read != -1)
        close(server->quit_read);
    free(server->text);
    free(server);
}

static int
listen_on(struct server *server)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(server->folder, sizeof server->folder, "/tmp/nbdmount-XXXXXX");
    if (mkdtemp(server->folder) == NULL) {
        server->folder[0] = '\0';
        return -1;
    }
    snprintf(server->path, sizeof server->path, "%s/socket", server->folder);
    memcpy(address.sun_path, server->path, strlen(server->path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return -1;
    if (bind(fd, (struct sockaddr *)&address, sizeof address) == -1 ||
        listen(fd, SOMAXCONN) == -1) {
        close(fd);
        return -1;
    }
    return fd;
}

/* In the child, which has no threads.  What goes wrong is the errno on report. */
__attribute__((noreturn)) static void
run(char **command, int listener, int output, int report)
{
    char pid[16];
    sigset_t none;

    /* a session of its own: the terminal's ^C is for us, who flush first */
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    snprintf(pid, sizeof pid, "%ld", (long)getpid());
    int null = open("/dev/null", O_RDWR);
    /* report and output may be what is about to be replaced */
    int saved_report = fcntl(report, F_DUPFD_CLOEXEC, ACTIVATED_FD + 1);
    int saved_output = fcntl(output, F_DUPFD_CLOEXEC, ACTIVATED_FD + 1);
    int saved_listener = fcntl(listener, F_DUPFD_CLOEXEC, ACTIVATED_FD + 1);
    if (null != -1 && saved_report != -1 && saved_output != -1 &&
        saved_listener != -1 && dup2(null, STDIN_FILENO) != -1 &&
        dup2(saved_output, STDOUT_FILENO) != -1 &&
        dup2(saved_output, STDERR_FILENO) != -1 &&
        dup2(saved_listener, ACTIVATED_FD) != -1 && setenv("LISTEN_PID", pid, 1) == 0 &&
        setenv("LISTEN_FDS", "1", 1) == 0 && unsetenv("LISTEN_FDNAMES") == 0)
        execvp(command[0], command);
    int error = errno;
    ssize_t n = write(saved_report, &error, sizeof error);
    (void)n;
    _exit(127);
}

static bool
start(struct server *server, char **command, char **why)
{
    int report[2] = {-1, -1}, output[2] = {-1, -1}, quit[2] = {-1, -1}, error = 0;
    int listener = listen_on(server);

    if (listener == -1 || pipe2(report, O_CLOEXEC) == -1 ||
        pipe2(output, O_CLOEXEC) == -1 || pipe2(quit, O_CLOEXEC) == -1 ||
        (server->pid = fork()) == -1)
        error = errno;
    else if (server->pid == 0)
        run(command, listener, output[1], report[1]);
    server->output = output[0];
    server->quit_read = quit[0];
    server->quit = quit[1];
    if (listener != -1)
        close(listener); /* so that connecting fails when the server is gone */
    if (report[1] != -1)
        close(report[1]);
    if (output[1] != -1)
        close(output[1]);
    if (error == 0 && read(report[0], &error, sizeof error) != sizeof error)
        error = 0; /* closed by exec: it runs */
    if (report[0] != -1)
        close(report[0]);
    if (error == 0)
        return true;
    if (server->pid > 0)
        waitpid(server->pid, NULL, 0);
    if (asprintf(why, "cannot run %s: %s", command[0], strerror(error)) == -1)
        *why = NULL;
    return false;
}

struct server *
server_start(char **command, char **why)
{
    struct server *server = calloc(1, sizeof *server);

    *why = NULL;
    if (server == NULL)
        return NULL;
    server->output = server->quit = server->quit_read = -1;
    if (asprintf(&server->text, "[ %s%s ]", command[0],
                 command[1] != NULL ? " ..." : "") == -1) {
        server->text = NULL;
        server_free(server);
        return NULL;
    }
    if (!start(server, command, why)) {
        server_free(server);
        return NULL;
    }
    return server;
}

const char *
server_socket(const struct server *server)
{
    return server->path;
}

const char *
server_text(const struct server *server)
{
    return server->text;
}

/* Reads once and logs each line.  False at the end. */
static bool
pass_on(int output)
{
    char text[4096], *rest = text, *line;
    ssize_t n = read(output, text, sizeof text - 1);

    if (n <= 0)
        return n == -1 && errno == EINTR;
    text[n] = '\0';
    while ((line = strsep(&rest, "\n")) != NULL)
        if (*line != '\0')
            log_info("%s", line);
    return true;
}

void
server_tell(struct server *server)
{
    struct pollfd fd = {.fd = server->output, .events = POLLIN};

    while (poll(&fd, 1, TELL_MS) > 0 && pass_on(server->output))
        ;
}

/* It prints nothing any more: most likely it has ended, or is about to. */
static void
tell_end(struct server *server)
{
    siginfo_t info = {0};

    if (waitid(P_PID, (id_t)server->pid, &info, WEXITED | WNOWAIT) == -1 ||
        atomic_load(&server->ending))
        return;
    log_error("%s has ended (%s %d): the file cannot be read or written any more",
              server->text, info.si_code == CLD_EXITED ? "status" : "signal",
              info.si_status);
}

static void *
watch(void *user_data)
{
    struct server *server = user_data;
    struct pollfd fds[2] = {{.fd = server->output, .events = POLLIN},
                            {.fd = server->quit_read, .events = POLLIN}};

    for (;;) {
        if (poll(fds, 2, -1) == -1)
            continue;
        if (fds[0].revents != 0 && !pass_on(server->output)) {
            fds[0].fd = -1;
            tell_end(server);
        } else if (fds[1].revents != 0 && fds[0].revents == 0)
            return NULL;
    }
}

int
server_watch(struct server *server)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int r = pthread_create(&server->watcher, NULL, watch, server);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    server->watched = r == 0;
    return -r;
}

static bool
has_ended(struct server *server, int *status)
{
    return waitpid(server->pid, status, WNOHANG) == server->pid;
}

void
server_end(struct server *server)
{
    int status = 0;

    if (server == NULL)
        return;
    atomic_store(&server->ending, true);
    kill(server->pid, SIGTERM);
    kill(server->pid, SIGCONT); /* one that was stopped could not end */
    for (int waited = 0; !has_ended(server, &status); waited += 10) {
        if (waited >= TERM_MS) {
            kill(server->pid, SIGKILL);
            waitpid(server->pid, &status, 0);
            break;
        }
        poll(NULL, 0, 10);
    }
    if (server->watched) {
        close(server->quit);
        server->quit = -1;
        pthread_join(server->watcher, NULL);
    }
    server_free(server);
}
