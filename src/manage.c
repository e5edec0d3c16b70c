/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manage.c - see manage.h
 *
 * service.c has the thread and knows when; here is what it says and does.
 */

#include "manage.h"
#include "handshake.h"
#include "log.h"
#include "notify.h"
#include "service.h"

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

struct figures {
    unsigned connections;
    unsigned live;
    unsigned in_flight;
    unsigned losses;
    struct traffic_sum traffic;
};

/* Adds the pool's figures to those that are there. */
static void
add_figures(struct figures *figures, const struct pool *pool)
{
    struct conn_report report;

    for (unsigned i = 0; pool_look(pool, i, &report, &figures->traffic); i++) {
        figures->connections++;
        figures->live += report.state == CONN_LIVE;
        figures->in_flight += report.in_flight;
        figures->losses += report.losses;
    }
}

static void
on_status(char *text, size_t size)
{
    struct figures figures = {0};

    if (managed.fs->export == NULL) {
        snprintf(text, size, "Showing all exports of %.256s", managed.source->text);
        return;
    }
    char in[32], out[32];

    add_figures(&figures, managed.fs->export->pool);
    put_bytes(in, sizeof in, figures.traffic.kind[COMMAND_READ].bytes);
    put_bytes(out, sizeof out, figures.traffic.kind[COMMAND_WRITE].bytes);
    snprintf(text, size,
             "%u of %u connections to %.256s; %u commands in flight, %s read, "
             "%s written, %u connections lost",
             figures.live, figures.connections, managed.source->text, figures.in_flight,
             in, out, figures.losses);
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

    if (managed.fs->export == NULL)
        return; /* it looks for itself whenever somebody looks */
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
