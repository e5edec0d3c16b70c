/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* buffer.h - aligned buffers for payload, used again and again
 *
 * Taking fresh pages from the system for each megabyte costs more than copying it. What
 * is kept for the next one is bounded, and given back when nothing happens for a while;
 * it comes and goes by 2 MiB.
 */

#ifndef NBDMOUNT_BUFFER_H
#define NBDMOUNT_BUFFER_H

#include <stddef.h>

/* At least size bytes, aligned to a page, with undefined contents.  NULL: no memory.
 * Any thread may give it back. */
void *buffer_take(size_t size);

/* size as it was asked for.  NULL is ignored. */
void buffer_give(void *buf, size_t size);

/* Gives what is kept back to the system. */
void buffer_trim(void);

/* So many bytes are kept elsewhere for use again; what is kept here makes room for
 * them.
 */
void buffer_others(size_t bytes);

#endif
