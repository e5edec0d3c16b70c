/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sources.h - the servers that SOURCE and --also name */

#ifndef NBDMOUNT_SOURCES_H
#define NBDMOUNT_SOURCES_H

#include "conn.h"
#include "options.h"

struct sources {
    unsigned n; /* 0: a command */
    struct source server[SERVERS_MAX];
    char *uri[SERVERS_MAX];  /* with the export that was asked for */
    char *text[SERVERS_MAX]; /* as others may see it */
    char *all;               /* of all of them, with | between */
    char *named; /* what the mount is called; of a helper, what fstab says */
};

/* Divides SOURCE at each | and adds what --also says.  False: *why, for the caller to
 * free.  sources_clear is called in any case. */
bool sources_name(struct sources *sources, const struct options *options, char **why);
void sources_clear(struct sources *sources);

/* For URIs.  Where the server is, in *head, of which all else is set: it holds for each
 * server. */
void sources_put(struct sources *sources, struct source *head);

#endif
