/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-send.c - sending again what is remembered: see replay.h
 *
 * The lock is held while entries are sent, but for nothing that waits.
 */

#include "replay-own.h"
#include "replay.h"

#include <errno.h>

#define ZERO_MAX (UINT64_C(1) << 30) /* bytes in one WRITE_ZEROES or TRIM */

static uint8_t zeros[1 << 20]; /* never written */

static bool
overlaps_one_in_flight(const struct replay *replay, uint64_t off, uint64_t len)
{
    for (unsigned i = 0; i < REPLAY_SLOTS; i++) {
        const struct replay_slot *slot = &replay->slot[i];
        if (slot->entry != NULL && off < slot->cmd.off + slot->cmd.len &&
            slot->cmd.off < off + len)
            return true;
    }
    return false;
}

static void on_sent(struct command *cmd, int error);

/* Under the lock: the next piece.  False: it must wait, or there is none. */
static bool
send_one(struct replay *replay)
{
    struct replay_entry *entry = replay->cursor;
    struct replay_slot *slot = NULL;

    if (entry == NULL || replay->error == ENOTCONN)
        return false;
    for (unsigned i = 0; i < REPLAY_SLOTS && slot == NULL; i++)
        if (replay->slot[i].entry == NULL)
            slot = &replay->slot[i];
    uint64_t most = entry->kind == COMMAND_WRITE ? replay->maximum : ZERO_MAX;
    uint64_t off = entry->off + replay->done, len = entry->len - replay->done;
    if (entry->kind == COMMAND_WRITE && entry->data == NULL && most > sizeof zeros)
        most = sizeof zeros;
    if (len > most)
        len = most;
    if (slot == NULL || overlaps_one_in_flight(replay, off, len))
        return false;
    slot->cmd = (struct command){
        .kind = entry->kind,
        .flags = entry->flags,
        .off = off,
        .len = len,
        .buf = entry->data != NULL ? entry->data + replay->done : zeros,
        .owner = replay,
        .done = on_sent,
        .ahead = true,
    };
    slot->entry = entry;
    entry->in_use++;
    replay->in_flight++;
    replay->done += len;
    if (replay->done == entry->len) {
        replay->cursor = entry == replay->stop ? NULL : entry->next;
        replay->done = 0;
    }
    conn_submit(replay->conn, &slot->cmd); /* done is never called in it */
    return true;
}

/* Under the lock, which it gives up. */
static void
go_on(struct replay *replay)
{
    while (send_one(replay))
        ;
    bool ended = replay->in_flight == 0;
    int error = replay->error;
    if (ended)
        replay->cursor = NULL;
    pthread_mutex_unlock(&replay->lock);
    if (ended)
        replay->sent(replay->sent_owner, error);
}

static void
on_sent(struct command *cmd, int error)
{
    struct replay *replay = cmd->owner;
    struct replay_slot *slot = (struct replay_slot *)cmd; /* its first member */

    pthread_mutex_lock(&replay->lock);
    struct replay_entry *entry = slot->entry;
    bool release = --entry->in_use == 0 && entry->gone;
    slot->entry = NULL;
    replay->in_flight--;
    if (replay->error == 0 || error == ENOTCONN)
        replay->error = error;
    go_on(replay);
    if (release)
        entry->release(entry);
}

void
replay_send(struct replay *replay, struct conn *conn, const struct conn_info *info,
            void (*ended)(void *owner, int error), void *owner)
{
    pthread_mutex_lock(&replay->lock);
    replay->conn = conn;
    replay->maximum = info->maximum;
    replay->cursor = replay->first;
    replay->stop = replay->last;
    replay->done = 0;
    replay->error = 0;
    replay->sent = ended;
    replay->sent_owner = owner;
    go_on(replay);
}
