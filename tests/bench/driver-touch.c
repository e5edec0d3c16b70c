/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver-touch.c - free memory that is really there
 *
 * A virtual machine may give memory that was free for some seconds back to its host,
 * and to get it again takes a hundred times as long as to use it.  Whichever program
 * comes first after that would pay for it.
 */

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "driver.h"

static size_t
free_memory(void)
{
    return (size_t)sysconf(_SC_AVPHYS_PAGES) * (size_t)sysconf(_SC_PAGESIZE);
}

int
driver_touch(int argc, char **argv)
{
    size_t bytes = argc == 2 ? (size_t)parse_size(argv[1]) : 0,
           most = free_memory() / 2;

    if (bytes == 0)
        die("usage: driver touch BYTES");
    if (bytes > most)
        bytes = most;
    char *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        die("touch: no memory");
    madvise(memory, bytes, MADV_HUGEPAGE);
    double begin = now_s();
    for (size_t i = 0; i < bytes; i += 4096)
        *(volatile char *)(memory + i) = 1;
    printf("bytes=%zu seconds=%.6f\n", bytes, now_s() - begin);
    munmap(memory, bytes);
    return 0;
}
