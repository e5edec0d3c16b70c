/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flags.h - what a server says that an export is and can do, in words
 *
 * The words are those of --list, --status and the attribute user.nbd.flags.
 */

#ifndef NBDMOUNT_FLAGS_H
#define NBDMOUNT_FLAGS_H

#include <stdbool.h>
#include <stdint.h>

struct nbd_handle;

enum export_flag {
    EXPORT_READ_ONLY = 1 << 0,
    EXPORT_FLUSH = 1 << 1,
    EXPORT_FUA = 1 << 2,
    EXPORT_TRIM = 1 << 3,
    EXPORT_ZERO = 1 << 4,
    EXPORT_FAST_ZERO = 1 << 5,
    EXPORT_DF = 1 << 6, /* reads that are not to come in pieces */
    EXPORT_MULTI_CONN = 1 << 7,
    EXPORT_CACHE = 1 << 8,
    EXPORT_ROTATIONAL = 1 << 9
};

/* Of the export that the handle knows. */
uint32_t flags_of(struct nbd_handle *h);

/* The word for the flag of that number, from 0 on; NULL: there is none. */
const char *flags_word(unsigned number);

/* All that are set, with commas between.  In buf, which is returned. */
#define FLAGS_TEXT_SIZE 128
char *flags_text(uint32_t flags, char buf[FLAGS_TEXT_SIZE]);

#endif
