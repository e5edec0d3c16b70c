/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.c - see text.h */

#include "text.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

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

/* Marks that turn the direction of what follows, or have no shape. */
static bool
is_hidden(uint32_t c)
{
    return c == 0xad || c == 0x61c || (c >= 0x200b && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) ||
           c == 0xfeff || (c >= 0xe0000 && c <= 0xe0fff);
}

/* How wide the character is that begins at text, *n bytes long; -1: it is not to be
 * seen. */
static int
width(const char *text, bool utf8, size_t *n)
{
    uint32_t c;

    *n = utf8_length(text, &c);
    if (*n == 0 || (*n > 1 && (!utf8 || is_hidden(c)))) {
        *n = *n > 0 ? *n : 1;
        return -1;
    }
    return c < ' ' ? -1 : *n == 1 ? (c == 0x7f ? -1 : 1) : wcwidth((wchar_t)c);
}

static char *
add_escaped(char *p, unsigned char c)
{
    if (c == '\n' || c == '\t') {
        *p++ = '\\';
        *p++ = c == '\n' ? 'n' : 't';
        return p;
    }
    return p + snprintf(p, 5, "\\x%02x", c);
}

char *
text_show(const char *name, bool utf8, unsigned *columns)
{
    size_t len = strlen(name), n;
    bool quoted = len == 0 || *name == ' ' || name[len - 1] == ' ' || *name == '"';
    char *shown = malloc(4 * len + 3), *p = shown;

    *columns = 0;
    if (shown == NULL)
        return NULL;
    if (quoted)
        *p++ = '"';
    for (; *name != '\0'; name += n) {
        int w = width(name, utf8, &n);
        if (w < 0) {
            char *from = p;
            for (size_t i = 0; i < n; i++)
                p = add_escaped(p, (unsigned char)name[i]);
            *columns += (unsigned)(p - from);
            continue;
        }
        if (*name == '\\' || (quoted && *name == '"')) {
            *p++ = '\\';
            ++*columns;
        }
        memcpy(p, name, n);
        p += n;
        *columns += (unsigned)w;
    }
    if (quoted)
        *p++ = '"';
    *columns += quoted ? 2 : 0;
    *p = '\0';
    return shown;
}

char *
text_size(uint64_t bytes, char buf[TEXT_SIZE_SIZE])
{
    static const char units[] = " KMGTPE";
    unsigned unit = 0;

    while (unit < 6 && bytes >> (10 * (unit + 1)) != 0)
        unit++;
    unsigned shift = 10 * unit;
    uint64_t whole = bytes >> shift;
    if (unit == 0)
        snprintf(buf, TEXT_SIZE_SIZE, "%" PRIu64, bytes);
    else if (whole << shift == bytes)
        snprintf(buf, TEXT_SIZE_SIZE, "%" PRIu64 "%c", whole, units[unit]);
    else
        snprintf(buf, TEXT_SIZE_SIZE, "%.1f%c",
                 (double)bytes / (double)(UINT64_C(1) << shift), units[unit]);
    return buf;
}
