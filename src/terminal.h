/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* terminal.h - what the reader of our output can see */

#ifndef NBDMOUNT_TERMINAL_H
#define NBDMOUNT_TERMINAL_H

#include <stdbool.h>

/* Takes the locale from the environment; true: its characters are UTF-8. */
bool terminal_is_utf8(void);

/* How wide standard output is: COLUMNS, what the terminal says, or 80. */
unsigned terminal_columns(void);

#endif
