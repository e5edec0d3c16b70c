/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nbdclient.h - what this library can do that libnbd's interface has no function for
 *
 * Programs that are to work with libnbd too use nothing of it: see nbdclient_hold(3).
 */

#ifndef NBDCLIENT_H
#define NBDCLIENT_H

#include <libnbd.h>

/* Visible, also where all else is compiled with -fvisibility=hidden. */
#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif
#if defined(__cplusplus)
extern "C" {
#endif

/* Commands that are issued from now on are kept, and sent together by
 * nbdclient_release.  0, or -1 with nbd_get_error set. */
extern int nbdclient_hold(struct nbd_handle *h) LIBNBD_ATTRIBUTE_NONNULL(1);
extern int nbdclient_release(struct nbd_handle *h) LIBNBD_ATTRIBUTE_NONNULL(1);

#if defined(__cplusplus)
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#endif
