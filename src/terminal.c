/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* terminal.c - see terminal.h */

#include "terminal.h"

#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS_DEFAULT 80
#define COLUMNS_MAX     10000

bool
terminal_is_utf8(void)
{
    return setlocale(LC_CTYPE, "") != NULL &&
           strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

unsigned
terminal_columns(void)
{
    const char *text = getenv("COLUMNS");
    struct winsize size;

    if (text != NULL && *text >= '0' && *text <= '9') {
        unsigned long n = strtoul(text, NULL, 10);
        if (n > 0 && n <= COLUMNS_MAX)
            return (unsigned)n;
    }
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return COLUMNS_DEFAULT;
}
