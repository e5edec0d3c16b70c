/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-map-picture.c - see tool-map-picture.h */

#include "tool-map-picture.h"
#include "text.h"

#include <stdlib.h>

#define ROWS_MAX  16
#define CELL_MIN  512
#define LABEL     8 /* columns for the offset and a blank */
#define WIDTH_MIN 8

bool
picture_init(struct picture *picture, uint64_t size, unsigned columns)
{
    size_t width = columns >= LABEL + WIDTH_MIN ? columns - LABEL : WIDTH_MIN;
    uint64_t cell = CELL_MIN;

    while (size > ROWS_MAX * width * cell)
        cell *= 2;
    *picture = (struct picture){
        .size = size,
        .cell = cell,
        .width = width,
        .n = (size_t)(size / cell + (size % cell != 0)),
    };
    picture->data = calloc(picture->n + 1, sizeof *picture->data);
    return picture->data != NULL;
}

void
picture_clear(struct picture *picture)
{
    free(picture->data);
}

void
picture_add(struct picture *picture, uint64_t off, uint64_t len)
{
    while (len > 0) {
        size_t i = (size_t)(off / picture->cell);
        uint64_t part = picture->cell - off % picture->cell;
        if (part > len)
            part = len;
        picture->data[i] += part;
        off += part;
        len -= part;
    }
}

const char *
picture_shade(uint64_t data, uint64_t size, bool utf8)
{
    static const char *const shades[][5] = {
        {".", "-", "+", "*", "#"},
        {"\xc2\xb7", "\xe2\x96\x91", "\xe2\x96\x92", "\xe2\x96\x93", "\xe2\x96\x88"},
    };
    unsigned level = data == 0             ? 0
                     : data == size        ? 4
                     : data < size / 3     ? 1
                     : data < size / 3 * 2 ? 2
                                           : 3;

    return shades[utf8][level];
}

void
picture_print(const struct picture *picture, FILE *out, bool utf8)
{
    char label[TEXT_SIZE_SIZE];

    for (size_t i = 0; i < picture->n; i++) {
        uint64_t off = i * picture->cell;
        uint64_t size =
            picture->size - off < picture->cell ? picture->size - off : picture->cell;
        if (i % picture->width == 0)
            fprintf(out, "%s%*s ", i > 0 ? "\n" : "", LABEL - 1, text_size(off, label));
        fputs(picture_shade(picture->data[i], size, utf8), out);
    }
    if (picture->n > 0)
        putc('\n', out);
}
