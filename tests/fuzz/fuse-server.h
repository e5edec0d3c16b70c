/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuse-server.h - a small NBD server in a thread, whose disk is memory that can be seen
 */

#ifndef FUZZ_FUSE_SERVER_H
#define FUZZ_FUSE_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct disk {
    uint64_t size; /* at most DISK_MAX */
    uint16_t flags;
    uint32_t block; /* the smallest; 0: it says nothing */
    bool structured, extents;
    unsigned bad;  /* each such command fails; 0: none */
    bool hangs_up; /* instead, once */
};

#define DISK_MAX (1 << 20)

/* Once; the path of its socket. */
const char *server_begin(void);

/* What it serves from the next connection on; all of it zeros. */
void server_disk(const struct disk *disk);

/* Compares with the disk, when no request is under way. */
bool server_has(uint64_t off, const void *bytes, size_t len);

#endif
