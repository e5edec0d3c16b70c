/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* prefetch-window.h - how far ahead of a reader it is worth to read
 *
 * Pure: no lock, no clock, no I/O.  From where a reader reads and when, and from how
 * long the server takes, to the number of bytes that should be there or on their way.
 */

#ifndef NBDMOUNT_PREFETCH_WINDOW_H
#define NBDMOUNT_PREFETCH_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct window {
    uint64_t next;  /* where the reader goes on if it is sequential */
    uint64_t run;   /* bytes that it has read in sequence */
    unsigned reads; /* in which so many reads */

    uint64_t stray_end; /* reads elsewhere: where the last one ended */
    uint64_t stray_run; /* how many bytes of them follow each other */
    unsigned stray_reads;
    unsigned strays; /* since the last one in sequence */

    int64_t epoch_ns; /* the rate is measured from here */
    uint64_t epoch_bytes;
    uint64_t rate;    /* bytes in a second that the reader took, not long ago */
    bool rises;       /* the rate, by a quarter at least in the last epoch */
    unsigned flat;    /* epochs without such a rise since it began here, or enough */
    int64_t least_ns; /* the shortest time that a fetch took; 0: not known yet */
    int64_t trip_ns;  /* how long one takes mostly */
};

enum window_read {
    WINDOW_FOLLOWS, /* in sequence */
    WINDOW_STRAY,   /* elsewhere; perhaps it comes back */
    WINDOW_JUMPED,  /* the reader is somewhere else now */
};

/* A read of [off, off + len) arrived. */
enum window_read window_read(struct window *window, uint64_t off, size_t len,
                             int64_t now_ns);

/* A read at off begins elsewhere, of a reader who is not sequential and does not become
 * so by it.  What the clock says does not matter to window_read then. */
bool window_jumps(const struct window *window, uint64_t off);

/* The next read is expected at off: what is before it need not be read. */
void window_skip(struct window *window, uint64_t off);

/* A fetch took so long. */
void window_fetched(struct window *window, int64_t took_ns);

/* A fetch takes so little time that one connection has enough of them under way. */
bool window_is_quick(const struct window *window);

/* Bytes to have ahead of next, at most `most`; 0: the reader is not sequential. */
size_t window_size(const struct window *window, size_t most);

/* The size of one fetch, a power of two, where `ahead` bytes are wanted. */
size_t window_fetch(size_t ahead);

#endif
