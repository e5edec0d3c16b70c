/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c - see text.h */

#include "text.h"

size_t
utf8_length(const char *text, uint32_t *c)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    unsigned char first = (unsigned char)*text;
    size_t n = first < 0x80   ? 1
               : first < 0xc2 ? 0
               : first < 0xe0 ? 2
               : first < 0xf0 ? 3
               : first < 0xf5 ? 4
                              : 0;
    uint32_t value = n == 1 ? first : n == 0 ? 0 : first & (0x7fU >> n);

    for (size_t i = 1; i < n; i++) { /* the NUL at the end stops it too */
        if (((unsigned char)text[i] & 0xc0) != 0x80)
            return 0;
        value = value << 6 | ((unsigned char)text[i] & 0x3f);
    }
    if (n == 0 || value < least[n] || (value >= 0xd800 && value < 0xe000) ||
        value > 0x10ffff)
        return 0;
    if (c != NULL)
        *c = value;
    return n;
}
