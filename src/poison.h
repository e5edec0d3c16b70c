/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* poison.h - memory that nobody has: AddressSanitizer is told, so that it sees who uses
 * it
 */

#ifndef NBDMOUNT_POISON_H
#define NBDMOUNT_POISON_H

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, len)   ((void)(at), (void)(len))
#define ASAN_UNPOISON_MEMORY_REGION(at, len) ((void)(at), (void)(len))
#endif

#endif
