/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-output.c - commands and their cookies, and the queue of bytes for the server
 *
 * A command passes through here from proto_submit to proto_retire.  Its memory is in
 * use by the writing thread between proto_output and proto_sent; in that time it is not
 * reported as done, even if the answer has come.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto-engine.h"

/* ---- cookies ---- */

static struct proto_cmd **
slot_of(const struct proto *p, uint64_t cookie)
{
    return &p->slots[cookie & (p->nr_slots - 1)];
}

/* Twice as many slots; commands that had different slots have different ones again. */
static int
grow_slots(struct proto *p)
{
    size_t n = p->nr_slots ? 2 * p->nr_slots : 64;
    struct proto_cmd **slots = calloc(n, sizeof(struct proto_cmd *));
    if (!slots)
        return -1;
    for (size_t i = 0; i < p->nr_slots; i++)
        if (p->slots[i])
            slots[p->slots[i]->cookie & (n - 1)] = p->slots[i];
    free(p->slots);
    p->slots = slots;
    p->nr_slots = n;
    return 0;
}

struct proto_cmd *
proto_find(const struct proto *p, uint64_t cookie)
{
    if (p->nr_slots == 0)
        return NULL;
    struct proto_cmd *cmd = *slot_of(p, cookie);
    return cmd && cmd->cookie == cookie ? cmd : NULL;
}

/* Has any byte of it been handed out? */
static bool
is_begun(const struct proto *p, const struct proto_cmd *cmd)
{
    return cmd->state != PROTO_CMD_QUEUED || cmd->claimed ||
           (cmd == p->out_head && !p->messages && p->out_sent > 0);
}

struct proto_cmd *
engine_find_awaited(const struct proto *p, uint64_t cookie)
{
    struct proto_cmd *cmd = proto_find(p, cookie);

    return cmd && !cmd->answered && is_begun(p, cmd) ? cmd : NULL;
}

/* ---- the life of a command ---- */

static bool
is_bulky(const struct proto_cmd *cmd)
{
    return cmd->type == WIRE_CMD_READ && cmd->count > BULKY_PAYLOAD;
}

static void
enqueue(struct proto *p, struct proto_cmd *cmd, uint64_t len)
{
    struct wire_request m = {
        .flags = cmd->flags,
        .type = cmd->type,
        .cookie = cmd->cookie,
        .offset = cmd->offset,
        .len = len,
    };

    cmd->header_len = (uint8_t)wire_encode_request(cmd->header, &m, p->extended);
    cmd->state = PROTO_CMD_QUEUED;
    cmd->next_output = NULL;
    if (p->out_head)
        p->out_tail->next_output = cmd;
    else
        p->out_head = cmd;
    p->out_tail = cmd;
}

int
proto_submit(struct proto *p, struct proto_cmd *cmd, struct error *e)
{
    bool filtered = p->extended && cmd->type == WIRE_CMD_BLOCK_STATUS &&
                    cmd->flags & WIRE_CMD_FLAG_PAYLOAD_LEN;

    if (proto_phase(p) != PROTO_TRANSMISSION)
        return error_set(e, ENOTCONN, "the connection is not ready for commands");
    if (!p->extended && cmd->count > UINT32_MAX)
        return error_set(e, EOVERFLOW,
                         "%s: a length of 4 GiB or more needs extended headers, which "
                         "were not negotiated",
                         wire_cmd_name(cmd->type));
    if (2 * (p->nr_commands + 1) > p->nr_slots && grow_slots(p) == -1)
        return error_set(e, ENOMEM, "out of memory");

    while (*slot_of(p, p->next_cookie))
        p->next_cookie++;
    cmd->cookie = p->next_cookie++;
    *slot_of(p, cmd->cookie) = cmd;
    p->nr_commands++;
    p->in_flight++;
    p->bulky_in_flight += is_bulky(cmd);
    enqueue(p, cmd, filtered ? cmd->payload_len : cmd->count);
    return 0;
}

void
engine_conclude(struct proto *p, struct proto_cmd *cmd, int number)
{
    if (number && !cmd->error)
        cmd->error = number;
    cmd->answered = true;
    ranges_release(p, cmd);
    if (cmd->state == PROTO_CMD_QUEUED)
        return; /* the rest of it must be sent all the same: see command_is_sent */

    cmd->concluded = true;
    cmd->next_done = NULL;
    if (p->done_head)
        p->done_tail->next_done = cmd;
    else
        p->done_head = cmd;
    p->done_tail = cmd;
}

/* Ends a command that will not be sent (on). */
static void
drop(struct proto *p, struct proto_cmd *cmd)
{
    cmd->state = PROTO_CMD_SENT;
    engine_conclude(p, cmd, cmd->answered ? 0 : ENOTCONN);
}

void
engine_conclude_all(struct proto *p)
{
    for (size_t i = 0; i < p->nr_slots; i++) {
        struct proto_cmd *cmd = p->slots[i];
        if (cmd && !cmd->concluded && !cmd->claimed)
            drop(p, cmd);
    }
    /* What is beyond the claimed ones may be freed soon. */
    if (p->claimed_last)
        p->claimed_last->next_output = NULL;
    else
        p->out_head = NULL;
    p->out_tail = p->claimed_last;
}

void
engine_report_done(struct proto *p, struct proto_event *event)
{
    struct proto_cmd *cmd = p->done_head;

    p->done_head = cmd->next_done;
    cmd->state = PROTO_CMD_DONE;
    p->in_flight--;
    p->bulky_in_flight -= is_bulky(cmd);
    event->cmd = cmd;
    event->error = cmd->error;
    if (p->disc_due && p->in_flight == 0)
        proto_disconnect(p, false);
}

void
proto_retire(struct proto *p, struct proto_cmd *cmd)
{
    assert(cmd->state == PROTO_CMD_DONE && proto_find(p, cmd->cookie) == cmd);
    *slot_of(p, cmd->cookie) = NULL;
    p->nr_commands--;
}

size_t
proto_in_flight(const struct proto *p)
{
    return p->in_flight;
}

/* ---- disconnecting ---- */

/* Takes those out of the queue of which nothing was handed out. */
static void
abandon_queued(struct proto *p)
{
    struct proto_cmd *last = p->claimed_last;

    if (!last && p->out_head && is_begun(p, p->out_head))
        last = p->out_head;
    struct proto_cmd *cmd = last ? last->next_output : p->out_head;
    if (last)
        last->next_output = NULL;
    else
        p->out_head = NULL;
    p->out_tail = last;

    for (struct proto_cmd *next; cmd; cmd = next) {
        next = cmd->next_output;
        drop(p, cmd);
    }
}

void
proto_disconnect(struct proto *p, bool abandon)
{
    bool soft = p->disc_due;

    if (proto_phase(p) != PROTO_TRANSMISSION && !soft)
        return;
    p->closing = true;
    p->disc_due = false;
    if (abandon)
        abandon_queued(p);
    if (proto_phase(p) != PROTO_CLOSING)
        return;
    /* Servers must answer all that came before a DISC, but some do not. */
    if (p->in_flight > 0) {
        p->disc_due = true;
        return;
    }
    p->disc = (struct proto_cmd){.type = WIRE_CMD_DISC};
    enqueue(p, &p->disc, 0);
}

bool
proto_said_goodbye(const struct proto *p)
{
    return proto_phase(p) == PROTO_CLOSING && !p->disc_due && !proto_has_output(p);
}

void
engine_soft_disconnect(struct proto *p)
{
    if (p->closing)
        return;
    p->closing = true;
    p->disc_due = true;
    abandon_queued(p);
}

/* ---- bytes for the server ---- */

uint8_t *
engine_message(struct proto *p, size_t len)
{
    struct message *m = malloc(sizeof *m + len);

    if (!m)
        return NULL;
    m->next = NULL;
    m->len = len;
    *p->messages_end = m;
    p->messages_end = &m->next;
    return m->bytes;
}

bool
proto_has_output(const struct proto *p)
{
    if (p->step == STEP_dead)
        return p->farewell && p->messages;
    return p->step != STEP_closed && (p->messages || p->out_head);
}

/* The part of [bytes, bytes + len) that is not yet sent, as an iovec; skips what is. */
static int
add_iovec(struct iovec *iov, const void *bytes, size_t len, size_t *sent)
{
    if (*sent >= len) {
        *sent -= len;
        return 0;
    }
    /* writev takes pointers to memory that it only reads */
    iov->iov_base = (uint8_t *)(uintptr_t)bytes + *sent;
    iov->iov_len = len - *sent;
    *sent = 0;
    return 1;
}

int
proto_output(struct proto *p, struct iovec *iov, int max)
{
    size_t sent = p->out_sent;
    int n = 0;

    if (!proto_has_output(p))
        return 0;
    for (struct message *m = p->messages; m && n < max; m = m->next)
        n += add_iovec(&iov[n], m->bytes, m->len, &sent);
    for (struct proto_cmd *cmd = p->out_head; cmd && n < max; cmd = cmd->next_output) {
        n += add_iovec(&iov[n], cmd->header, cmd->header_len, &sent);
        if (cmd->payload_len > 0 && n < max)
            n += add_iovec(&iov[n], cmd->payload, cmd->payload_len, &sent);
        cmd->claimed = true;
        p->claimed_last = cmd;
    }
    return n;
}

/* All bytes of the first command were taken. */
static void
command_is_sent(struct proto *p)
{
    struct proto_cmd *cmd = p->out_head;

    p->out_head = cmd == p->out_tail ? NULL : cmd->next_output;
    if (cmd == p->claimed_last)
        p->claimed_last = NULL;
    p->stats.chunks_sent++;
    cmd->claimed = false;
    cmd->state = PROTO_CMD_SENT;
    if (cmd->answered)
        engine_conclude(p, cmd, 0);
}

void
proto_sent(struct proto *p, size_t n)
{
    p->stats.bytes_sent += n;
    p->out_sent += n;
    while (p->messages && p->out_sent >= p->messages->len) {
        struct message *m = p->messages;
        p->out_sent -= m->len;
        p->messages = m->next;
        if (!p->messages)
            p->messages_end = &p->messages;
        free(m);
    }
    while (!p->messages && p->out_head &&
           p->out_sent >= p->out_head->header_len + p->out_head->payload_len) {
        p->out_sent -= p->out_head->header_len + p->out_head->payload_len;
        command_is_sent(p);
    }

    for (struct proto_cmd *cmd = p->claimed_last ? p->out_head : NULL; cmd;
         cmd = cmd == p->claimed_last ? NULL : cmd->next_output)
        cmd->claimed = false;
    p->claimed_last = NULL;
    if (p->step == STEP_closed || p->step == STEP_dead)
        engine_conclude_all(p);
}
