/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* play.h - plays the server's part of a case on a connected socket */
#ifndef PEER_PLAY_H
#define PEER_PLAY_H

#include "script.h"

#define PLAY_WHOLE UINT64_MAX

struct play_options {
    uint64_t cut;    /* close after so many bytes; PLAY_WHOLE: never */
    size_t pieces;   /* at most so many bytes at once, each after the client has taken
                        the ones before; 0: as it comes */
    bool half_close; /* at the cut, only stop sending */
    int deadline_ms; /* for anything the client is waited for */
    uint64_t sweep;  /* value of the case's sweep variable */
};

struct play_result {
    char *failure; /* what the client did against the script; NULL: nothing */
    uint64_t sent;
    bool was_cut;
};

/* Returns when the section is over; the caller closes fd.  Any number of players may
 * run in threads of their own. */
void play(int fd, const struct script *s, const struct test_case *tc, size_t section,
          const struct play_options *options, struct play_result *result);

#endif /* PEER_PLAY_H */
