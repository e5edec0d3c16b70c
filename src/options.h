/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.h - the command line as a struct */

#ifndef NBDMOUNT_OPTIONS_H
#define NBDMOUNT_OPTIONS_H

#include "options-wait.h"
#include "settings.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* What the program was called for. */
enum task {
    TASK_MOUNT,
    TASK_HELP,
    TASK_VERSION,
    TASK_CLEAN,
    TASK_LIST,
    TASK_MAP,
    TASK_STATUS
};

enum exports_choice { EXPORTS_OPEN, EXPORTS_SINGLE, EXPORTS_ALL };

struct options {
    int task;        /* enum task */
    const char *uri; /* or NULL: then command */
    char **command;  /* NULL-terminated */
    const char *mountpoint;
    const char *argument; /* of TASK_CLEAN, TASK_MAP and TASK_STATUS */
    char *fuse;           /* options for libfuse, comma-separated, "" for none */

    /* what is shown */
    const char *export;       /* NULL: as the URI says */
    int exports;              /* enum exports_choice */
    const char *filename;     /* NULL: after the export */
    const char *meta_context; /* NULL: base:allocation */
    bool read_only;

    /* the file */
    uid_t uid;
    gid_t gid;
    unsigned mode;    /* of a file that can be written */
    int cache;        /* enum cache_mode */
    int truncate;     /* enum truncate_mode */
    int discard;      /* enum discard_mode */
    double extents_s; /* 0: for ever */
    double attr_timeout_s;

    /* the server */
    const char *also[SERVERS_MAX]; /* URIs of other servers */
    unsigned n_also;
    double fence_s;
    unsigned connections; /* 0: nobody said */
    size_t readahead;     /* bytes; 0: none */
    size_t writebehind;   /* bytes; 0: none, also where cache says so */
    double idle_s;
    struct wait_options wait;
    struct tls_settings tls;

    bool io_uring;           /* requests come through it */
    unsigned io_uring_depth; /* of each processor's queue; 0: as libfuse has it */

    bool foreground;
    bool debug;
    bool json;

    /* of a helper of mount(8): see options_parse */
    bool helper;
    bool fake;
    bool sloppy;
    bool verbose;
    bool set_uid;         /* to be run by mount.fuse3 as another user, */
    bool drop_privileges; /* without privileges and already mounted: handover.h */
    const char *source;   /* as it was given; NULL: no helper, or a command */
    char *escaped;        /* what uri is then */
    char *given;          /* what -o said, unchanged; NULL: nothing */
    bool given_otherwise; /* something was said by --NAME */

    /* the mountpoint is /dev/fd/N: mount.fuse3 has mounted it, and gives us /dev/fuse
     */
    bool is_open_mount;
    bool names_source; /* fsname= was given, which is for mount.fuse3 */
};

/* Called as mount.SOMETHING it is a helper of mount(8), whose short options have other
 * meanings, and whose SOURCE may have any bytes.  Strings point into argv, but for
 * fuse, given, escaped and command, which options_clear frees.  False: *why says what
 * is wrong, for the caller to free. */
bool options_parse(struct options *options, int argc, char **argv, char **why);
void options_clear(struct options *options);

/* How many questions at once a server is asked about its exports. */
unsigned options_questions(const struct options *options);

/* What --help prints. */
void options_help(FILE *out);

#endif
