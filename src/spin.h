/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spin.h - looking for a moment before sleeping
 *
 * To put a thread to sleep and to wake it takes longer than a program needs between an
 * answer and its next request.  So where waits have been that short lately, the next
 * one begins with some microseconds of looking.
 */

#ifndef NBDMOUNT_SPIN_H
#define NBDMOUNT_SPIN_H

#include <stdint.h>

/* How the waits of a thread for one thing have been; all zeros at first. */
struct spin {
    int worth;
    int64_t begin_ns;
};

/* A wait for fd to become readable begins: looks if that is worth it. */
void spin_look(struct spin *spin, int fd);

/* The wait has ended. */
void spin_learn(struct spin *spin);

#endif
