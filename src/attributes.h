/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attributes.h - the extended attributes of files: their names and values
 *
 * user.nbd.uri and its like are listed; user.nbd.status and those below it answer who
 * asks for them by name.  Knows nothing of FUSE, and nobody waits for the network.
 */

#ifndef NBDMOUNT_ATTRIBUTES_H
#define NBDMOUNT_ATTRIBUTES_H

#include "status.h"

enum attribute {
    ATTRIBUTE_URI,
    ATTRIBUTE_EXPORT,
    ATTRIBUTE_DESCRIPTION,
    ATTRIBUTE_SIZE,
    ATTRIBUTE_FLAGS,
    ATTRIBUTE_BLOCK_SIZE,
    ATTRIBUTES_LISTED, /* those before it */

    ATTRIBUTE_STATUS = ATTRIBUTES_LISTED, /* JSON: the mount, and the export or which
                                             exports are open */
    ATTRIBUTE_MOUNT_JSON,
    ATTRIBUTE_MOUNT_TEXT,
    ATTRIBUTE_EXPORT_JSON,
    ATTRIBUTE_EXPORT_TEXT,
    ATTRIBUTE_OPEN, /* with a number behind it: which exports are open from there on */
    ATTRIBUTE_NONE
};

/* An attribute is at most that long: the kernel's XATTR_SIZE_MAX. */
#define ATTRIBUTE_MAX 65536

/* The one of that name.  *from is the number behind ATTRIBUTE_OPEN. */
enum attribute attribute_of(const char *name, uint64_t *from);

/* Whether the server has to be asked for it, if nobody has done that yet. */
bool attribute_needs_info(enum attribute attribute);

/* Whose attributes they are. */
struct attribute_subject {
    struct status_mount mount;
    const struct status_file *file; /* NULL: a folder */
    struct export *export;          /* NULL: it is not open */
    /* The first open export below it that has a number of at least from: its path, for
     * the caller to free, and the number to go on with; NULL: there is none. */
    char *(*next_open)(void *user_data, uint64_t from, uint64_t *next);
    void *user_data;
};

/* The caller frees it; *len bytes and a NUL.  NULL: there is none, or no memory. */
char *attribute_value(const struct attribute_subject *subject, enum attribute attribute,
                      uint64_t from, size_t *len);

/* The names of what a file (NULL: a folder) has, each with a NUL at its end, for the
 * caller to free.  NULL: no memory. */
char *attribute_names(const struct status_file *file, size_t *len);

/* Pages of ATTRIBUTE_OPEN: each entry is a number to go on with and a path, both with a
 * NUL at the end.  An empty page is the last. */
#define ATTRIBUTE_NAME_STATUS "user.nbd.status"
#define ATTRIBUTE_NAME_OPEN   ATTRIBUTE_NAME_STATUS ".open."

#endif
