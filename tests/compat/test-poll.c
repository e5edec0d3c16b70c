/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-poll.c - main loops: nbd_poll, nbd_poll2 and one of one's own */

#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

#include "compat.h"

static char buf[EXPORT_SIZE];

static int
count_down(void *user, int *error)
{
    if (*error == 0)
        (*(int *)user)--;
    return 1;
}

static void
simple(void)
{
    struct nbd_handle *h = new_handle();
    int left = 20;

    must(nbd_aio_connect_command(h, MEMORY), "connecting");
    ok(nbd_aio_get_fd(h) >= 0, "there is a descriptor while it connects");
    ok(nbd_aio_get_direction(h) != 0, "and a direction");
    POLL_UNTIL(h, nbd_aio_is_ready(h));
    is_int(nbd_aio_is_ready(h), 1, "nbd_poll leads to ready");
    is_int(nbd_aio_get_direction(h), LIBNBD_AIO_DIRECTION_READ,
           "where the server may be read from");
    is_int(nbd_poll(h, 0), 0, "nothing comes where nothing was asked for");
    for (int i = 0; i < 20; i++)
        nbd_aio_pread(h, buf + 512 * i, 512, 512U * (unsigned)i,
                      (nbd_completion_callback){count_down, &left, NULL}, 0);
    POLL_UNTIL(h, nbd_aio_in_flight(h) == 0);
    is_int(left, 0, "all reads are answered");
    nbd_close(h);
}

static void
second_descriptor(void)
{
    struct nbd_handle *h = connected(MEMORY);
    int event = eventfd(0, EFD_CLOEXEC);

    is_int(nbd_poll2(h, event, 0), 0, "nothing happens on either");
    eventfd_write(event, 1);
    is_int(nbd_poll2(h, event, 5000), 1, "nbd_poll2 tells of the second descriptor");
    is_int(nbd_poll2(h, -1, 0), 0, "-1 means none");
    close(event);
    nbd_close(h);
}

static void
own_loop(void)
{
    struct nbd_handle *h = connected(MEMORY);
    int left = 64;
    time_t until = time(NULL) + DEADLINE_S;
    bool both = false;

    /* So much at once that the socket cannot take it. */
    for (int i = 0; i < 64; i++)
        nbd_aio_pwrite(h, buf, sizeof buf, 0,
                       (nbd_completion_callback){count_down, &left, NULL}, 0);
    while (nbd_aio_in_flight(h) > 0 && time(NULL) < until) {
        unsigned direction = nbd_aio_get_direction(h);
        struct pollfd fd = {.fd = nbd_aio_get_fd(h)};

        both |= direction == LIBNBD_AIO_DIRECTION_BOTH;
        if (direction & LIBNBD_AIO_DIRECTION_READ)
            fd.events |= POLLIN;
        if (direction & LIBNBD_AIO_DIRECTION_WRITE)
            fd.events |= POLLOUT;
        poll(&fd, 1, 1000);
        if (fd.revents & (POLLIN | POLLHUP))
            must(nbd_aio_notify_read(h), "notify_read");
        else if (fd.revents & POLLOUT)
            must(nbd_aio_notify_write(h), "notify_write");
    }
    is_int(left, 0, "a loop of one's own writes 64 MiB");
    ok(both, "and was told to wait for the socket to take more");
    is_int(nbd_aio_notify_write(h), -1, "notify_write without anything to write");
    is_int(nbd_get_errno(), EINVAL, "is EINVAL");
    is_int(nbd_aio_notify_read(h), 0, "notify_read without anything to read is not");
    nbd_close(h);
}

static void *
poll_in_thread(void *arg)
{
    return (void *)(intptr_t)nbd_poll(arg, DEADLINE_S * 1000);
}

/* One sleeps in nbd_poll; what another submits must be written and answered meanwhile.
 * (Other implementations keep the handle's lock while they poll, and fail here.) */
static void
two_threads(void)
{
    struct nbd_handle *h = connected(MEMORY);
    pthread_t thread;
    void *result;

    pthread_create(&thread, NULL, poll_in_thread, h);
    is_int(nbd_pread(h, buf, sizeof buf, 0, 0), 0,
           "a read that waits, while another thread polls");
    is_int(nbd_pwrite(h, buf, sizeof buf, 0, 0), 0,
           "and a write that fills the socket");
    pthread_join(thread, &result);
    is_int((intptr_t)result, 1, "the thread that polled has seen progress");
    nbd_close(h);
}

static int
wait_inside(void *user, int *error)
{
    char sector[512];

    (void)error;
    is_int(nbd_pread(user, sector, sizeof sector, 0, 0), -1,
           "a callback that waits for its own handle is refused");
    is_int(nbd_get_errno(), EDEADLK, "with EDEADLK instead of a deadlock");
    return 1;
}

static void
from_callback(void)
{
    struct nbd_handle *h = connected(MEMORY);

    nbd_aio_pread(h, buf, 512, 0, (nbd_completion_callback){wait_inside, h, NULL}, 0);
    POLL_UNTIL(h, nbd_aio_in_flight(h) == 0);
    is_int(nbd_pread(h, buf, 512, 0, 0), 0, "and the handle lives on");
    nbd_close(h);
}

static void
abandon(void)
{
    struct nbd_handle *h = connected(MEMORY);
    int left = 64;

    for (int i = 0; i < 64; i++)
        nbd_aio_pwrite(h, buf, sizeof buf, 0,
                       (nbd_completion_callback){count_down, &left, NULL}, 0);
    is_int(nbd_shutdown(h, LIBNBD_SHUTDOWN_ABANDON_PENDING), 0,
           "shutdown that abandons what was not sent");
    ok(left > 0, "left %d of 64 writes undone", left);
    is_int(nbd_aio_in_flight(h), 0, "and none in flight");
    nbd_close(h);

    h = connected(MEMORY);
    left = 64;
    for (int i = 0; i < 64; i++)
        nbd_aio_pwrite(h, buf, sizeof buf, 0,
                       (nbd_completion_callback){count_down, &left, NULL}, 0);
    is_int(nbd_shutdown(h, 0), 0, "shutdown that does not");
    is_int(left, 0, "does them all");
    nbd_close(h);
}

int
main(void)
{
    simple();
    second_descriptor();
    own_loop();
    two_threads();
    from_callback();
    abandon();
    done_testing();
}
