/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options-table.c - see options-table.h */

#include "options-table.h"
#include "options-values.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define AT(field) .offset = offsetof(struct options, field)

bool
option_refuse(char **why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(why, format, args) == -1)
        *why = NULL;
    va_end(args);
    return false;
}

/* ---- the table */

#define ROW(word, value, what)                                                   \
    {                                                                            \
        .name = (word), .arg = (value), .group = OPTIONS_KERNEL, .kind = (what), \
    }
#define FUSE_ROW(word)       ROW(word, NULL, OPTION_FUSE)
#define FUSE_VALUE_ROW(word) ROW(word, "VALUE", OPTION_FUSE)
#define IGNORED_ROW(word)    ROW(word, NULL, OPTION_IGNORED)
/* clang-format off: one row, one option */
const struct option_row option_rows[] = {
    {"foreground", 'f', true, NULL, "stay in the foreground", OPTIONS_GENERAL,
     OPTION_SET, AT(foreground)},
    {"debug", 'd', true, NULL, "tell everything, and stay in the foreground",
     OPTIONS_GENERAL, OPTION_SET, AT(debug)},
    {"help", 'h', true, NULL, "this text", OPTIONS_GENERAL, OPTION_ENUM, AT(task),
     .max = TASK_HELP},
    {"version", 'V', true, NULL, "the version", OPTIONS_GENERAL, OPTION_ENUM, AT(task),
     .max = TASK_VERSION},

    {"list", 0, true, NULL, "print which exports SOURCE has, and what they are like",
     OPTIONS_TOOLS, OPTION_ENUM, AT(task), .max = TASK_LIST},
    {"status", 0, true, NULL, "print what the mount at MOUNTPOINT is doing",
     OPTIONS_TOOLS, OPTION_ENUM, AT(task), .max = TASK_STATUS},
    {"map", 0, true, NULL, "print where the data and holes of a file are",
     OPTIONS_TOOLS, OPTION_ENUM, AT(task), .max = TASK_MAP},
    {"clean", 0, true, "MOUNTPOINT", "take the mount there away if its daemon is gone",
     OPTIONS_TOOLS, OPTION_CUSTOM, .parse = option_clean},
    {"json", 0, true, NULL, "print JSON, for programs", OPTIONS_TOOLS, OPTION_SET,
     AT(json)},

    {"export", 0, false, "NAME", "this export, whatever SOURCE says", OPTIONS_EXPORT,
     OPTION_CUSTOM, .parse = option_export},
    {"all", 0, false, NULL,
     "all exports of the server, as a tree of folders\n"
     "(default if it has any but a default export, and\n"
     "neither SOURCE nor an option names one)",
     OPTIONS_EXPORT, OPTION_ENUM, AT(exports), .max = EXPORTS_ALL},
    {"single", 0, false, NULL, "one export", OPTIONS_EXPORT, OPTION_ENUM, AT(exports),
     .max = EXPORTS_SINGLE},
    {"idle", 0, false, "SECONDS", "with all: close what has not been used (default 60)",
     OPTIONS_EXPORT, OPTION_SECONDS, AT(idle_s), .min = 0, .max = 86400},
    {"filename", 0, false, "NAME",
     "name of the file in a directory (default: the\n"
     "export's, or nbd)",
     OPTIONS_EXPORT, OPTION_CUSTOM, .parse = option_filename},
    {"read-only", 'r', false, NULL, "no writing, whatever the server allows",
     OPTIONS_EXPORT, OPTION_SET, AT(read_only)},
    {"readonly", 0, true, NULL, NULL, OPTIONS_EXPORT, OPTION_SET, AT(read_only)},
    {"ro", 0, false, NULL, "the same", OPTIONS_EXPORT, OPTION_SET, AT(read_only)},
    {"rw", 0, false, NULL, "writing, if the server allows it (default)", OPTIONS_EXPORT,
     OPTION_CLEAR, AT(read_only)},
    {"meta-context", 0, false, "NAME",
     "what decides what is data (default: base:allocation);\n"
     "qemu:dirty-bitmap:NAME shows what has changed",
     OPTIONS_EXPORT, OPTION_TEXT, AT(meta_context)},

    {"uid", 0, false, "USER", "owner, a number or a name (default: you)", OPTIONS_FILE,
     OPTION_CUSTOM, .parse = option_uid},
    {"gid", 0, false, "GROUP", "group, a number or a name", OPTIONS_FILE, OPTION_CUSTOM,
     .parse = option_gid},
    {"mode", 0, false, "OCTAL", "permissions of the file (default: 600)", OPTIONS_FILE,
     OPTION_CUSTOM, .parse = option_mode},
    {"umask", 0, false, "OCTAL", "the same, by what is not allowed", OPTIONS_FILE,
     OPTION_CUSTOM, .parse = option_umask},
    {"cache", 0, false, "WHEN",
     "keep what was read: always (default), until the next\n"
     "open, or none; writeback: what is written too;\n"
     "readahead: no more than what was read ahead",
     OPTIONS_FILE, OPTION_CHOICE, AT(cache),
     .choices = "always|open|none|writeback|readahead"},
    {"extents", 0, false, "SECONDS",
     "believe that long where holes are, if others write to\n"
     "the export (default 0: until written here)",
     OPTIONS_FILE, OPTION_SECONDS, AT(extents_s), .max = 86400},
    {"attr_timeout", 0, false, "SECONDS",
     "the kernel may keep size and blocks (default 1)", OPTIONS_FILE, OPTION_SECONDS,
     AT(attr_timeout_s), .max = 86400},
    {"truncate", 0, false, "HOW",
     "to a smaller size: error (default), or zero: the size\n"
     "stays and what is behind it becomes zeros",
     OPTIONS_FILE, OPTION_CHOICE, AT(truncate), .choices = "error|zero"},
    {"discard", 0, false, "HOW", "punching a hole sends: zero (default), trim, or none",
     OPTIONS_FILE, OPTION_CHOICE, AT(discard), .choices = "zero|trim|none"},

    {"also", 0, false, "URI",
     "another server of the same export; SOURCE may be\n"
     "several, too: URI|URI",
     OPTIONS_SERVER, OPTION_CUSTOM, .parse = option_also},
    {"fence", 0, false, "SECONDS",
     "what a silent server has not answered waits so long\n"
     "before another gets it (default 30)",
     OPTIONS_SERVER, OPTION_SECONDS, AT(fence_s), .max = 86400},
    {"connections", 'C', false, "N",
     "connections if the server allows more than one\n"
     "(1 to 64; default 4, over a Unix socket as many as\n"
     "processors, 2 to 4)",
     OPTIONS_SERVER, OPTION_COUNT, AT(connections), .min = 1, .max = 64},

    {"readahead", 0, false, "SIZE",
     "memory for reading ahead, with K, M or G (default 32M;\n"
     "0: none)",
     OPTIONS_SERVER, OPTION_CUSTOM, .parse = option_readahead},
    {"writebehind", 0, false, "SIZE",
     "so much may be written and not yet at the server, if\n"
     "the kernel keeps what is read (default 16M; 0: none)",
     OPTIONS_SERVER, OPTION_CUSTOM, .parse = option_writebehind},
    {"retry", 0, false, "SECONDS", "wait for a server that is gone (60), or forever",
     OPTIONS_SERVER, OPTION_CUSTOM, .parse = option_retry},
    {"timeout", 0, false, "SECONDS",
     "a server silent for so long is gone (0: never, the\n"
     "default; 10 if there are several)",
     OPTIONS_SERVER, OPTION_CUSTOM, .parse = option_timeout},
    {"replay", 0, false, "SIZE",
     "remember that much until the server has flushed it,\n"
     "and send it again if it forgets (default 64M)",
     OPTIONS_SERVER, OPTION_CUSTOM, .parse = option_replay},
    {"replay-file", 0, false, "FILE",
     "remember it there too, so that nothing answered is\n"
     "lost if nbdmount is killed",
     OPTIONS_SERVER, OPTION_TEXT, AT(wait.replay_file)},

    {"tls", 0, false, "WHEN",
     "require (default for nbds:// and if a tls option is\n"
     "given), allow, or off",
     OPTIONS_TLS, OPTION_CHOICE, AT(tls.mode), .choices = "|off|allow|require"},
    {"tls-certificates", 0, false, "DIR",
     "ca-cert.pem, and client-cert.pem and client-key.pem", OPTIONS_TLS, OPTION_TEXT,
     AT(tls.certificates)},
    {"tls-psk-file", 0, false, "FILE", "pre-shared keys, as psktool(1) makes them",
     OPTIONS_TLS, OPTION_TEXT, AT(tls.psk_file)},
    {"tls-username", 0, false, "NAME", "whose key (default: your login name)",
     OPTIONS_TLS, OPTION_TEXT, AT(tls.username)},
    {"tls-hostname", 0, false, "NAME",
     "the name in the server's certificate (default: the\n"
     "host in SOURCE)",
     OPTIONS_TLS, OPTION_TEXT, AT(tls.hostname)},
    {"tls-verify-peer", 0, false, "BOOL", "check the server's certificate (true)",
     OPTIONS_TLS, OPTION_CUSTOM, .parse = option_verify_peer},

    {"allow_other", 0, false, NULL, "other users may use it, as its mode allows",
     OPTIONS_KERNEL, .kind = OPTION_FUSE},
    {"allow_root", 0, false, NULL, "root may", OPTIONS_KERNEL, .kind = OPTION_FUSE},
    {"auto_unmount", 0, false, NULL, "unmount also if nbdmount is killed",
     OPTIONS_KERNEL, .kind = OPTION_FUSE},
    {"io_uring", 0, false, NULL,
     "requests through io_uring (Linux 6.14, and Y in\n"
     "/sys/module/fuse/parameters/enable_uring)",
     OPTIONS_KERNEL, OPTION_CUSTOM, .parse = option_io_uring},
    {"io_uring_q_depth", 0, false, "N", "requests in flight for each processor then",
     OPTIONS_KERNEL, OPTION_COUNT, AT(io_uring_depth), .min = 1, .max = 1024},
    {"default_permissions", 0, false, NULL, "the kernel checks the mode (always so)",
     OPTIONS_KERNEL, .kind = OPTION_IGNORED},
    {"setuid", 0, false, "USER", "of mount(8): be that user (through mount.fuse3)",
     OPTIONS_KERNEL, OPTION_CUSTOM, .parse = option_setuid},
    {"drop_privileges", 0, false, NULL,
     "of mount(8): run without any privilege (the same)", OPTIONS_KERNEL, OPTION_SET,
     AT(drop_privileges)},
    FUSE_ROW("nosuid"),
    FUSE_ROW("suid"),
    FUSE_ROW("nodev"),
    FUSE_ROW("dev"),
    FUSE_ROW("noexec"),
    FUSE_ROW("exec"),
    FUSE_ROW("noatime"),
    FUSE_ROW("nodiratime"),
    FUSE_ROW("sync"),
    FUSE_ROW("async"),
    FUSE_ROW("dirsync"),
    FUSE_VALUE_ROW("context"),
    FUSE_VALUE_ROW("fscontext"),
    FUSE_VALUE_ROW("defcontext"),
    FUSE_VALUE_ROW("rootcontext"),
    {"remount", 0, false, NULL, NULL, OPTIONS_KERNEL, OPTION_CUSTOM,
     .parse = option_remount},
    /* for mount(8), systemd and the kernel; nothing to do here */
    IGNORED_ROW("defaults"),
    IGNORED_ROW("auto"),
    IGNORED_ROW("noauto"),
    IGNORED_ROW("user"),
    IGNORED_ROW("nouser"),
    IGNORED_ROW("users"),
    IGNORED_ROW("owner"),
    IGNORED_ROW("group"),
    IGNORED_ROW("_netdev"),
    IGNORED_ROW("nofail"),
    IGNORED_ROW("comment"),
    IGNORED_ROW("atime"),
    IGNORED_ROW("diratime"),
    IGNORED_ROW("relatime"),
    IGNORED_ROW("norelatime"),
    IGNORED_ROW("strictatime"),
    IGNORED_ROW("nostrictatime"),
    IGNORED_ROW("lazytime"),
    IGNORED_ROW("nolazytime"),
    IGNORED_ROW("loud"),
    IGNORED_ROW("silent"),
};
/* clang-format on */
const size_t option_rows_count = sizeof option_rows / sizeof option_rows[0];

/* ---- applying a row */

/* Appends an option to those for libfuse, where it stays one whatever is in it. */
static bool
pass_on(struct options *options, const char *name, const char *value, char **why)
{
    const char *words[] = {name, value != NULL ? "=" : "", value != NULL ? value : ""};
    size_t used = strlen(options->fuse);
    char *all = realloc(options->fuse, used + strlen(name) +
                                           (value != NULL ? 2 * strlen(value) : 0) + 3);

    if (all == NULL)
        return option_refuse(why, "out of memory");
    options->fuse = all;
    if (used > 0)
        all[used++] = ',';
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        for (const char *p = words[i]; *p != '\0'; p++) {
            if (*p == ',' || *p == '\\')
                all[used++] = '\\';
            all[used++] = *p;
        }
    all[used] = '\0';
    return true;
}

static bool
parse_count(const struct option_row *row, const char *text, unsigned *count, char **why)
{
    char *end;

    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno != 0 || *text < '0' || *text > '9' || *end != '\0' || n < row->min ||
        n > row->max)
        return option_refuse(why, "%s: '%s' is not a number from %u to %u", row->name,
                             text, row->min, row->max);
    *count = (unsigned)n;
    return true;
}

static bool
parse_seconds(const struct option_row *row, const char *text, double *seconds,
              char **why)
{
    char *end;
    double n = strtod(text, &end);

    if (*text < '0' || *text > '9' || *end != '\0' || !(n >= 0 && n <= row->max))
        return option_refuse(why, "%s: '%s' is not a number of seconds from 0 to %u",
                             row->name, text, row->max);
    *seconds = n;
    return true;
}

static bool
parse_choice(const struct option_row *row, const char *text, int *choice, char **why)
{
    const char *word = row->choices;
    size_t len = strlen(text);

    for (int i = 0;; i++) {
        size_t n = strcspn(word, "|");
        if (n > 0 && n == len && memcmp(word, text, n) == 0) {
            *choice = i;
            return true;
        }
        if (word[n] == '\0')
            break;
        word += n + 1;
    }
    return option_refuse(why, "%s: '%s' is not one of %s", row->name, text,
                         row->choices + strspn(row->choices, "|"));
}

bool
option_apply(struct options *options, const struct option_row *row, const char *value,
             char **why)
{
    void *field = (char *)options + row->offset;

    if (row->kind != OPTION_IGNORED && (row->arg != NULL) != (value != NULL))
        return option_refuse(why, "option '%s' %s", row->name,
                             value != NULL ? "takes no value" : "needs a value");
    switch (row->kind) {
    case OPTION_SET:
    case OPTION_CLEAR:
        *(bool *)field = row->kind == OPTION_SET;
        return true;
    case OPTION_ENUM:
        *(int *)field = (int)row->max;
        return true;
    case OPTION_TEXT:
        *(const char **)field = value;
        return true;
    case OPTION_COUNT:
        return parse_count(row, value, field, why);
    case OPTION_SECONDS:
        return parse_seconds(row, value, field, why);
    case OPTION_CHOICE:
        return parse_choice(row, value, field, why);
    case OPTION_FUSE:
        return pass_on(options, row->name, value, why);
    case OPTION_IGNORED:
        return true;
    case OPTION_CUSTOM:
        return row->parse(options, value, why);
    }
    abort();
}
