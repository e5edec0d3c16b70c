/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay.h - changes that a server has answered and may still forget
 *
 * A change is remembered from before it is sent until a flush that came after its
 * answer was answered.  A server that comes back gets all that is remembered, in the
 * order in which it was first sent, before anything else.  Knows nothing of FUSE.
 */

#ifndef NBDMOUNT_REPLAY_H
#define NBDMOUNT_REPLAY_H

#include "conn.h"
#include "replay-log.h"

struct replay;

/* One change.  Its memory, and that of data, is the user's until release is called. */
struct replay_entry {
    enum command_kind kind; /* COMMAND_WRITE, COMMAND_ZERO or COMMAND_TRIM */
    uint32_t flags;
    uint64_t off;
    uint64_t len;
    uint8_t *data;                               /* of a write; NULL: zeros */
    void (*release)(struct replay_entry *entry); /* no lock is held */

    /* replay's own, under its lock */
    struct replay_entry *prev, *next;
    struct replay_entry *free_next;
    uint64_t seq;   /* rises with each that is added */
    uint64_t ended; /* the how manieth to end; 0: not yet */
    unsigned in_use;
    bool gone;
};

/* Who waits for room. */
struct replay_wait {
    size_t bytes;
    /* error: 0, or an errno: there is no room, and no server that would make some */
    void (*start)(struct replay_wait *wait, int error);
    struct replay_wait *next;
};

/* limit: bytes of memory that entries may use.  want_flush is called, with no lock
 * held, when that is running out: replay_flushed has to follow. */
struct replay *replay_new(size_t limit, void (*want_flush)(void *owner), void *owner);
void replay_free(struct replay *replay);

/* Room for a change, before it is sent: calls wait->start now or later.  It must be
 * given back with replay_give_back when the entries were released. */
void replay_take(struct replay *replay, struct replay_wait *wait);
void replay_give_back(struct replay *replay, size_t bytes);

/* What an earlier process has left: answered, and not flushed. */
void replay_put(struct replay *replay, struct replay_entry *entry);

/* From now on what is added goes to a log too; begun with replay_next_seq.  It outlives
 * what is sent, and may be stopped before. */
void replay_use_log(struct replay *replay, struct replay_log *log);
bool replay_has_log(const struct replay *replay);
uint64_t replay_next_seq(const struct replay *replay);

/* The log is running out of room: for replay_log_begin. */
void replay_want_room(void *replay);

/* These are about to be sent, at most 3.  With a log group->logged is called when they
 * are in it; both have to stay until then, and the data unchanged. */
void replay_add(struct replay *replay, struct replay_entry **entries, unsigned n,
                struct replay_group *group);

/* It was answered.  Not done: it is forgotten; release is called, now or later. */
void replay_end(struct replay *replay, struct replay_entry *entry, bool done);

/* A flush is about to be sent; it was answered. */
uint64_t replay_mark(struct replay *replay);
void replay_cut(struct replay *replay, uint64_t mark);

/* The answer to want_flush, after replay_cut where the flush was done. */
void replay_flushed(struct replay *replay, int error);

struct replay_report {
    size_t limit;     /* bytes: what may be taken, and what is */
    size_t taken;     /* also by what is under way */
    size_t unflushed; /* changes that have ended and would be sent again */
    unsigned waiting; /* changes, for room */
};
void replay_look(struct replay *replay, struct replay_report *report);

bool replay_is_empty(struct replay *replay);

/* Sends all entries that are there now through conn, of which info tells the limits,
 * several at a time but what overlaps in order.  Then calls ended, in conn's I/O thread
 * or in this one: error 0, or ENOTCONN if the connection died, or the first that the
 * server told. */
void replay_send(struct replay *replay, struct conn *conn, const struct conn_info *info,
                 void (*ended)(void *owner, int error), void *owner);

#endif
