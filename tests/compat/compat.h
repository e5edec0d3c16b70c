/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* compat.h - what the tests of the public interface share
 *
 * They see <libnbd.h> only, so that they can be compiled against another libnbd too, to
 * check that what they expect is right.  Servers are nbdkit as a subprocess of the
 * handle.
 */

#ifndef COMPAT_H
#define COMPAT_H

#define LIBNBD_ATTRIBUTE_NONNULL(...)

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "libnbd.h"
#include "tap.h"

#define EXPORT_SIZE (1024 * 1024)
#define DEADLINE_S  30

#define ARGV(...)   ((char *[]){__VA_ARGS__, NULL})
#define MEMORY      ARGV("nbdkit", "-s", "--exit-with-parent", "memory", "1M")
#define READ_ONLY   ARGV("nbdkit", "-s", "--exit-with-parent", "-r", "memory", "1M")
#define PATTERN     ARGV("nbdkit", "-s", "--exit-with-parent", "pattern", "64M")

__attribute__((unused)) static struct nbd_handle *
new_handle(void)
{
    struct nbd_handle *h = nbd_create();

    if (!h) {
        printf("Bail out! nbd_create: %s\n", nbd_get_error());
        exit(99);
    }
    return h;
}

__attribute__((unused)) static void
must(int result, const char *what)
{
    if (result != -1)
        return;
    printf("Bail out! %s: %s\n", what, nbd_get_error());
    exit(99);
}

/* A handle that is connected to argv. */
__attribute__((unused)) static struct nbd_handle *
connected(char **argv)
{
    struct nbd_handle *h = new_handle();

    must(nbd_connect_command(h, argv), "connecting");
    return h;
}

/* A handle that is negotiating with argv. */
__attribute__((unused)) static struct nbd_handle *
negotiating(char **argv)
{
    struct nbd_handle *h = new_handle();

    must(nbd_set_opt_mode(h, true), "option mode");
    must(nbd_connect_command(h, argv), "connecting");
    return h;
}

__attribute__((unused)) static bool
is_error_of(const char *function)
{
    const char *text = nbd_get_error();
    size_t len = strlen(function);

    return text && strncmp(text, function, len) == 0 && text[len] == ':';
}

/* Polls until done() or the deadline. */
#define POLL_UNTIL(h, condition)                                                 \
    do {                                                                         \
        time_t until_ = time(NULL) + DEADLINE_S;                                 \
        while (!(condition) && time(NULL) < until_ && nbd_poll((h), 1000) != -1) \
            ;                                                                    \
    } while (0)

/* What was called, in order: letters. */
struct diary {
    char text[64];
    size_t len;
    int error; /* that the completion callback saw */
};

__attribute__((unused)) static void
note(struct diary *d, char letter)
{
    if (d->len < sizeof d->text - 1)
        d->text[d->len++] = letter;
    d->text[d->len] = '\0';
}

#endif /* COMPAT_H */
