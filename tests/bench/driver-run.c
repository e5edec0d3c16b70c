/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver-run.c - runs a command and measures it, the daemon and the server meanwhile
 *
 * Processor time of another process comes from its CPU clock, which counts nanoseconds
 * and the threads that have ended too; /proc/PID/stat has the same in hundredths of a
 * second.
 */

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <poll.h>

#include "driver.h"
#include "mounts.h"

#define MAX_THREADS 1024

/* Context switches of each thread of a process. */
struct switches {
    int n;
    struct {
        long thread;
        uint64_t count;
    } of[MAX_THREADS];
};

static pid_t
parse_pid(const char *text)
{
    char *end;
    long pid = strtol(text, &end, 10);

    if (end == text || *end || pid <= 0 || pid > INT32_MAX)
        die("not a process: %s", text);
    return (pid_t)pid;
}

/* The command after "--". */
static char **
find_command(int argc, char **argv)
{
    for (int i = 1; i < argc - 1; i++)
        if (!strcmp(argv[i], "--"))
            return argv + i + 1;
    die("%s: a command is missing: -- COMMAND...", argv[0]);
}

static double
cpu_seconds(pid_t pid)
{
    clockid_t clock;
    struct timespec t;

    if (!pid || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &t) < 0)
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The sum of both kinds of switches in a status file; 0 if the thread is gone. */
static uint64_t
read_switches(const char *path)
{
    char line[256];
    uint64_t sum = 0;
    FILE *file = fopen(path, "re");

    if (!file)
        return 0;
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');

        if (colon && strstr(line, "voluntary_ctxt_switches"))
            sum += strtoull(colon + 1, NULL, 10);
    }
    fclose(file);
    return sum;
}

static void
get_switches(pid_t pid, struct switches *all)
{
    char path[64];
    DIR *dir;
    struct dirent *entry;

    all->n = 0;
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    if (!pid || !(dir = opendir(path)))
        return;
    while ((entry = readdir(dir)) && all->n < MAX_THREADS) {
        long thread = strtol(entry->d_name, NULL, 10);

        if (thread <= 0)
            continue;
        snprintf(path, sizeof path, "/proc/%d/task/%ld/status", (int)pid, thread);
        all->of[all->n].thread = thread;
        all->of[all->n++].count = read_switches(path);
    }
    closedir(dir);
}

/* Of the threads that are there at the end: what one that ended in between did is lost.
 */
static uint64_t
switches_between(const struct switches *before, const struct switches *after)
{
    uint64_t sum = 0;

    for (int i = 0; i < after->n; i++) {
        sum += after->of[i].count;
        for (int j = 0; j < before->n; j++)
            if (before->of[j].thread == after->of[i].thread)
                sum -= before->of[j].count;
    }
    return sum;
}

/* Its output goes where ours goes: where it is "driver read", its words stand beside
 * ours.  It dies with us. */
static pid_t
spawn(char **command)
{
    pid_t parent = getpid();
    pid_t pid = fork();

    if (pid < 0)
        die("fork: %s", strerror(errno));
    if (pid > 0)
        return pid;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    execvp(command[0], command);
    fprintf(stderr, "driver: %s: %s\n", command[0], strerror(errno));
    _exit(127);
}

/* False when the time was up first. */
static bool
wait_for_end(pid_t pid, double limit)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    struct pollfd wanted = {.fd = fd, .events = POLLIN};

    if (fd < 0)
        die("pidfd_open: %s", strerror(errno));
    int n = poll(&wanted, 1, limit > 0 ? (int)(limit * 1000) : -1);
    close(fd);
    return n != 0;
}

/* How far a process has come in the file it has come farthest in. */
static int64_t
farthest_position(pid_t pid)
{
    char path[64], line[128];
    int64_t farthest = 0;

    for (int fd = 0; fd < 64; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fdinfo/%d", (int)pid, fd);
        FILE *file = fopen(path, "re");

        if (!file)
            continue;
        while (fgets(line, sizeof line, file)) {
            if (strncmp(line, "pos:", 4) != 0)
                continue;
            int64_t position = strtoll(line + 4, NULL, 10);
            farthest = position > farthest ? position : farthest;
        }
        fclose(file);
    }
    return farthest;
}

static int
exit_status(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static double
seconds_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

int
driver_run(int argc, char **argv)
{
    static struct switches before, after;
    pid_t daemon = 0, server = 0;
    double limit = 0;
    char **command = find_command(argc, argv);
    int option, status;

    while ((option = getopt(argc, argv, "+d:s:t:")) != -1) {
        if (option == 'd')
            daemon = parse_pid(optarg);
        else if (option == 's')
            server = parse_pid(optarg);
        else if (option == 't')
            limit = parse_seconds(optarg);
        else
            die("usage: driver run [-d PID] [-s PID] [-t SECONDS] -- COMMAND...");
    }

    get_switches(daemon, &before);
    double daemon_cpu = cpu_seconds(daemon), server_cpu = cpu_seconds(server);
    double begin = now_s();
    pid_t pid = spawn(command);
    bool ended = wait_for_end(pid, limit);
    double seconds = now_s() - begin;
    int64_t reached = ended ? 0 : farthest_position(pid);
    daemon_cpu = cpu_seconds(daemon) - daemon_cpu;
    server_cpu = cpu_seconds(server) - server_cpu;
    get_switches(daemon, &after);

    struct rusage usage;
    if (!ended)
        kill(pid, SIGKILL);
    while (wait4(pid, &status, 0, &usage) < 0)
        if (errno != EINTR)
            die("wait4: %s", strerror(errno));
    printf("seconds=%.6f status=%d timeout=%d reached=%" PRIi64
           " command_cpu=%.6f daemon_cpu=%.6f server_cpu=%.6f switches=%" PRIu64 "\n",
           seconds, exit_status(status), !ended, reached, seconds_of(&usage),
           daemon_cpu, server_cpu, switches_between(&before, &after));
    return 0;
}

/* A read of the first bytes.  Where a daemon mounts over a file, that file is empty, so
 * what counts is that something comes. */
static bool
can_read(const char *path)
{
    char block[4096];
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0)
        return false;
    ssize_t n = pread(fd, block, sizeof block, 0);
    close(fd);
    return n > 0;
}

int
driver_start(int argc, char **argv)
{
    char **command = find_command(argc, argv);
    if (command != argv + 4)
        die("usage: driver start FILE SECONDS -- COMMAND...");
    double limit = parse_seconds(argv[2]);
    int mounts = mounts_open(), status;
    double begin = now_s(), left;
    pid_t pid = spawn(command);
    int ended = (int)syscall(SYS_pidfd_open, pid, 0);
    bool came;

    if (mounts < 0 || ended < 0)
        die("mountinfo, or pidfd_open: %s", strerror(errno));
    /* As soon as it is mounted a read waits for the daemon. */
    while (!(came = can_read(argv[1])) && (left = limit - (now_s() - begin)) > 0 &&
           waitpid(pid, &status, WNOHANG) == 0)
        mounts_wait(mounts, ended, (int)(left * 1000) + 1);
    double seconds = now_s() - begin;
    close(mounts);
    close(ended);
    kill(pid, SIGTERM);
    if (!wait_for_end(pid, 20))
        kill(pid, SIGKILL);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    if (!came)
        die("%s: nothing to read after %.1f s", argv[1], seconds);
    printf("start_seconds=%.6f\n", seconds);
    return 0;
}

int
driver_listen(int argc, char **argv)
{
    char **command = find_command(argc, argv);
    if (command != argv + 3)
        die("usage: driver listen PORTFILE -- COMMAND...");
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, len) < 0 ||
        listen(fd, 64) < 0 || getsockname(fd, (struct sockaddr *)&address, &len) < 0)
        die("listen: %s", strerror(errno));
    FILE *file = fopen(argv[1], "we");
    if (!file || fprintf(file, "%u\n", ntohs(address.sin_port)) < 0 ||
        fclose(file) != 0)
        die("%s: %s", argv[1], strerror(errno));

    /* The socket activation protocol of systemd: descriptor 3, and our own number. */
    char number[16];
    if (fd != 3 && dup2(fd, 3) < 0)
        die("dup2: %s", strerror(errno));
    snprintf(number, sizeof number, "%d", (int)getpid());
    setenv("LISTEN_FDS", "1", 1);
    setenv("LISTEN_PID", number, 1);
    execvp(command[0], command);
    die("%s: %s", command[0], strerror(errno));
}
