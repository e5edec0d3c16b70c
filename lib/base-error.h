/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base-error.h - what went wrong: a number and a text, kept in a place of the caller's
 *
 * Layers below the public functions take a "struct error *" and fill it once, where the
 * error happens.  Only the api layer copies it to the thread's error.
 */

#ifndef BASE_ERROR_H
#define BASE_ERROR_H

#include <stdarg.h>

/* In place and of fixed size, so that reporting an error needs no memory.  A longer
 * text is cut. */
struct error {
    int number; /* an errno, or 0 where there is none */
    char text[512];
};

/* Both return -1, so that a function can end with "return error_set (...)".  The text
 * names the thing that failed; no newline, and not what strerror says of number. */
int error_set(struct error *e, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int error_vset(struct error *e, int number, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));
/* The same, with ": " and what strerror says of number at the end. */
int error_set_errno(struct error *e, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif /* BASE_ERROR_H */
