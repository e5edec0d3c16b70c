/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ring-abi.h - FUSE over io_uring as Linux 6.14 and later have it
 *
 * By names of our own, because the <linux/fuse.h> of older systems has none of it.  The
 * same as there, in the kernel's Documentation/filesystems/fuse/fuse-io-uring.rst.
 */

#ifndef NBDMOUNT_RING_ABI_H
#define NBDMOUNT_RING_ABI_H

#include <stdint.h>

/* In the answer to FUSE_INIT, in flags2: bit 41 of all. */
#define RING_INIT_FLAG2 (UINT32_C(1) << (41 - 32))

enum ring_command {
    RING_REGISTER = 1,         /* here is memory for one request: wait for the first */
    RING_COMMIT_AND_FETCH = 2, /* here is the answer: wait for the next request */
};

/* In an SQE of 128 bytes, at cmd. */
struct ring_command_data {
    uint64_t flags;
    uint64_t commit_id;
    uint16_t queue; /* the processor's */
    uint8_t padding[6];
};

/* The memory that the kernel writes a request to and reads its answer from, beside the
 * payload: what is neither in one of the two headers. */
struct ring_header {
    char in_out[128]; /* struct fuse_in_header; struct fuse_out_header */
    char op_in[128];  /* the operation's first struct, if it has one */
    uint64_t flags;
    uint64_t commit_id; /* for the answer */
    uint32_t payload_len;
    uint32_t padding;
    uint64_t reserved;
};

_Static_assert(sizeof(struct ring_command_data) == 24, "as the kernel has it");
_Static_assert(sizeof(struct ring_header) == 288, "as the kernel has it");

#endif
