/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* crc32c.h - the checksum of records that may be torn or damaged; pure */

#ifndef NBDMOUNT_CRC32C_H
#define NBDMOUNT_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli) of data.  crc is 0, or what came before gave. */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
