/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mounts.h - waiting until something is mounted, or is not any more
 *
 * Whoever has /proc/self/mountinfo open is told by the kernel that it has changed, also
 * if that was since it was opened.  So: open it, look at what matters, wait, look
 * again.
 */

#ifndef MOUNTS_H
#define MOUNTS_H

#include <fcntl.h>
#include <poll.h>

/* -1: errno. */
static inline int
mounts_open(void)
{
    return open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
}

/* Until they change, or other (-1: none) becomes readable, or the time is up. */
static inline void
mounts_wait(int mounts, int other, int timeout_ms)
{
    struct pollfd fd[] = {{.fd = mounts, .events = POLLPRI},
                          {.fd = other, .events = POLLIN}};

    poll(fd, 2, timeout_ms);
}

#endif
