/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base-array.h - growing arrays of any type
 *
 *     struct { int *items; size_t len, capacity; } numbers = {0};
 *     if (array_reserve(&numbers, 1) == -1) ...no memory...
 *     numbers.items[numbers.len++] = 7;
 *     array_clear(&numbers);
 */

#ifndef BASE_ARRAY_H
#define BASE_ARRAY_H

#include <stddef.h>

#define ARRAY_OF(type)        \
    struct {                  \
        type *items;          \
        size_t len, capacity; \
    }

/* Makes place for more items.  0, or -1 with errno ENOMEM and the array unchanged. */
#define array_reserve(array, more)                                                  \
    ({                                                                              \
        size_t more_ = (more);                                                      \
        int result_ = 0;                                                            \
        if (more_ > (array)->capacity - (array)->len) {                             \
            void *grown_ =                                                          \
                array_grow((array)->items, (array)->len, &(array)->capacity, more_, \
                           sizeof *(array)->items);                                 \
            if (grown_)                                                             \
                (array)->items = grown_;                                            \
            else                                                                    \
                result_ = -1;                                                       \
        }                                                                           \
        result_;                                                                    \
    })

/* Frees the memory (not what the items point to) and leaves the array empty. */
#define array_clear(array)                    \
    do {                                      \
        free((array)->items);                 \
        (array)->items = NULL;                \
        (array)->len = (array)->capacity = 0; \
    } while (0)

void *array_grow(void *items, size_t len, size_t *capacity, size_t more, size_t size);

#endif /* BASE_ARRAY_H */
