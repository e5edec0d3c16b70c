/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* received.h - the memory that a request of the kernel came in, used on
 *
 * libfuse receives a write's data in front of which the request lies.  Where there is
 * much of it, who handles the request keeps that memory instead of copying the data.
 */

#ifndef NBDMOUNT_RECEIVED_H
#define NBDMOUNT_RECEIVED_H

#include <stddef.h>

struct fuse_buf;

/* Before a request is received: buf has memory, unless libfuse is to allocate it. */
void received_prepare(struct fuse_buf *buf);

/* This thread handles the request in buf, until it handles another one. */
void received_handle(struct fuse_buf *buf);

/* The memory in which data of len bytes lies, kept from the request that this thread
 * handles; or NULL: it is not worth it, or lies elsewhere, and has to be copied. */
void *received_keep(const void *data, size_t len);

/* What was kept is no longer used.  Any thread; NULL is ignored. */
void received_give(void *mem);

/* Gives back to the system what nobody uses. */
void received_trim(void);

#endif
