/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* daemon.h - going into the background, and the signals that end the program */

#ifndef NBDMOUNT_DAEMON_H
#define NBDMOUNT_DAEMON_H

#include <stdbool.h>

/* Forks; to be called before there are threads.  Returns in the child only: the parent
 * waits until the child calls daemon_ready and exits with 0, or with the child's status
 * if that ends first.  -errno: it cannot fork. */
int daemon_start(void);

/* The work begins: lets the parent go, and the terminal too. */
void daemon_ready(void);

/* From now on the first SIGTERM or SIGINT calls quit (in a signal handler), and makes
 * system calls of this thread return; a second one makes hurry readable.  SIGHUP calls
 * reload, each time; where that is NULL it is a terminal that goes away, and ends the
 * program as the others do. */
int daemon_catch_signals(void (*quit)(void), void (*reload)(void));
int daemon_hurry(void);

/* No signal has come yet. */
bool daemon_keeps_on(void);

#endif
