/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* flags.c - see flags.h */

#include "flags.h"

#include <libnbd.h>
#include <stddef.h>
#include <string.h>

static const struct {
    const char *word;
    int (*ask)(struct nbd_handle *h);
} rows[] = {
    {"read-only", nbd_is_read_only},
    {"flush", nbd_can_flush},
    {"fua", nbd_can_fua},
    {"trim", nbd_can_trim},
    {"zero", nbd_can_zero},
    {"fast-zero", nbd_can_fast_zero},
    {"df", nbd_can_df},
    {"multi-conn", nbd_can_multi_conn},
    {"cache", nbd_can_cache},
    {"rotational", nbd_is_rotational},
};
#define ROWS (sizeof rows / sizeof rows[0])

uint32_t
flags_of(struct nbd_handle *h)
{
    uint32_t flags = 0;

    for (size_t i = 0; i < ROWS; i++)
        if (rows[i].ask(h) == 1)
            flags |= UINT32_C(1) << i;
    return flags;
}

const char *
flags_word(unsigned number)
{
    return number < ROWS ? rows[number].word : NULL;
}

char *
flags_text(uint32_t flags, char buf[FLAGS_TEXT_SIZE])
{
    char *p = buf;

    for (size_t i = 0; i < ROWS; i++) {
        if (!(flags & UINT32_C(1) << i))
            continue;
        if (p > buf)
            *p++ = ',';
        size_t len = strlen(rows[i].word);
        memcpy(p, rows[i].word, len); /* all words together are shorter than buf */
        p += len;
    }
    *p = '\0';
    return buf;
}
