/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-log.h - the replay log in a file: what was answered survives this process
 *
 * Opened and locked before anything else, read, and given to the server again; then
 * begun anew, from when on a thread of its own writes to it.  The bytes are those of
 * replay-format.h.  Knows neither NBD nor FUSE.
 */

#ifndef NBDMOUNT_REPLAY_LOG_H
#define NBDMOUNT_REPLAY_LOG_H

#include "replay-format.h"

struct replay_log;

/* Opens or makes the file, locks it and reads what is in it, which is left as it is.
 * NULL: *why says why not, for the caller to free. */
struct replay_log *replay_log_open(const char *path, char **why);

/* Whose log it is to be. */
struct replay_log_export {
    const char *text; /* the source */
    const char *name;
    uint64_t size;
    uint32_t minimum; /* block size */
};

/* Whether it is this export's, or new, and what is in it fits.  If not, *why. */
bool replay_log_check(struct replay_log *log, const struct replay_log_export *export,
                      char **why);

/* What is to be sent again; until replay_log_forget. */
const struct replay_records *replay_log_records(const struct replay_log *log);
void replay_log_forget(struct replay_log *log);

const char *replay_log_path(const struct replay_log *log);

/* Empties it, makes it large enough for limit bytes, and starts the thread.  Sequence
 * numbers begin at seq.  want_room is called by the thread, with no lock held, when
 * replay_log_wants_room has become true: replay_log_set_low should follow.  If it
 * fails, *why. */
bool replay_log_begin(struct replay_log *log, const struct replay_log_export *export,
                      size_t limit, uint64_t seq, void (*want_room)(void *owner),
                      void *owner, char **why);

/* The records of one change, which are written together or not at all. */
struct replay_group {
    struct replay_record record[3]; /* kind, flags, off, len, data and seq are set */
    unsigned n;                     /* at least 1 */
    /* By the thread, with no lock held: it is on the disk, or error says why not. */
    void (*logged)(struct replay_group *group, int error);
    struct replay_group *next; /* the log's own */
};

/* In the order of their sequence numbers; the group and its data stay until logged is
 * called.  False: it will not be, for the log has been stopped. */
bool replay_log_append(struct replay_log *log, struct replay_group *group);

/* What was logged with this number was not done. */
void replay_log_void(struct replay_log *log, uint64_t seq);

/* What has a lower number is not needed any more. */
void replay_log_set_low(struct replay_log *log, uint64_t low);

bool replay_log_wants_room(const struct replay_log *log);

/* There will be no room: what waits for it now fails. */
void replay_log_give_up(struct replay_log *log, int error);

/* Ends the thread; what was appended is written before if there is room for it. */
void replay_log_stop(struct replay_log *log);

/* empty: nothing in it is needed any more. */
void replay_log_close(struct replay_log *log, bool empty);

#endif
