/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* notify.c - see notify.h */

#include "notify.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Written by notify_open only. */
static struct {
    struct sockaddr_un address;
    socklen_t len; /* 0: nobody listens */
    int watchdog_ms;
} manager;

static void
set_address(const char *text)
{
    size_t len = strlen(text);

    /* A path, or with '@' for the zero byte a name in the abstract namespace. */
    if ((text[0] != '/' && text[0] != '@') || len < 2 ||
        len >= sizeof manager.address.sun_path)
        return;
    manager.address.sun_family = AF_UNIX;
    memcpy(manager.address.sun_path, text, len + 1);
    manager.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    if (text[0] == '@')
        manager.address.sun_path[0] = '\0';
    else
        manager.len++;
}

/* A number that is all of the text and above 0, or 0. */
static unsigned long long
number(const char *text)
{
    char *end;

    if (text == NULL || *text < '0' || *text > '9')
        return 0;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0' ? n : 0;
}

void
notify_open(void)
{
    const char *address = getenv("NOTIFY_SOCKET");
    const char *pid = getenv("WATCHDOG_PID");
    unsigned long long usec = number(getenv("WATCHDOG_USEC"));

    if (address != NULL)
        set_address(address);
    if (usec > 0 && (pid == NULL || number(pid) == (unsigned long long)getpid())) {
        unsigned long long half_ms = usec / 2000;
        manager.watchdog_ms = half_ms > INT_MAX ? INT_MAX
                              : half_ms < 1     ? 1
                                                : (int)half_ms;
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_PID");
    unsetenv("WATCHDOG_USEC");
}

bool
notify_is_on(void)
{
    return manager.len > 0;
}

int
notify_watchdog_ms(void)
{
    return manager.len > 0 ? manager.watchdog_ms : 0;
}

void
notify(const char *format, ...)
{
    char text[1024];
    va_list args;

    if (manager.len == 0)
        return;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n >= sizeof text)
        n = sizeof text - 1;
    /* A socket for each: a change of the root or many years between two do no harm. */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd == -1)
        return;
    while (sendto(fd, text, (size_t)n, MSG_NOSIGNAL,
                  (const struct sockaddr *)&manager.address, manager.len) == -1 &&
           errno == EINTR)
        ;
    close(fd);
}
