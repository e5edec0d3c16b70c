/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon.c - see daemon.h
 *
 * The working directory stays what it was: a URI may name sockets and key files
 * relative to it, and is used again when a connection has to be made anew.
 */

#include "daemon.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ONE_ORDER_MS 200 /* signals this close are one: timeout(1) sends two */

static int ready_pipe = -1;
static int hurry = -1;
static _Atomic int64_t first_ms; /* when the first signal came; 0: none has */
static void (*quit_function)(void);
static void (*reload_function)(void);

__attribute__((noreturn)) static void
wait_for_child(pid_t child, int ready)
{
    char byte;
    int status;
    ssize_t n;

    do
        n = read(ready, &byte, 1);
    while (n == -1 && errno == EINTR);
    if (n == 1)
        _exit(0);
    while (waitpid(child, &status, 0) == -1 && errno == EINTR)
        ;
    _exit(WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1);
}

int
daemon_start(void)
{
    int ready[2];

    if (pipe2(ready, O_CLOEXEC) == -1)
        return -errno;
    pid_t child = fork();
    if (child == -1) {
        int error = errno;
        close(ready[0]);
        close(ready[1]);
        return -error;
    }
    if (child > 0) {
        close(ready[1]);
        wait_for_child(child, ready[0]);
    }
    /* Who ends the command that is waited for ends this too. */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    close(ready[0]);
    ready_pipe = ready[1];
    return 0;
}

void
daemon_ready(void)
{
    if (ready_pipe == -1)
        return;
    prctl(PR_SET_PDEATHSIG, 0);
    setsid();
    log_to_syslog();
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    for (int fd = 0; fd <= 2 && null != -1; fd++)
        dup2(null, fd);
    if (null > 2)
        close(null);
    ssize_t n = write(ready_pipe, "", 1);
    (void)n;
    close(ready_pipe);
    ready_pipe = -1;
}

static void
on_reload(int number)
{
    (void)number;
    reload_function();
}

static int64_t
now_ms(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
on_signal(int number)
{
    int saved = errno;
    int64_t now = now_ms(), first = 0;

    /* A signal between the main thread's look at the flag and its falling asleep would
     * wake nobody: ring until it has ended. */
    alarm(1);
    if (number != SIGALRM) {
        /* One step, for another signal may interrupt this. */
        if (atomic_compare_exchange_strong(&first_ms, &first, now)) {
            quit_function();
        } else if (now - first >= ONE_ORDER_MS) {
            eventfd_t one = 1;
            ssize_t n = write(hurry, &one, sizeof one);
            (void)n;
        }
    }
    errno = saved;
}

int
daemon_catch_signals(void (*quit)(void), void (*reload)(void))
{
    static const int which[] = {SIGTERM, SIGINT, SIGHUP, SIGALRM};
    struct sigaction action = {.sa_handler = on_signal};

    quit_function = quit;
    reload_function = reload;
    hurry = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (hurry == -1)
        return -errno;
    for (size_t i = 0; i < sizeof which / sizeof which[0]; i++)
        if (sigaction(which[i], &action, NULL) == -1)
            return -errno;
    if (reload != NULL) {
        action.sa_handler = on_reload;
        action.sa_flags = SA_RESTART;
        if (sigaction(SIGHUP, &action, NULL) == -1)
            return -errno;
        action.sa_flags = 0;
    }
    action.sa_handler = SIG_IGN;
    return sigaction(SIGPIPE, &action, NULL) == -1 ? -errno : 0;
}

bool
daemon_keeps_on(void)
{
    return atomic_load(&first_ms) == 0;
}

int
daemon_hurry(void)
{
    return hurry;
}
