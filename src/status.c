/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status.c - see status.h: the look */

#include "status.h"

#include <stdlib.h>
#include <time.h>

const char *const status_kinds[TRAFFIC_KINDS] = {
    [COMMAND_READ] = "read", [COMMAND_WRITE] = "write", [COMMAND_FLUSH] = "flush",
    [COMMAND_TRIM] = "trim", [COMMAND_ZERO] = "zero",   [COMMAND_STATUS] = "extents",
};

const char *const status_states[] = {
    [CONN_CONNECTING] = "connecting",
    [CONN_WAITING] = "waiting",
    [CONN_LIVE] = "live",
};

const char *const status_servers[] = {
    [SERVER_ACTIVE] = "active",
    [SERVER_STANDBY] = "standby",
    [SERVER_AWAY] = "away",
    [SERVER_OTHER] = "other",
};

static int64_t begun, begun_ms; /* set once, before there are threads that look */

void
status_begin(void)
{
    begun = time(NULL);
    begun_ms = conn_clock_ms();
}

int64_t
status_since(void)
{
    return begun;
}

double
status_uptime_s(void)
{
    return (double)(conn_clock_ms() - begun_ms) / 1000;
}

struct status *
status_take(struct export *export)
{
    unsigned n = pool_connections(export->pool);
    struct status *status =
        calloc(1, sizeof *status + n * sizeof status->connection[0]);

    if (status == NULL)
        return NULL;
    status->now_ms = conn_clock_ms();
    status->requests = export_requests(export);
    status->waiting = pool_waiting(export->pool);
    sparse_look(export->sparse, &status->sparse);
    prefetch_look(export->prefetch, &status->prefetch);
    if (export->replay != NULL)
        replay_look(export->replay, &status->replay);
    status->dirty = export_dirty(export);
    status->late_error = late_errors_untold(&export->late);
    status->behind = atomic_load(&export->behind.bytes);
    status->behind_max = export->behind.limit;
    while (status->n_servers < SERVERS_MAX &&
           pool_look_at_server(export->pool, status->n_servers,
                               &status->server[status->n_servers]))
        status->n_servers++;
    while (status->n_connections < n) {
        struct conn_report *report = &status->connection[status->n_connections];
        if (!pool_look(export->pool, status->n_connections, report, &status->traffic))
            break;
        status->n_connections++;
        status->live += report->state == CONN_LIVE;
        status->in_flight += report->in_flight;
        status->losses += report->losses;
        status->sent += report->sent;
        status->received += report->received;
    }
    return status;
}
