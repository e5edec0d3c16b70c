/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status-json.c - what a mount is doing, for programs */

#include "flags.h"
#include "status.h"

#include <string.h>
#include <time.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#else
#define PACKAGE_VERSION "0"
#endif

#include <unistd.h>

void
status_mount_json(struct json *json, const char *key, const struct status_mount *mount)
{
    char since[32] = "";
    time_t begun = (time_t)status_since();
    struct tm tm;

    if (gmtime_r(&begun, &tm) != NULL)
        strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &tm);
    json_object(json, key);
    json_text(json, "version", PACKAGE_VERSION);
    json_integer(json, "pid", getpid());
    json_text(json, "since", since);
    json_number(json, "uptime_s", status_uptime_s());
    json_text(json, "source", mount->source);
    json_bool(json, "all", mount->all);
    json_bool(json, "read_only", mount->options->read_only);
    json_unsigned(json, "exports", mount->exports);
    json_unsigned(json, "exports_open", mount->open);
    json_end(json);
}

static void
write_info(struct json *json, const struct status_file *file)
{
    const struct conn_info *info = file->info;

    json_integer(json, "size", info->size);
    json_array(json, "flags");
    const char *word;
    for (unsigned i = 0; (word = flags_word(i)) != NULL; i++)
        if (info->flags & (1U << i))
            json_text(json, NULL, word);
    json_end(json);
    json_object(json, "block_size");
    json_unsigned(json, "minimum", info->minimum);
    json_unsigned(json, "preferred", info->preferred);
    json_unsigned(json, "maximum", info->maximum);
    json_end(json);
}

static void
write_servers(struct json *json, const struct status *status)
{
    json_array(json, "servers");
    for (unsigned i = 0; i < status->n_servers; i++) {
        json_object(json, NULL);
        json_text(json, "server", status->server[i].text);
        json_text(json, "state", status_servers[status->server[i].state]);
        json_end(json);
    }
    json_end(json);
}

static void
write_connections(struct json *json, const struct status *status)
{
    json_array(json, "connections");
    for (unsigned i = 0; i < status->n_connections; i++) {
        const struct conn_report *report = &status->connection[i];
        json_object(json, NULL);
        json_text(json, "server", report->source->text);
        json_text(json, "state", status_states[report->state]);
        json_number(json, "since_s",
                    (double)(status->now_ms - report->since_ms) / 1000);
        json_unsigned(json, "in_flight", report->in_flight);
        json_unsigned(json, "lost", report->losses);
        json_unsigned(json, "bytes_sent", report->sent);
        json_unsigned(json, "bytes_received", report->received);
        json_bool(json, "tls", report->tls);
        json_text(json, "failure", *report->failure != '\0' ? report->failure : NULL);
        json_end(json);
    }
    json_end(json);
}

static void
write_latency(struct json *json, const struct latency_sum *sum)
{
    json_object(json, "latency_us");
    json_number(json, "p50", (double)latency_within(sum, 0.50) / 1000);
    json_number(json, "p90", (double)latency_within(sum, 0.90) / 1000);
    json_number(json, "p99", (double)latency_within(sum, 0.99) / 1000);
    json_number(json, "max", (double)sum->max_ns / 1000);
    json_number(json, "mean",
                sum->n > 0 ? (double)sum->total_ns / (double)sum->n / 1000 : 0);
    json_end(json);
}

static void
write_commands(struct json *json, const struct status *status)
{
    json_object(json, "commands");
    for (unsigned i = 0; i < TRAFFIC_KINDS; i++) {
        json_object(json, status_kinds[i]);
        json_unsigned(json, "count", status->traffic.kind[i].latency.n);
        json_unsigned(json, "errors", status->traffic.kind[i].errors);
        json_unsigned(json, "bytes", status->traffic.kind[i].bytes);
        write_latency(json, &status->traffic.kind[i].latency);
        json_end(json);
    }
    json_end(json);
}

static void
write_memory(struct json *json, const struct status *status)
{
    const struct sparse_report *sparse = &status->sparse;

    json_object(json, "extents");
    json_bool(json, "told", sparse->can_ask);
    json_unsigned(json, "data", sparse->data);
    json_unsigned(json, "holes", sparse->holes);
    json_unsigned(json, "unknown", sparse->size - sparse->data - sparse->holes);
    json_unsigned(json, "count", sparse->extents);
    json_unsigned(json, "memory", sparse->memory);
    json_end(json);
    json_object(json, "unflushed");
    json_unsigned(json, "bytes", status->dirty);
    json_unsigned(json, "behind", status->behind);
    json_unsigned(json, "behind_max", status->behind_max);
    json_text(json, "failure",
              status->late_error != 0 ? strerror(status->late_error) : NULL);
    json_unsigned(json, "remembered", status->replay.taken);
    json_unsigned(json, "remembered_max", status->replay.limit);
    json_unsigned(json, "changes", status->replay.unflushed);
    json_unsigned(json, "waiting", status->replay.waiting);
    json_end(json);
    json_object(json, "read_ahead");
    json_unsigned(json, "memory", status->prefetch.held);
    json_unsigned(json, "memory_max", status->prefetch.memory);
    json_unsigned(json, "open_files", status->prefetch.streams);
    json_unsigned(json, "active", status->prefetch.active);
    json_end(json);
}

void
status_json(struct json *json, const char *key, const struct status_file *file,
            const struct status *status)
{
    json_object(json, key);
    json_text(json, "path", file->path);
    json_text(json, "uri", file->uri);
    json_text(json, "export", file->name);
    json_text(json, "description", file->description);
    json_bool(json, "open", status != NULL);
    json_bool(json, "read_only", file->read_only);
    if (file->info != NULL)
        write_info(json, file);
    if (status != NULL) {
        json_unsigned(json, "requests", status->requests);
        json_unsigned(json, "in_flight", status->in_flight);
        json_unsigned(json, "waiting", status->waiting);
        json_unsigned(json, "connections_live", status->live);
        json_unsigned(json, "connections_lost", status->losses);
        json_unsigned(json, "bytes_sent", status->sent);
        json_unsigned(json, "bytes_received", status->received);
        write_servers(json, status);
        write_connections(json, status);
        write_commands(json, status);
        write_memory(json, status);
    }
    json_end(json);
}
