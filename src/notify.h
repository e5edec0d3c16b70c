/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* notify.h - what a service manager is told, by the protocol of sd_notify(3)
 *
 * A datagram of lines NAME=value to the socket that is in NOTIFY_SOCKET.  Without that
 * nothing is told to anybody.  Knows neither FUSE nor NBD.
 */

#ifndef NBDMOUNT_NOTIFY_H
#define NBDMOUNT_NOTIFY_H

#include <stdbool.h>

/* Takes what the service manager gave us out of the environment, so that programs that
 * are run do not speak for us.  To be called once, before there are threads. */
void notify_open(void);

/* Somebody listens. */
bool notify_is_on(void);

/* How often "WATCHDOG=1" is wanted, in milliseconds, or 0.  Half of what would get us
 * killed. */
int notify_watchdog_ms(void);

/* Tells it; any thread may.  Errors are nobody's business: the work goes on. */
void notify(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
