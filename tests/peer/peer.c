/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* peer.c - a scripted NBD server on a Unix socket
 *
 *     peer [OPTION...] FILE [COMMAND [ARGUMENT...]]
 *
 *     -c PART    the first case whose name contains PART (else the first one)
 *     -u PATH    the socket (else one in a new folder, gone at the end)
 *     -k N       close each connection after N bytes
 *     -p N       send at most N bytes at once
 *     -r         connections beyond the last section get the last section again
 *     -d MS      deadline for anything the client is waited for (10000)
 *
 * Plays the server's part of a case, a section for each connection.  With a command:
 * runs it with $UNIXSOCKET and $uri set, and ends with its status, or with 4 where the
 * client did something against the script (told on stderr).  Without: prints the
 * socket's path and serves until SIGTERM; what is against the script is told when its
 * connection is closed.
 */

#include "servers.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define AGAINST_THE_SCRIPT 4

static char folder[] = "/tmp/nbd-peer.XXXXXX";

static int
listen_on(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof a.sun_path)
        errx(2, "%s: too long for a socket", path);
    memcpy(a.sun_path, path, strlen(path) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) < 0 || listen(fd, 64) < 0)
        err(2, "%s", path);
    return fd;
}

static const struct test_case *
find_case(const struct script *s, const char *part)
{
    for (size_t i = 0; i < s->nr_cases; i++)
        if (!part || strstr(s->cases[i].name, part))
            return &s->cases[i];
    errx(2, "%s: no such case: %s", s->path, part ? part : "(any)");
}

static pid_t
start(char **argv, const char *path)
{
    char *uri;
    if (asprintf(&uri, "nbd+unix:///?socket=%s", path) < 0)
        err(2, "asprintf");
    pid_t pid = fork();
    if (pid < 0)
        err(2, "fork");
    if (pid == 0) {
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        setenv("UNIXSOCKET", path, 1);
        setenv("uri", uri, 1);
        execvp(argv[0], argv);
        err(127, "%s", argv[0]);
    }
    free(uri);
    return pid;
}

/* A connection: the next section.  Where there is none it is closed at once. */
static void
accept_one(struct servers *servers, int listener, bool repeat)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0 && !servers_start(servers, fd, repeat))
        close(fd);
}

/* Until the command (or, with pid 0, SIGTERM) ends it; the command's status. */
static int
serve(struct servers *servers, int listener, int signals, pid_t pid, bool repeat)
{
    struct pollfd pfds[] = {{.fd = listener, .events = POLLIN},
                            {.fd = signals, .events = POLLIN}};
    for (;;) {
        if (poll(pfds, 2, -1) < 0 && errno != EINTR)
            err(2, "poll");
        if (pfds[0].revents)
            accept_one(servers, listener, repeat);
        if (!pfds[1].revents)
            continue;
        struct signalfd_siginfo info;
        if (read(signals, &info, sizeof info) != sizeof info)
            continue;
        int status = 0;
        if (info.ssi_signo != SIGCHLD) {
            if (pid)
                kill(pid, SIGTERM);
            return 0;
        }
        if (pid && waitpid(pid, &status, WNOHANG) == pid)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

static int
block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    int fd = signalfd(-1, &set, SFD_CLOEXEC);
    if (fd < 0)
        err(2, "signalfd");
    return fd;
}

struct arguments {
    const char *part, *path;
    bool repeat;
    struct play_options play;
};

static void
read_arguments(struct arguments *a, int argc, char **argv)
{
    int option;
    *a = (struct arguments){.play = {.cut = PLAY_WHOLE, .deadline_ms = 10000}};
    while ((option = getopt(argc, argv, "+c:u:k:p:rd:")) != -1) {
        switch (option) {
        case 'c':
            a->part = optarg;
            break;
        case 'u':
            a->path = optarg;
            break;
        case 'k':
            a->play.cut = strtoull(optarg, NULL, 0);
            break;
        case 'p':
            a->play.pieces = strtoul(optarg, NULL, 0);
            break;
        case 'r':
            a->repeat = true;
            break;
        case 'd':
            a->play.deadline_ms = (int)strtol(optarg, NULL, 0);
            break;
        default:
            exit(2);
        }
    }
    if (optind == argc)
        errx(2, "usage: peer [-r] [-c CASE] [-u SOCKET] [-k CUT] [-p PIECES] [-d MS] "
                "FILE [COMMAND...]");
}

int
main(int argc, char **argv)
{
    struct arguments a;
    read_arguments(&a, argc, argv);
    static struct script script; /* in use by threads when main returns */
    script_read(&script, argv[optind]);
    static struct servers servers;
    servers.script = &script;
    servers.tc = find_case(&script, a.part);
    servers.options = a.play;
    servers.options.sweep = servers.tc->sweep_from;
    char *own = NULL;
    if (!a.path && (!mkdtemp(folder) || asprintf(&own, "%s/sock", folder) < 0))
        err(2, "%s", folder);
    const char *path = own ? own : a.path;
    int signals = block_signals();
    int listener = listen_on(path);
    char **command = argv + optind + 1;
    pid_t pid = *command ? start(command, path) : 0;
    servers.tell = !pid;
    if (!pid) {
        printf("%s\n", path);
        fflush(stdout);
    }
    int status = serve(&servers, listener, signals, pid, a.repeat);
    unlink(path);
    if (own)
        rmdir(folder);
    if (!pid) {
        servers_abandon(&servers);
        return 0; /* connections that are open end with the process */
    }
    servers_join(&servers);
    const char *failure = servers_failure(&servers);
    if (failure)
        fprintf(stderr, "peer: %s: %s\n", script.path, failure);
    servers_clear(&servers);
    script_clear(&script);
    free(own);
    return failure && status == 0 ? AGAINST_THE_SCRIPT : status;
}
