/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-spawn.h - starting a program; for connect-command.c and connect-activation.c
 */

#ifndef CONNECT_SPAWN_H
#define CONNECT_SPAWN_H

#include "connect.h"

struct spawn {
    char *const *argv;
    char *const *environment; /* NULL: this process's own */
    /* Points into a string of environment: the child writes its process number and a
     * NUL there (room for 20 digits and the NUL).  NULL: nowhere. */
    char *pid_slot;
    /* The child gets fd as these descriptors. */
    int fd;
    int targets[2];
    int n_targets;
};

/* Starts it: sub->pid is set.  Returns when the program runs, or -1 with e set where it
 * could not be started; then there is no child left. */
int spawn_start(const struct spawn *spawn, struct subprocess *sub, struct error *e);

#endif /* CONNECT_SPAWN_H */
