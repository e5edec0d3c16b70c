/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* settings.h - what can be chosen, as plain data that several files share
 *
 * Knows nothing: no function, no other header of ours.
 */

#ifndef NBDMOUNT_SETTINGS_H
#define NBDMOUNT_SETTINGS_H

#define SERVERS_MAX 16 /* that have the same export */

/* How long the kernel keeps what was read. */
enum cache_mode {
    CACHE_ALWAYS,    /* until it is written here */
    CACHE_OPEN,      /* until the file is opened again */
    CACHE_NONE,      /* not at all: each read goes to the server */
    CACHE_WRITEBACK, /* always, and what is written too: it is sent later */
    CACHE_READAHEAD, /* not at all, but we read ahead */
};

/* What truncating the file to less than the export's size does. */
enum truncate_mode { TRUNCATE_ERROR, TRUNCATE_ZERO };

/* What punching a hole does. */
enum discard_mode { DISCARD_ZERO, DISCARD_TRIM, DISCARD_NONE };

enum tls_mode { TLS_UNSET, TLS_OFF, TLS_ALLOW, TLS_REQUIRE };

/* Strings are NULL where nothing was said. */
struct tls_settings {
    int mode;                 /* enum tls_mode; TLS_UNSET: as the URI says */
    const char *certificates; /* a directory */
    const char *psk_file;
    const char *username;
    const char *hostname;
    int verify_peer; /* 0, 1; -1: as the URI says, or yes */
};

#endif
