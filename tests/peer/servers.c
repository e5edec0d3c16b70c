/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* servers.c - scripted servers in threads, one for each connection of a case */

#include "servers.h"

#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void *
serve(void *arg)
{
    struct server *s = arg;
    play(s->fd, s->all->script, s->all->tc, s->section, &s->all->options, &s->result);
    if (s->all->tell && s->result.failure)
        fprintf(stderr, "peer: %s: %s\n", s->all->script->path, s->result.failure);
    close(s->fd);
    return NULL;
}

bool
servers_start(struct servers *s, int fd, bool repeat)
{
    size_t sections = script_sections(s->tc);
    if (s->nr == MAX_SERVERS || (s->nr >= sections && !repeat))
        return false;
    struct server *one = &s->v[s->nr];
    *one = (struct server){.fd = fd, .section = s->nr, .all = s};
    if (one->section >= sections)
        one->section = sections - 1;
    errno = pthread_create(&one->thread, NULL, serve, one);
    if (errno)
        err(2, "pthread_create");
    s->nr++;
    return true;
}

void
servers_join(struct servers *s)
{
    for (; s->nr_joined < s->nr; s->nr_joined++)
        pthread_join(s->v[s->nr_joined].thread, NULL);
}

void
servers_abandon(struct servers *s)
{
    for (; s->nr_joined < s->nr; s->nr_joined++)
        pthread_detach(s->v[s->nr_joined].thread);
}

const char *
servers_failure(const struct servers *s)
{
    for (size_t i = 0; i < s->nr; i++)
        if (s->v[i].result.failure)
            return s->v[i].result.failure;
    return NULL;
}

uint64_t
servers_sent(const struct servers *s)
{
    uint64_t most = 0;
    for (size_t i = 0; i < s->nr; i++)
        if (s->v[i].result.sent > most)
            most = s->v[i].result.sent;
    return most;
}

void
servers_clear(struct servers *s)
{
    servers_join(s);
    for (size_t i = 0; i < s->nr; i++)
        free(s->v[i].result.failure);
    s->nr = s->nr_joined = 0;
}
