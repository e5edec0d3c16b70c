/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* loops.h - main loops of one's own around one or more handles */
#ifndef NBDKIT_LOOPS_H
#define NBDKIT_LOOPS_H

#include <libnbd.h>

#define MAX_CONNECTIONS 8
#define DEADLINE_MS     20000

/* Wait once for any of the handles, and let it progress.  epoll_once keeps its
 * descriptor: it is always called with the same handles. */
void poll_once(struct nbd_handle **handles, unsigned nr_handles);
void epoll_once(struct nbd_handle **handles, unsigned nr_handles);

#endif /* NBDKIT_LOOPS_H */
