/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* status.h - what a mount is doing: looked at once, and told to people and programs
 *
 * Looking takes no more than the locks that requests take too, and nobody waits for the
 * network.  Knows nothing of FUSE.
 */

#ifndef NBDMOUNT_STATUS_H
#define NBDMOUNT_STATUS_H

#include "export.h"
#include "json.h"
#include "options.h"

/* The mount as a whole. */
struct status_mount {
    const char *source; /* without a password */
    const struct options *options;
    bool all;
    unsigned exports; /* that are there */
    unsigned open;    /* that have connections */
};

/* One export; the strings are the caller's. */
struct status_file {
    const char *path;             /* below the mountpoint; "" where that is the file */
    const char *name;             /* the export's; NULL: longer than is known */
    const char *uri;              /* without a password; NULL: it has none */
    const char *description;      /* NULL: none is known */
    const struct conn_info *info; /* NULL: nobody has asked the server yet */
    bool read_only;               /* here, whatever the server allows */
};

/* What is done with one that is open, with as many connections as there are. */
struct status {
    unsigned requests; /* of programs, under way */
    unsigned waiting;  /* commands for a connection */
    struct sparse_report sparse;
    struct prefetch_report prefetch;
    struct replay_report replay; /* limit 0: nothing is remembered */
    uint64_t dirty;              /* bytes that were answered and not flushed */
    uint64_t behind, behind_max; /* that were answered and are not at the server */
    int late_error;              /* an errno: the next fsync tells it */
    int64_t now_ms;              /* CLOCK_MONOTONIC */
    unsigned live, in_flight, losses;
    uint64_t sent, received;
    struct traffic_sum traffic;
    unsigned n_servers;
    struct server_report server[SERVERS_MAX];
    unsigned n_connections;
    struct conn_report connection[];
};

/* To be called once, when the mount begins. */
void status_begin(void);

/* A look at an export, which stays open meanwhile.  The caller frees it.  NULL: no
 * memory. */
struct status *status_take(struct export *export);

/* As a JSON object; status is NULL where it is not open. */
void status_mount_json(struct json *json, const char *key,
                       const struct status_mount *mount);
void status_json(struct json *json, const char *key, const struct status_file *file,
                 const struct status *status);

/* As lines for people. */
void status_mount_text(FILE *out, const struct status_mount *mount);
void status_text(FILE *out, const struct status_file *file,
                 const struct status *status);

/* When status_begin was called, in seconds since 1970, and how long ago that is. */
int64_t status_since(void);
double status_uptime_s(void);

/* What COMMAND_READ and so on are called, and the states of connections. */
extern const char *const status_kinds[TRAFFIC_KINDS];
extern const char *const status_states[];  /* by enum conn_state */
extern const char *const status_servers[]; /* by enum server_state */

#endif
