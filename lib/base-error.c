/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base-error.c - what went wrong: a number and a text */

#include "base-error.h"

#include <stdio.h>
#include <string.h>

int
error_vset(struct error *e, int number, const char *format, va_list args)
{
    e->number = number;
    vsnprintf(e->text, sizeof e->text, format, args);
    return -1;
}

int
error_set(struct error *e, int number, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    error_vset(e, number, format, args);
    va_end(args);
    return -1;
}

int
error_set_errno(struct error *e, int number, const char *format, ...)
{
    va_list args;
    char reason[128];

    va_start(args, format);
    error_vset(e, number, format, args);
    va_end(args);

    size_t len = strlen(e->text);
    snprintf(e->text + len, sizeof e->text - len, ": %s",
             strerror_r(number, reason, sizeof reason));
    return -1;
}
