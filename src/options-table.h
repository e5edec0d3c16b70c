/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options-table.h - every option, once: as --NAME, as -o NAME, and in --help
 *
 * For options.c.  A new option is a row in options-table.c.
 */

#ifndef NBDMOUNT_OPTIONS_TABLE_H
#define NBDMOUNT_OPTIONS_TABLE_H

#include "options.h"

#include <stddef.h>

enum option_group {
    OPTIONS_GENERAL,
    OPTIONS_TOOLS,
    OPTIONS_EXPORT,
    OPTIONS_FILE,
    OPTIONS_SERVER,
    OPTIONS_TLS,
    OPTIONS_KERNEL,
    OPTIONS_GROUPS
};

enum option_kind {
    OPTION_SET,     /* a bool becomes true; no value */
    OPTION_CLEAR,   /* it becomes false */
    OPTION_ENUM,    /* an int becomes what max says; no value */
    OPTION_TEXT,    /* a const char * */
    OPTION_COUNT,   /* an unsigned, min to max */
    OPTION_SECONDS, /* a double, 0 to max */
    OPTION_CHOICE,  /* an int: the index in choices, "a|b|c" */
    OPTION_FUSE,    /* passed on to libfuse */
    OPTION_IGNORED, /* fstab's; it may have a value or not */
    OPTION_CUSTOM,  /* parse */
};

struct option_row {
    const char *name;
    char letter;      /* or 0 */
    bool line_only;   /* only on the command line, not in -o */
    const char *arg;  /* what --help calls the value; NULL: there is none */
    const char *help; /* NULL: not shown; "" : shown with the one before it */
    enum option_group group;
    enum option_kind kind;
    size_t offset; /* in struct options */
    unsigned min, max;
    const char *choices;
    bool (*parse)(struct options *options, const char *value, char **why);
};

extern const struct option_row option_rows[];
extern const size_t option_rows_count;

/* Applies one; value is NULL if none was given.  False: *why. */
bool option_apply(struct options *options, const struct option_row *row,
                  const char *value, char **why);

/* Sets *why; always false. */
bool option_refuse(char **why, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
