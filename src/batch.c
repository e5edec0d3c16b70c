/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batch.c - see batch.h */

#include "batch.h"

#include <errno.h>
#include <sched.h>

#define MANY 64 /* in a row, for SCHED_BATCH */
#define FEW  8  /* and back */

/* False: it may not be, now or ever. */
static bool
set_policy(int policy)
{
    const struct sched_param param = {.sched_priority = 0};
    int error = errno;
    int r = sched_setscheduler(0, policy, &param);

    errno = error;
    return r == 0;
}

static bool
began_with_other(void)
{
    int error = errno;
    int policy = sched_getscheduler(0);

    errno = error;
    return policy == SCHED_OTHER;
}

void
batch_note(bool many)
{
    static _Thread_local enum { UNKNOWN, OTHER, BATCH, LEFT_ALONE } is;
    static _Thread_local unsigned in_a_row;

    if (is == LEFT_ALONE || many == (is == BATCH)) {
        in_a_row = 0;
        return;
    }
    if (++in_a_row < (many ? MANY : FEW))
        return;
    in_a_row = 0;
    if ((is == UNKNOWN && !began_with_other()) ||
        !set_policy(many ? SCHED_BATCH : SCHED_OTHER))
        is = LEFT_ALONE;
    else
        is = many ? BATCH : OTHER;
}
