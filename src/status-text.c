/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status-text.c - what a mount is doing, for people
 *
 * Who reads it makes it fit for their terminal; names that others chose are made
 * visible here.
 */

#include "flags.h"
#include "status.h"
#include "text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#else
#define PACKAGE_VERSION "0"
#endif

#define SHORT_SIZE 16

/* "12 s", "3 min", "5 h", "2 d" */
static const char *
duration(double seconds, char buf[SHORT_SIZE])
{
    static const struct {
        double from, unit;
        const char *name;
    } units[] = {
        {172800, 86400, "d"}, {7200, 3600, "h"}, {120, 60, "min"}, {0, 1, "s"}};
    unsigned i = 0;

    while (seconds < units[i].from && i + 1 < sizeof units / sizeof units[0])
        i++;
    snprintf(buf, SHORT_SIZE, "%.0f %s", seconds / units[i].unit, units[i].name);
    return buf;
}

/* "85us", "1.2ms", "12ms", "3.4s" */
static const char *
latency(uint64_t ns, char buf[SHORT_SIZE])
{
    double n = (double)ns / 1000;
    const char *unit = "us";

    if (n >= 1000000) {
        n /= 1000000;
        unit = "s";
    } else if (n >= 1000) {
        n /= 1000;
        unit = "ms";
    }
    snprintf(buf, SHORT_SIZE, "%.*f%s", n < 10 && *unit != 'u' ? 1 : 0, n, unit);
    return buf;
}

static void
put_name(FILE *out, const char *what, const char *name)
{
    unsigned columns;
    char *shown = text_show(name, true, &columns);

    fprintf(out, "%s%s", what, shown != NULL ? shown : "?");
    free(shown);
}

static void
put_line(FILE *out, const char *what, const char *name)
{
    put_name(out, what, name);
    putc('\n', out);
}

void
status_mount_text(FILE *out, const struct status_mount *mount)
{
    char since[32] = "?", up[SHORT_SIZE];
    time_t begun = (time_t)status_since();
    struct tm tm;

    if (localtime_r(&begun, &tm) != NULL)
        strftime(since, sizeof since, "%Y-%m-%d %H:%M:%S", &tm);
    fprintf(out, "nbdmount %s, process %ld, since %s (%s)\n", PACKAGE_VERSION,
            (long)getpid(), since, duration(status_uptime_s(), up));
    put_line(out, "source       ", mount->source);
    if (mount->all)
        fprintf(out, "exports      %u, of which %u %s open\n", mount->exports,
                mount->open, mount->open == 1 ? "is" : "are");
}

static void
put_info(FILE *out, const struct status_file *file)
{
    const struct conn_info *info = file->info;
    char size[TEXT_SIZE_SIZE], minimum[TEXT_SIZE_SIZE], preferred[TEXT_SIZE_SIZE],
        maximum[TEXT_SIZE_SIZE], flags[FLAGS_TEXT_SIZE];

    fprintf(out, "  size       %s (%" PRId64 " bytes), blocks of %s to %s, best %s\n",
            text_size((uint64_t)info->size, size), info->size,
            text_size(info->minimum, minimum), text_size(info->maximum, maximum),
            text_size(info->preferred, preferred));
    flags_text(info->flags, flags);
    fprintf(out, "  flags      %s%s\n", *flags != '\0' ? flags : "none",
            file->read_only && !info->read_only ? "; mounted read-only" : "");
}

static void
put_servers(FILE *out, const struct status *status)
{
    if (status->n_servers < 2)
        return;
    fprintf(out, "  servers    %u\n", status->n_servers);
    for (unsigned i = 0; i < status->n_servers; i++) {
        fprintf(out, "    %-8u %s", i + 1, status_servers[status->server[i].state]);
        put_name(out, "; ", status->server[i].text);
        putc('\n', out);
    }
}

static void
put_connections(FILE *out, const struct status *status)
{
    char sent[TEXT_SIZE_SIZE], received[TEXT_SIZE_SIZE], since[SHORT_SIZE];

    fprintf(out,
            "  connected  %u of %u live, %u in flight, %u waiting, %u lost; %s sent, "
            "%s received\n",
            status->live, status->n_connections, status->in_flight, status->waiting,
            status->losses, text_size(status->sent, sent),
            text_size(status->received, received));
    for (unsigned i = 0; i < status->n_connections; i++) {
        const struct conn_report *report = &status->connection[i];
        double seconds = (double)(status->now_ms - report->since_ms) / 1000;
        fprintf(out,
                "    %-8u %s for %s%s, %u in flight, %u lost; %s sent, %s received",
                i + 1, status_states[report->state], duration(seconds, since),
                report->tls ? " with TLS" : "", report->in_flight, report->losses,
                text_size(report->sent, sent), text_size(report->received, received));
        if (status->n_servers > 1)
            put_name(out, "; ", report->source->text);
        if (*report->failure != '\0')
            put_name(out, "; ", report->failure);
        putc('\n', out);
    }
}

static void
put_commands(FILE *out, const struct status *status)
{
    char bytes[TEXT_SIZE_SIZE], p50[SHORT_SIZE], p90[SHORT_SIZE], p99[SHORT_SIZE],
        max[SHORT_SIZE];

    fprintf(out, "  commands       number   errors    bytes      p50      p90      p99"
                 "      max\n");
    for (unsigned i = 0; i < TRAFFIC_KINDS; i++) {
        const struct latency_sum *sum = &status->traffic.kind[i].latency;
        if (sum->n == 0)
            continue;
        fprintf(out, "    %-8s %10" PRIu64 " %8" PRIu64 " %8s %8s %8s %8s %8s\n",
                status_kinds[i], sum->n, status->traffic.kind[i].errors,
                text_size(status->traffic.kind[i].bytes, bytes),
                latency(latency_within(sum, 0.50), p50),
                latency(latency_within(sum, 0.90), p90),
                latency(latency_within(sum, 0.99), p99), latency(sum->max_ns, max));
    }
}

static void
put_memory(FILE *out, const struct status *status)
{
    const struct sparse_report *sparse = &status->sparse;
    char a[TEXT_SIZE_SIZE], b[TEXT_SIZE_SIZE], c[TEXT_SIZE_SIZE];

    if (sparse->can_ask)
        fprintf(out,
                "  extents    %s data, %s holes, %s not asked for yet; %zu in memory\n",
                text_size(sparse->data, a), text_size(sparse->holes, b),
                text_size(sparse->size - sparse->data - sparse->holes, c),
                sparse->extents);
    else
        fprintf(out, "  extents    the server does not tell where holes are\n");
    fprintf(out, "  unflushed  %s", text_size(status->dirty, a));
    if (status->behind > 0)
        fprintf(out, "; %s more are on their way and answered",
                text_size(status->behind, b));
    if (status->replay.limit > 0)
        fprintf(out, "; %s of %s are used to remember it, %u changes wait for room",
                text_size(status->replay.taken, b), text_size(status->replay.limit, c),
                status->replay.waiting);
    if (status->late_error != 0)
        fprintf(out, "; the next fsync fails: %s", strerror(status->late_error));
    fprintf(out, "\n  ahead      %s of %s, for %u of %u open files\n",
            text_size(status->prefetch.held, a), text_size(status->prefetch.memory, b),
            status->prefetch.active, status->prefetch.streams);
}

void
status_text(FILE *out, const struct status_file *file, const struct status *status)
{
    putc('\n', out);
    put_line(out, "", *file->path != '\0' ? file->path : "the file");
    if (file->uri != NULL)
        put_line(out, "  export     ", file->uri);
    else if (file->name != NULL)
        put_line(out, "  export     ", file->name);
    if (file->description != NULL && *file->description != '\0')
        put_line(out, "  described  ", file->description);
    if (file->info != NULL)
        put_info(out, file);
    if (status == NULL) {
        fputs("  connected  no: it is not open\n", out);
        return;
    }
    put_servers(out, status);
    put_connections(out, status);
    put_commands(out, status);
    put_memory(out, status);
}
