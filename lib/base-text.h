/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base-text.h - strings that grow, vectors of strings, printable text */

#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A string that grows.  text is NULL while nothing was appended.  When memory runs out
 * the string is as it was before and failed is set; later calls then do nothing, so
 * that it is enough to look once, at the end. */
struct text {
    char *text;
    size_t len, capacity;
    bool failed;
};

void text_append(struct text *t, const char *s);
void text_append_bytes(struct text *t, const void *bytes, size_t len);
void text_printf(struct text *t, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Takes the string out; the caller frees it.  NULL with errno ENOMEM where it failed;
 * an empty string where nothing was appended. */
char *text_steal(struct text *t);
void text_clear(struct text *t);

/* The bytes as a new string that is safe to print: control characters and bytes that
 * are not UTF-8 as \xNN, cut with "..." after max bytes.  The caller frees it. NULL
 * with errno ENOMEM. */
char *text_printable(const void *bytes, size_t len, size_t max);

/* Is it well-formed UTF-8 (no surrogates, no overlong forms) without a NUL? */
bool text_is_utf8(const void *bytes, size_t len);

/* Copies a NULL-terminated vector and its strings; see free_strings.  NULL with errno
 * ENOMEM. */
char **copy_strings(char *const *strings);

#endif /* BASE_TEXT_H */
