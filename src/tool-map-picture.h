/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-map-picture.h - data and holes as rows of characters; pure */

#ifndef NBDMOUNT_TOOL_MAP_PICTURE_H
#define NBDMOUNT_TOOL_MAP_PICTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct picture {
    uint64_t size;  /* of the file */
    uint64_t cell;  /* bytes that one character stands for, a power of two */
    size_t width;   /* characters in a row */
    size_t n;       /* characters */
    uint64_t *data; /* bytes of data in each */
};

/* For a terminal of so many columns.  False: no memory. */
bool picture_init(struct picture *picture, uint64_t size, unsigned columns);
void picture_clear(struct picture *picture);

/* There is data; it ends within the file. */
void picture_add(struct picture *picture, uint64_t off, uint64_t len);

/* The rows, each behind the offset where it begins. */
void picture_print(const struct picture *picture, FILE *out, bool utf8);

/* The character for a part of which so much is data: one of its own for no data and for
 * data only. */
const char *picture_shade(uint64_t data, uint64_t size, bool utf8);

#endif
