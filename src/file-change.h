/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* file-change.h - one change of the file, from its arrival to its answer
 *
 * For file-change.c, which makes it, file-change-join.c, which puts more into it, and
 * file-change-send.c, which does it.
 */

#ifndef NBDMOUNT_FILE_CHANGE_H
#define NBDMOUNT_FILE_CHANGE_H

#include "file.h"
#include "request.h"

#define ZERO_MAX (UINT64_C(1) << 30) /* bytes in one WRITE_ZEROES */

struct edge {
    uint64_t off;
    size_t len;
    uint8_t *buf;
};

/* What is remembered of a change: two edges and a middle. */
struct remembered {
    struct replay_entry entry;
    struct change *change;
};

/* Whether it is answered before the server has done it. */
enum change_answer {
    ANSWER_WHEN_DONE,
    ANSWER_MAY_BE_BEFORE, /* if there is room for that */
    ANSWER_BEFORE,
};

struct change {
    struct request request;
    atomic_uint refs;        /* itself, and each that is remembered */
    struct replay_wait room; /* for them */
    struct remembered remembered[3];
    unsigned n_remembered;
    struct replay_group logged; /* the same, for the log in a file */
    atomic_uint pending;        /* what has to be done before the answer: see finish */
    struct ordered ordered;     /* the blocks that it touches */
    enum change_answer answer;
    bool told; /* that it is done, before it was; set before pending reaches 0 */
    enum command_kind kind; /* COMMAND_WRITE, COMMAND_ZERO or COMMAND_TRIM */
    uint32_t flags;
    uint64_t off, end;        /* what is changed; before it starts others may join it */
    uint64_t middle, mid_end; /* whole blocks; middle moves on as they are sent */
    uint8_t *data;            /* from off to end; NULL: zeros */
    size_t data_room;         /* bytes that there is memory for */
    size_t taken;             /* of the export's behind */
    void *received;           /* the memory it lies in, if that was kept: received.h */
    struct stat *attr;        /* the answer, or NULL */
    bool cut;                 /* the answer is that there was no room for all of it */
    enum extent_kind becomes;
    struct prefetch_change ahead;
    unsigned losses; /* pool_losses() when it was sent */
    unsigned n_edges;
    struct edge edge[2];
    struct command edge_cmd[2];
    unsigned batch; /* commands in flight: the room in cmd */
    struct command cmd[];
};

struct fuse_bufvec;

/* A write of [off, off + len) that may be answered before it is done; data is not
 * taken.  True: it has become a part of an earlier one and is answered.  False: *room
 * is how many bytes of memory it is to have, more than its own if others may join it.
 */
bool change_join(struct export *export, struct fuse_req *fuse,
                 const struct fuse_bufvec *data, uint64_t off, size_t len,
                 size_t *room);

/* It is held, so that others may join it, and answered. */
void change_is_held(struct change *change);

/* Nobody may join it any more. */
void change_is_whole(struct change *change);

/* No earlier change of its blocks is under way, and read-ahead knows of it.  It is
 * freed when it has ended. */
void change_send(struct change *change);

/* It, or something that is remembered of it, is not needed any more. */
void change_free(struct change *change);

#endif
