/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-notes.c - nbd_poll leaves time to take note of a command
 *
 * Programs issue a command in one thread and count it when nbd_aio_* has returned; the
 * completion callback, in a thread that polls, takes it off again.  So it must not be
 * called before that.  (Where the handle's lock is kept over both, as elsewhere, these
 * cases would wait without end.)
 */

#include <pthread.h>
#include <semaphore.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "comes.h"
#include "compat.h"

#define BULK     32768 /* two answers of this size wait in a socket */
#define LATE_MS  200
#define NR_BULKS 2

static char buf[NR_BULKS + 1][BULK];

struct note {
    struct nbd_handle *h;
    sem_t told;
    _Atomic bool first_ended, last_ended;
    bool answered;
};

static void
pause_ms(int ms)
{
    poll(NULL, 0, ms);
}

static int
queued(struct nbd_handle *h)
{
    int bytes = 0;

    ioctl(nbd_aio_get_fd(h), FIONREAD, &bytes);
    return bytes;
}

static bool
wait_for_queued(struct nbd_handle *h, int bytes)
{
    for (int ms = 0; ms < DEADLINE_S * 1000; ms++) {
        if (queued(h) >= bytes)
            return true;
        pause_ms(1);
    }
    return false;
}

struct polling {
    struct nbd_handle *h;
    const _Atomic bool *enough;
};

/* Its last round is the one in which there is enough. */
static void *
poll_in_thread(void *arg)
{
    const struct polling *polling = arg;

    for (int i = 0; i < DEADLINE_S && !*polling->enough;)
        i += nbd_poll(polling->h, 1000) != 1;
    return NULL;
}

/* ---- a command that is issued because another one has ended */

/* Lets the other thread issue a command, and its answer come. */
static int
tell_and_wait(void *user, int *error)
{
    struct note *note = user;
    int before = queued(note->h);

    sem_post(&note->told);
    note->first_ended = true;
    note->answered = *error == 0 && wait_for_queued(note->h, before + BULK);
    return 1;
}

static int
last_has_ended(void *user, int *error)
{
    ((struct note *)user)->last_ended = *error == 0;
    return 1;
}

static void
issued_in_a_round(void)
{
    struct nbd_handle *h = connected(PATTERN);
    struct note note = {.h = h};
    struct polling polling = {h, &note.first_ended}, again = {h, &note.last_ended};
    nbd_completion_callback last = {last_has_ended, &note, NULL};
    pthread_t thread;

    sem_init(&note.told, 0, 0);
    for (int i = 0; i < NR_BULKS; i++) {
        nbd_completion_callback told = {i == 0 ? tell_and_wait : NULL, &note, NULL};

        must((int)nbd_aio_pread(h, buf[i], BULK, 0, told, 0), "aio_pread");
    }
    ok(wait_for_queued(h, NR_BULKS * BULK), "two answers wait to be received");
    pthread_create(&thread, NULL, poll_in_thread, &polling);
    ok(comes(&note.told, DEADLINE_S), "the first one's callback is called");
    must((int)nbd_aio_pread(h, buf[NR_BULKS], BULK, 0, last, 0), "aio_pread");
    pthread_join(thread, NULL);
    ok(note.answered, "it leads to another command, answered before it returns");
    ok(!note.last_ended, "which is left to a later nbd_poll");
    poll_in_thread(&again);
    ok(note.last_ended, "and ended by it");
    sem_destroy(&note.told);
    nbd_close(h);
}

/* ---- a command whose thread is still in nbd_aio_* */

static pthread_t issuer;
static _Atomic bool hold, polled, ended;
static bool ended_by_issuer;

/* In place of the C library's: whoever sends is slow to come back from the kernel. */
ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t r = syscall(SYS_sendmsg, fd, message, flags);

    if (!hold)
        return r;
    hold = false;
    for (int ms = 0; ms < LATE_MS && !polled; ms++)
        pause_ms(1);
    return r;
}

static int
on_end(void *user, int *error)
{
    (void)user;
    (void)error;
    ended_by_issuer = pthread_equal(pthread_self(), issuer);
    ended = true;
    return 1;
}

/* Until the answer was received, whether the command has ended or not. */
static void *
poll_for_answer(void *arg)
{
    struct nbd_handle *h = arg;
    uint64_t before = nbd_stats_bytes_received(h);

    for (int i = 0; i < DEADLINE_S && nbd_stats_bytes_received(h) < before + BULK;)
        i += nbd_poll(h, 1000) != 1;
    polled = true;
    return NULL;
}

static void
issued_in_poll(void)
{
    struct nbd_handle *h = connected(PATTERN);
    pthread_t thread;

    issuer = pthread_self();
    pthread_create(&thread, NULL, poll_for_answer, h);
    hold = true;
    must((int)nbd_aio_pread(h, buf[0], BULK, 0,
                            (nbd_completion_callback){on_end, NULL, NULL}, 0),
         "aio_pread");
    pthread_join(thread, NULL);
    for (int i = 0; i < DEADLINE_S && !ended; i++)
        nbd_poll(h, 1000);
    ok(ended, "who polls receives the answer before the issuer is done with sending");
    ok(!ended_by_issuer, "but the command does not end before nbd_aio_pread has");
    nbd_close(h);
}

int
main(void)
{
    issued_in_a_round();
    issued_in_poll();
    done_testing();
}
