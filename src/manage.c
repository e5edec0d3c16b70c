/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manage.c - see manage.h
 *
 * service.c has the thread and knows when; here is what it says and does.
 */

#include "manage.h"
#include "all.h"
#include "handshake.h"
#include "log.h"
#include "notify.h"
#include "service.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RELOAD_MS 10000 /* for the connection that is tried */

static struct {
    const struct source *source;
    const struct fs *fs;
} managed;

/* "1.5 GiB"; the unit is the greatest in which it is not below 1. */
static void
put_bytes(char *text, size_t size, uint64_t bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB",
                                        "TiB",   "PiB", "EiB"};
    double n = (double)bytes;
    size_t unit = 0;

    while (n >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
        n /= 1024;
        unit++;
    }
    snprintf(text, size, "%.*f %s", unit == 0 ? 0 : 1, n, units[unit]);
}

static void
on_status(char *text, size_t size)
{
    struct figures figures = {0};
    char in[32], out[32], open_now[64] = "";
    unsigned exports, n_open;

    if (managed.fs->all != NULL) {
        all_look(managed.fs->all, &exports, &n_open, &figures);
        snprintf(open_now, sizeof open_now, "%u of %u exports open, ", n_open, exports);
    } else {
        figures_add(&figures, managed.fs->export->pool);
    }
    put_bytes(in, sizeof in, figures.read);
    put_bytes(out, sizeof out, figures.written);
    snprintf(text, size,
             "%s%u of %u connections to %.256s; %u commands in flight, %s read, "
             "%s written, %u connections lost",
             open_now, figures.live, figures.connections, managed.source->text,
             figures.in_flight, in, out, figures.losses);
}

/* The list of all exports is asked for whenever somebody looks; here it is said whether
 * that works. */
static void
list_again(struct all *all)
{
    unsigned before, now;
    int error = all_reload(all, service_goes_on, &before, &now);

    if (error == 0)
        log_info("reloaded: %s has %u exports now, and had %u", managed.source->text,
                 now, before);
    else if (error != -EINTR)
        log_warning(
            "reloaded: the exports of %s cannot be listed now; %u of before stay",
            managed.source->text, before);
}

static bool
reload_goes_on(void *user_data)
{
    (void)user_data;
    return service_goes_on();
}

static void
try_server(const struct source *source)
{
    struct handshake_wait wait = {
        .deadline_ms = conn_clock_ms() + RELOAD_MS,
        .keep_trying = reload_goes_on,
    };
    const struct export *export = managed.fs->export;
    struct conn_info info = export->info;
    char *why = NULL;

    info.read_only = export->read_only;
    if (handshake_try(source, &wait, &info, INT64_MAX, &why) == HANDSHAKE_SAME)
        log_info("reloaded: new connections to %s work", source->text);
    else if (service_goes_on())
        log_warning("reloaded: no new connection to %s: %s", source->text,
                    why != NULL ? why : "out of memory");
    free(why);
}

/* TLS files are read for each connection, so the ones to come have the new ones: say
 * whether they will work, while the connections that are there still do. */
static void
on_reload(void)
{
    const struct source *source = managed.source;

    if (managed.fs->all != NULL) {
        list_again(managed.fs->all);
        return;
    }
    if (source->servers != NULL)
        source = source->servers;
    for (; source != NULL && service_goes_on(); source = source->next)
        try_server(source);
}

bool
manage_reloads(const struct options *options)
{
    return notify_is_on() || !options->foreground;
}

void
manage_start(const struct options *options, const struct source *source,
             const struct fs *fs)
{
    static const struct service_work work = {.status = on_status, .reload = on_reload};

    managed.source = source;
    managed.fs = fs;
    if (manage_reloads(options) && service_start(&work) != 0)
        log_warning("no thread for reloads and the service manager");
}

void
manage_stop(void)
{
    service_stop();
}
