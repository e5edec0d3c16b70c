/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* loops.c - main loops of one's own around one or more handles
 *
 * Ends the program where a connection breaks or nothing moves.
 */

#include "loops.h"

#include <err.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/epoll.h>

static void
notify(struct nbd_handle *nbd, bool readable, bool writable)
{
    unsigned direction = nbd_aio_get_direction(nbd);
    int r = 0;
    if (readable && direction & LIBNBD_AIO_DIRECTION_READ)
        r = nbd_aio_notify_read(nbd);
    else if (writable && direction & LIBNBD_AIO_DIRECTION_WRITE)
        r = nbd_aio_notify_write(nbd);
    if (r == -1)
        errx(1, "the connection broke: %s", nbd_get_error());
}

void
poll_once(struct nbd_handle **handles, unsigned nr_handles)
{
    struct pollfd pfds[MAX_CONNECTIONS];
    for (unsigned i = 0; i < nr_handles; i++) {
        unsigned direction = nbd_aio_get_direction(handles[i]);
        pfds[i] = (struct pollfd){.fd = nbd_aio_get_fd(handles[i])};
        pfds[i].events = (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0) |
                         (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0);
    }
    int r = poll(pfds, nr_handles, DEADLINE_MS);
    if (r == 0)
        errx(1, "hung in poll");
    for (unsigned i = 0; i < nr_handles; i++)
        notify(handles[i], pfds[i].revents & (POLLIN | POLLHUP | POLLERR),
               pfds[i].revents & POLLOUT);
}

void
epoll_once(struct nbd_handle **handles, unsigned nr_handles)
{
    static int efd = -1;
    bool fresh = efd < 0;
    if (fresh && (efd = epoll_create1(EPOLL_CLOEXEC)) < 0)
        err(1, "epoll_create1");
    for (unsigned i = 0; i < nr_handles; i++) {
        unsigned direction = nbd_aio_get_direction(handles[i]);
        struct epoll_event e = {.data.u32 = i};
        e.events = (direction & LIBNBD_AIO_DIRECTION_READ ? EPOLLIN : 0) |
                   (direction & LIBNBD_AIO_DIRECTION_WRITE ? EPOLLOUT : 0);
        if (epoll_ctl(efd, fresh ? EPOLL_CTL_ADD : EPOLL_CTL_MOD,
                      nbd_aio_get_fd(handles[i]), &e) < 0)
            err(1, "epoll_ctl");
    }
    struct epoll_event got[MAX_CONNECTIONS];
    int n = epoll_wait(efd, got, MAX_CONNECTIONS, DEADLINE_MS);
    if (n == 0)
        errx(1, "hung in epoll_wait");
    for (int i = 0; i < n; i++)
        notify(handles[got[i].data.u32],
               got[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR),
               got[i].events & EPOLLOUT);
}
