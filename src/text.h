/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* text.h - text that others chose, before people and programs see it; pure */

#ifndef NBDMOUNT_TEXT_H
#define NBDMOUNT_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* How many bytes the UTF-8 character at text takes, 0 if what stands there is none
 * (overlong, a surrogate, cut).  *c, unless NULL, is the character. */
size_t utf8_length(const char *text, uint32_t *c);

#endif
