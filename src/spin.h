/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spin.h - looking for a moment before sleeping
 *
 * To put a thread to sleep and to wake it may take longer than a program needs between
 * an answer and its next request, or a near server for its answer.  So where waits have
 * been short lately, the next one begins with some microseconds of looking; unless that
 * makes them longer, for the processor may be needed by those who are waited for.
 */

#ifndef NBDMOUNT_SPIN_H
#define NBDMOUNT_SPIN_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

/* How the waits of a thread for one thing have been; all zeros at first. */
struct spin {
    int worth;
    bool looks;         /* in this wait */
    unsigned waits;     /* in which it might have looked */
    int64_t mean_ns[2]; /* of those in which it slept at once, and in which it looked */
    int64_t begin_ns;
};

/* A wait begins.  True: it is worth looking, as long as spin_goes_on, which lets some
 * microseconds pass between two looks. */
bool spin_begin(struct spin *spin);
bool spin_goes_on(const struct spin *spin);

/* Begins a wait and looks at fds as poll(2) does.  0: there is nothing yet, and it is
 * time to sleep. */
int spin_poll(struct spin *spin, struct pollfd *fds, nfds_t n);

/* The wait has ended. */
void spin_learn(struct spin *spin);

#endif
