/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base-array.c - growing arrays of any type */

#include "base-array.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

/* The array's memory, with place for more items than len; NULL with errno ENOMEM, and
 * then the old memory stays as it is.  Half as much again each time, so that appending
 * one by one costs constant time on average. */
void *
array_grow(void *items, size_t len, size_t *capacity, size_t more, size_t size)
{
    if (len > SIZE_MAX / 2 / size || more > SIZE_MAX / 2 / size - len) {
        errno = ENOMEM;
        return NULL;
    }

    size_t n = len + more;
    if (n < *capacity + *capacity / 2)
        n = *capacity + *capacity / 2;
    if (n < 8)
        n = 8;

    void *grown = reallocarray(items, n, size);
    if (grown)
        *capacity = n;
    return grown;
}
