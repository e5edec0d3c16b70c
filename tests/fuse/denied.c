/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* denied.c - denied CALL COMMAND...: runs COMMAND, whose system call CALL fails with
 * EPERM, as in a container or a unit that does not let it through
 *
 * 77: it cannot be done here. */

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct {
    const char *name;
    unsigned number;
} calls[] = {
#ifdef SYS_io_uring_setup
    {"io_uring_setup", SYS_io_uring_setup},
#endif
    {"epoll_create1", SYS_epoll_create1},
    {"sched_setscheduler", SYS_sched_setscheduler},
};

/* Set-user-ID programs work in it, so it needs CAP_SYS_ADMIN. */
static int
deny(unsigned number)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {sizeof filter / sizeof *filter, filter};

    return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int
main(int argc, char **argv)
{
    for (size_t i = 0; argc > 2 && i < sizeof calls / sizeof *calls; i++) {
        if (strcmp(argv[1], calls[i].name) != 0)
            continue;
        if (deny(calls[i].number) == -1) {
            perror("prctl(PR_SET_SECCOMP)");
            return 77;
        }
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        return 127;
    }
    fprintf(stderr, "usage: denied CALL COMMAND...\n");
    return 2;
}
