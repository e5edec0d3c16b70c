/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-command.c - a server run with one end of a socket pair as its standard input
 * and output, as inetd does
 */

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base-cleanup.h"
#include "connect-spawn.h"

int
connect_command(char *const *argv, struct subprocess *sub, struct error *e)
{
    int pair[2];

    if (!argv || !argv[0])
        return error_set(e, EINVAL, "the command is empty");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == -1)
        return error_set_errno(e, errno, "running %.300s: socketpair", argv[0]);
    int ours CLEANUP_CLOSE = pair[0];
    int theirs CLEANUP_CLOSE = pair[1];

    /* O_NONBLOCK belongs to each end of a pair by itself: the server's stays blocking,
     * which a server on its standard input expects. */
    if (connect_adopt(ours, e) == -1)
        return -1;

    struct spawn spawn = {
        .argv = argv,
        .fd = theirs,
        .targets = {STDIN_FILENO, STDOUT_FILENO},
        .n_targets = 2,
    };
    if (spawn_start(&spawn, sub, e) == -1)
        return -1;
    return steal_fd(&ours);
}
