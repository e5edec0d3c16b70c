/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batch.c - see batch.h
 *
 * What somebody has chosen is seen at the main thread, which takes no part: a thread
 * begins with the policy of the one that started it, which may be ours.
 */

#include "batch.h"

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#define MANY 64 /* in a row, for SCHED_BATCH */
#define FEW  8  /* and back */

enum state { UNKNOWN, OTHER, BATCH, LEFT_ALONE };

static enum state
now(void)
{
    int own = sched_getscheduler(0);

    if (sched_getscheduler(getpid()) != SCHED_OTHER)
        return LEFT_ALONE;
    return own == SCHED_OTHER ? OTHER : own == SCHED_BATCH ? BATCH : LEFT_ALONE;
}

/* LEFT_ALONE: it may not be, now or ever. */
static enum state
change_to(enum state wanted)
{
    const struct sched_param param = {.sched_priority = 0};
    enum state is = now();

    if (is == LEFT_ALONE || is == wanted)
        return is;
    int r = sched_setscheduler(0, wanted == BATCH ? SCHED_BATCH : SCHED_OTHER, &param);
    return r == 0 ? wanted : LEFT_ALONE;
}

void
batch_note(bool many)
{
    static _Thread_local enum state is;
    static _Thread_local unsigned in_a_row;
    enum state wanted = many ? BATCH : OTHER;
    int error = errno;

    if (is == UNKNOWN)
        is = now();
    if (is == LEFT_ALONE || is == wanted)
        in_a_row = 0;
    else if (++in_a_row >= (many ? MANY : FEW)) {
        in_a_row = 0;
        is = change_to(wanted);
    }
    errno = error;
}
