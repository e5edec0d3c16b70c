/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* service.h - a thread for what the service manager wants of a daemon that serves
 *
 * It tells how it goes, that it lives, and does the reload that SIGHUP asks for, which
 * waits for the network.  Knows neither FUSE nor NBD.
 */

#ifndef NBDMOUNT_SERVICE_H
#define NBDMOUNT_SERVICE_H

#include <stdbool.h>
#include <stddef.h>

struct service_work {
    /* One line that says how it goes. */
    void (*status)(char *text, size_t size);
    /* Reads anew what can have changed outside.  Waits; calls service_goes_on several
     * times a second and gives up where that is false. */
    void (*reload)(void);
};

/* SIGHUP asks for this.  May be called in a signal handler, before the start too. */
void service_reload(void);

/* To be called when the work begins: tells that.  work outlives the service. -errno:
 * there is no thread; it was told all the same. */
int service_start(const struct service_work *work);

/* For reload: false when the end has come.  Says that we live, if it is time to. */
bool service_goes_on(void);

/* Tells that the end begins, and waits for the thread.  Does no harm without a start.
 */
void service_stop(void);

#endif
