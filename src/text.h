/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - text that others chose, before people and programs see it; pure */

#ifndef NBDMOUNT_TEXT_H
#define NBDMOUNT_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many bytes the UTF-8 character at text takes, 0 if what stands there is none
 * (overlong, a surrogate, cut).  *c, unless NULL, is the character. */
size_t utf8_length(const char *text, uint32_t *c);

/* A name as a terminal may see it: what is no text, or would not be seen, is \\xHH, \\n
 * or \\t; a name that is empty or has blanks at an end stands between quotes.  No two
 * names look the same.  utf8: whether it may be anything but ASCII.  *columns is how
 * wide it is there.  The caller frees it; NULL: no memory. */
char *text_show(const char *name, bool utf8, unsigned *columns);

/* A number of bytes in at most seven characters: 512, 1M for what is that exactly, 1.5M
 * and 1.0M for what is about that.  In buf, which is returned. */
#define TEXT_SIZE_SIZE 24
char *text_size(uint64_t bytes, char buf[TEXT_SIZE_SIZE]);

#endif
