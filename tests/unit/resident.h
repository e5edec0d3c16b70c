/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* resident.h - how much memory this process has */

#ifndef RESIDENT_H
#define RESIDENT_H

#include "tap.h"

#include <stdio.h>
#include <unistd.h>

/* What a sanitizer remembers of memory is memory too, and stays. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED true
#else
#define SANITIZED false
#endif

static inline long
resident_kib(void)
{
    long total, pages = -1;
    FILE *statm = fopen("/proc/self/statm", "r");

    if (statm == NULL || fscanf(statm, "%ld %ld", &total, &pages) != 2)
        bail_out("no /proc/self/statm");
    fclose(statm);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

#endif
