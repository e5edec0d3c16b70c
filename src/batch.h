/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* batch.h - leaving the processor to who has it, while there is a lot to do
 *
 * A thread that is woken may take the processor from whoever has just woken it: a
 * program that had more requests to send, or a server that had more answers. Each of
 * them then comes alone, with a switch of threads of its own. Under SCHED_BATCH the
 * thread is woken as well but waits until they sleep, or their time is up (sched(7)).
 * What comes one at a time would only be served later, so for that it is as before.
 */

#ifndef NBDMOUNT_BATCH_H
#define NBDMOUNT_BATCH_H

#include <stdbool.h>

/* This thread is about to serve something, and others are under way (many), or it is
 * the only one.  The policy changes after some of one kind in a row, and only while
 * that of the main thread is SCHED_OTHER: another one is somebody's choice.  The main
 * thread does not call this.  Keeps errno. */
void batch_note(bool many);

#endif
