/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.h - plays the client's part of a case through the public interface only */
#ifndef PEER_CLIENT_H
#define PEER_CLIENT_H

#include "script.h"

#include <stdio.h>

/* Where the other side is. */
struct client_env {
    int (*open)(void *opaque);  /* a socket that a server's next section is at, or -1 */
    void (*join)(void *opaque); /* waits until all servers have ended */
    void *opaque;
};

/* Performs the operations (README.md lists them) and prints a line or more for each.
 * async: with the nbd_aio_ calls and a main loop of its own. */
void client_run(const struct lines *operations, bool async,
                const struct client_env *env, FILE *out);

#endif /* PEER_CLIENT_H */
