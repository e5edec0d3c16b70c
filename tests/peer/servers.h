/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* servers.h - scripted servers in threads, one for each connection of a case */
#ifndef PEER_SERVERS_H
#define PEER_SERVERS_H

#include "play.h"

#include <pthread.h>

#define MAX_SERVERS 32

struct server {
    pthread_t thread;
    int fd;
    size_t section;
    struct servers *all;
    struct play_result result;
};

struct servers {
    const struct script *script;
    const struct test_case *tc;
    struct play_options options; /* the cut counts from each connection's start */
    struct server v[MAX_SERVERS];
    size_t nr, nr_joined;
    bool tell; /* a failure on stderr, before its connection is closed */
};

/* Plays the next section (the last one again where there are no more, with repeat) on
 * fd, which it owns now.  false: there is none. */
bool servers_start(struct servers *s, int fd, bool repeat);
/* Waits until all that were started have ended. */
void servers_join(struct servers *s);
/* Does not wait: the process is about to end. */
void servers_abandon(struct servers *s);
/* The first failure, or NULL. */
const char *servers_failure(const struct servers *s);
uint64_t servers_sent(const struct servers *s);
void servers_clear(struct servers *s);

#endif /* PEER_SERVERS_H */
