/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-hold.c - requests that are kept, and sent together */

#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "tap.h"

#define LIBNBD_ATTRIBUTE_NONNULL(...)
#include "nbdclient.h"

#define DEADLINE_S 30
#define REQUEST    28 /* bytes of a read request, as doc/proto.md has it */

static char *server[] = {"nbdkit", "-s", "--exit-with-parent", "pattern", "1M", NULL};
static unsigned char buf[8][512];

static struct nbd_handle *
connected(void)
{
    struct nbd_handle *h = nbd_create();

    if (h != NULL && nbd_connect_command(h, server) == 0)
        return h;
    printf("Bail out! connecting: %s\n", nbd_get_error());
    exit(99);
}

/* Issues so many; what each completion leaves is in *left. */
static int
on_read(void *left, int *error)
{
    if (*error == 0)
        --*(int *)left;
    return 1;
}

static void
read_some(struct nbd_handle *h, int n, int *left)
{
    *left = n;
    for (int i = 0; i < n; i++)
        if (nbd_aio_pread(h, buf[i], sizeof buf[i], 512U * (unsigned)i,
                          (nbd_completion_callback){on_read, left, NULL}, 0) == -1)
            fail("read %d: %s", i, nbd_get_error());
}

static void
poll_all(struct nbd_handle *h)
{
    time_t until = time(NULL) + DEADLINE_S;

    while (nbd_aio_in_flight(h) > 0 && time(NULL) < until && nbd_poll(h, 1000) != -1)
        ;
}

static void
kept(void)
{
    struct nbd_handle *h = connected();
    uint64_t before = nbd_stats_bytes_sent(h);
    int left;

    is_int(nbdclient_hold(h), 0, "a handle is held");
    read_some(h, 8, &left);
    is_int(nbd_stats_bytes_sent(h) - before, 0, "nothing is sent");
    is_int(nbd_aio_in_flight(h), 8, "but all is in flight");
    is_int(nbdclient_hold(h), 0, "it is held twice");
    is_int(nbdclient_release(h), 0, "and released once");
    is_int(nbd_stats_bytes_sent(h) - before, 0, "still nothing");
    is_int(nbdclient_release(h), 0, "and again");
    is_int(nbd_stats_bytes_sent(h) - before, 8 * REQUEST, "that sends all");
    poll_all(h);
    is_int(left, 0, "and all is answered");
    is_int(buf[7][6] << 8 | buf[7][7], 7 * 512, "with the right bytes");
    read_some(h, 1, &left);
    is_int(nbd_stats_bytes_sent(h) - before, 9 * REQUEST,
           "the next one is sent at once");
    poll_all(h);
    nbd_close(h);
}

static void
who_waits_sends(void)
{
    struct nbd_handle *h = connected();
    uint64_t before = nbd_stats_bytes_sent(h);
    int left;

    nbdclient_hold(h);
    is_int(nbd_pread(h, buf[0], 512, 0, 0), 0, "who waits for an answer has it");
    read_some(h, 3, &left);
    poll_all(h);
    is_int(left, 0, "who polls too");
    is_int(nbd_stats_bytes_sent(h) - before, 4 * REQUEST, "each was sent once");
    read_some(h, 2, &left);
    is_int(nbd_aio_notify_read(h), 0, "who looks whether something has come");
    is_int(nbd_stats_bytes_sent(h) - before, 6 * REQUEST, "sends what is kept");
    poll_all(h);
    read_some(h, 2, &left);
    nbd_close(h);
    is_int(left, 2, "what is kept when the handle is closed is not done");
}

static void *
release(void *h)
{
    return nbdclient_release(h) == 0 ? h : NULL;
}

static void
others(void)
{
    struct nbd_handle *h = connected();
    pthread_t thread;
    void *result = NULL;
    int left;

    is_int(nbdclient_release(h), -1, "what is not held is not released");
    is_int(nbd_get_errno(), EINVAL, "which is EINVAL");
    is_int(nbdclient_hold(NULL), -1, "there must be a handle");
    is_int(nbd_get_errno(), EFAULT, "or it is EFAULT");
    is_int(nbdclient_release(NULL), -1, "here too");
    nbdclient_hold(h);
    read_some(h, 4, &left);
    pthread_create(&thread, NULL, release, h);
    pthread_join(thread, &result);
    ok(result == h, "another thread may release");
    poll_all(h);
    is_int(left, 0, "and what the first one has issued is answered");
    nbd_close(h);
}

static void
dead(void)
{
    struct nbd_handle *h = connected();
    int left;

    nbdclient_hold(h);
    read_some(h, 2, &left);
    nbd_kill_subprocess(h, 9);
    time_t until = time(NULL) + DEADLINE_S;
    while (!nbd_aio_is_dead(h) && !nbd_aio_is_closed(h) && time(NULL) < until)
        nbd_poll(h, 1000);
    ok(nbd_aio_in_flight(h) <= 0, "without a server nothing stays in flight");
    is_int(left, 2, "and none is done");
    is_int(nbdclient_release(h), 0, "a dead handle is released as others");
    nbd_close(h);
}

int
main(void)
{
    kept();
    who_waits_sends();
    others();
    dead();
    done_testing();
}
