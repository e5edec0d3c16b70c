/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processors.c - see processors.h */

#include "processors.h"

#include <sched.h>

unsigned
processors(unsigned least, unsigned most)
{
    cpu_set_t set;

    /* It fails where there are more than the set has room for: enough. */
    if (sched_getaffinity(0, sizeof set, &set) == -1)
        return most;
    unsigned n = (unsigned)CPU_COUNT(&set);
    return n < least ? least : n > most ? most : n;
}
