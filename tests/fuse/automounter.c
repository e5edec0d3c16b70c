/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* automounter.c - automounter FOLDER COMMAND...: what systemd does for one automount
 * unit
 *
 * Mounts an autofs on FOLDER, says "waiting", and runs COMMAND when somebody looks into
 * it; who looks goes on when COMMAND has ended. Its status is the exit status. As with
 * systemd, the command is in the process group that the kernel does not hold up there:
 * what it starts and leaves behind is not, if it has a group of its own.
 *
 * 77: it cannot be done here. */

#include <errno.h>
#include <fcntl.h>
#include <linux/auto_fs.h>
#include <poll.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECONDS 30 /* until all is given up, which lets go of who waits */

/* Returns where requests come from, or -1. */
static int
mount_autofs(const char *folder)
{
    char options[96];
    int ends[2];

    if (setpgid(0, 0) == -1 || pipe(ends) == -1)
        return -1;
    snprintf(options, sizeof options, "fd=%d,pgrp=%ld,minproto=5,maxproto=5,direct",
             ends[1], (long)getpid());
    if (mount("automounter", folder, "autofs", 0, options) == -1)
        return -1;
    close(ends[1]); /* the kernel has it */
    fcntl(ends[0], F_SETFD, FD_CLOEXEC);
    return ends[0];
}

/* As waitpid gives it, or -1. */
static int
run(char **command)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        execvp(command[0], command);
        perror(command[0]);
        _exit(127);
    }
    return pid == -1 || waitpid(pid, &status, 0) == -1 ? -1 : status;
}

int
main(int argc, char **argv)
{
    union autofs_v5_packet_union packet;

    if (argc < 3) {
        fprintf(stderr, "usage: automounter FOLDER COMMAND...\n");
        return 2;
    }
    int requests = mount_autofs(argv[1]);
    int folder =
        requests == -1 ? -1 : open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder == -1) {
        perror("autofs");
        return 77;
    }
    alarm(SECONDS);
    puts("waiting");
    fflush(stdout);
    if (read(requests, &packet, sizeof packet) < (ssize_t)sizeof packet.hdr) {
        perror("no request");
        return 2;
    }
    int status = run(argv + 2);
    int fine = status != -1 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (ioctl(folder, fine ? AUTOFS_IOC_READY : AUTOFS_IOC_FAIL,
              packet.missing_direct.wait_queue_token) == -1) {
        perror("ioctl");
        return 2;
    }
    return fine ? 0 : 1;
}
