/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base-text.c - strings that grow, vectors of strings, printable text */

#include "base-text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base-cleanup.h"

static bool
text_reserve(struct text *t, size_t more)
{
    if (t->failed)
        return false;
    if (more < t->capacity - t->len)
        return true;

    size_t capacity = t->capacity + more + t->capacity / 2 + 32;
    char *grown = capacity > t->len ? realloc(t->text, capacity) : NULL;
    if (!grown) {
        t->failed = true;
        return false;
    }
    t->text = grown;
    t->capacity = capacity;
    return true;
}

void
text_append_bytes(struct text *t, const void *bytes, size_t len)
{
    if (!text_reserve(t, len))
        return;
    if (len > 0)
        memcpy(t->text + t->len, bytes, len);
    t->len += len;
    t->text[t->len] = '\0';
}

void
text_append(struct text *t, const char *s)
{
    text_append_bytes(t, s, strlen(s));
}

void
text_printf(struct text *t, const char *format, ...)
{
    va_list args, again;

    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (n < 0)
        t->failed = true;
    else if (text_reserve(t, (size_t)n))
        t->len += (size_t)vsnprintf(t->text + t->len, (size_t)n + 1, format, again);
    va_end(again);
}

char *
text_steal(struct text *t)
{
    if (!t->text)
        text_append(t, "");
    if (t->failed) {
        text_clear(t);
        errno = ENOMEM;
        return NULL;
    }
    char *s = steal_pointer(&t->text);
    text_clear(t);
    return s;
}

void
text_clear(struct text *t)
{
    free(t->text);
    *t = (struct text){0};
}

/* The length of the UTF-8 sequence at s (RFC 3629), or 0 where there is none. */
static size_t
utf8_sequence(const uint8_t *s, size_t len)
{
    static const struct {
        uint8_t first, last; /* of the lead byte */
        uint8_t low, high;   /* of the byte after it */
        uint8_t len;
    } forms[] = {
        {0x01, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2},
        {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
        {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
        {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4},
        {0xf4, 0xf4, 0x80, 0x8f, 4},
    };

    for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
        if (s[0] < forms[f].first || s[0] > forms[f].last)
            continue;
        if (forms[f].len > len)
            return 0;
        if (forms[f].len > 1 && (s[1] < forms[f].low || s[1] > forms[f].high))
            return 0;
        for (size_t i = 2; i < forms[f].len; i++)
            if ((s[i] & 0xc0) != 0x80)
                return 0;
        return forms[f].len;
    }
    return 0;
}

bool
text_is_utf8(const void *bytes, size_t len)
{
    const uint8_t *s = bytes;

    for (size_t i = 0, n; i < len; i += n) {
        n = utf8_sequence(s + i, len - i);
        if (n == 0)
            return false;
    }
    return true;
}

char *
text_printable(const void *bytes, size_t len, size_t max)
{
    const uint8_t *s = bytes;
    struct text t = {0};

    for (size_t i = 0; i < len;) {
        size_t n = utf8_sequence(s + i, len - i);
        if (i + (n ? n : 1) > max) {
            text_append(&t, "...");
            break;
        }
        if (n > 1 || (n == 1 && s[i] >= 0x20 && s[i] != 0x7f)) {
            text_append_bytes(&t, s + i, n);
            i += n;
        } else {
            text_printf(&t, "\\x%02x", s[i]);
            i++;
        }
    }
    return text_steal(&t);
}

char **
copy_strings(char *const *strings)
{
    size_t n = 0;
    while (strings[n])
        n++;

    char **copy CLEANUP_FREE_STRINGS = calloc(n + 1, sizeof *copy);
    if (!copy)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        copy[i] = strdup(strings[i]);
        if (!copy[i])
            return NULL;
    }
    return steal_pointer(&copy);
}
