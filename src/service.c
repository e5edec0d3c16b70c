/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service.c - see service.h */

#include "service.h"
#include "conn.h"
#include "notify.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#define STATUS_MS 3000 /* between two looks at how it goes */

static struct {
    const struct service_work *work;
    pthread_t thread;
    bool started;
    int wake; /* eventfd, once started */
    atomic_bool ending;
    atomic_bool reload;
    /* the thread's own */
    int64_t alive_due_ms;
    int64_t status_due_ms;
    char told[512]; /* the status that was told last */
} service = {.wake = -1};

void
service_reload(void)
{
    int saved = errno;

    atomic_store(&service.reload, true);
    if (service.wake != -1)
        eventfd_write(service.wake, 1);
    errno = saved;
}

static void
tell_alive(void)
{
    int64_t now = conn_clock_ms();

    if (notify_watchdog_ms() == 0 || now < service.alive_due_ms)
        return;
    notify("WATCHDOG=1");
    service.alive_due_ms = now + notify_watchdog_ms();
}

static void
tell_status(void)
{
    char text[sizeof service.told] = "";

    if (!notify_is_on() || conn_clock_ms() < service.status_due_ms)
        return;
    service.status_due_ms = conn_clock_ms() + STATUS_MS;
    service.work->status(text, sizeof text);
    if (strcmp(text, service.told) == 0)
        return;
    memcpy(service.told, text, sizeof text);
    notify("STATUS=%s", text);
}

bool
service_goes_on(void)
{
    tell_alive();
    return !atomic_load(&service.ending);
}

static void
reload(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    notify("RELOADING=1\nMONOTONIC_USEC=%" PRIu64 "\nSTATUS=Reloading",
           (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000);
    service.work->reload();
    if (atomic_load(&service.ending))
        return;
    notify("READY=1");
    service.told[0] = '\0';
    service.status_due_ms = 0;
}

/* How long it may sleep. */
static int
time_left(void)
{
    int64_t due = INT64_MAX;

    if (notify_is_on())
        due = service.status_due_ms;
    if (notify_watchdog_ms() > 0 && service.alive_due_ms < due)
        due = service.alive_due_ms;
    if (due == INT64_MAX)
        return -1;
    int64_t left = due - conn_clock_ms();
    return left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left;
}

static void *
service_thread(void *user_data)
{
    struct pollfd fd = {.fd = service.wake, .events = POLLIN};
    eventfd_t n;

    while (service_goes_on()) {
        if (atomic_exchange(&service.reload, false)) {
            reload();
            continue;
        }
        tell_status();
        if (poll(&fd, 1, time_left()) > 0)
            eventfd_read(service.wake, &n);
    }
    return user_data;
}

int
service_start(const struct service_work *work)
{
    sigset_t all, old;

    service.work = work;
    notify("READY=1\nMAINPID=%ld", (long)getpid());
    service.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (service.wake == -1)
        return -errno;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&service.thread, NULL, service_thread, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    service.started = error == 0;
    return -error;
}

void
service_stop(void)
{
    notify("STOPPING=1\nSTATUS=Flushing what was written");
    atomic_store(&service.ending, true);
    if (!service.started)
        return;
    /* The descriptor stays: a signal may come at any time. */
    eventfd_write(service.wake, 1);
    pthread_join(service.thread, NULL);
    service.started = false;
}
