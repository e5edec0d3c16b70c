/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle-command.c - commands: what may be asked of the server, and the life of one
 *
 * submitted -> answered (the engine) -> finished (completion callback called) ->
 * retired
 */

#include "handle.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base-bytes.h"
#include "wire.h"

/* ---- making and submitting ---- */

/* The payload of a filtered BLOCK_STATUS: the effect length, then the ids. */
static int
compose_filter(const struct nbd_handle *h, const struct command_request *request,
               struct command *cmd, struct error *e)
{
    size_t n = 0;

    while (request->contexts[n])
        n++;
    cmd->payload = malloc(8 + 4 * n);
    if (!cmd->payload)
        return error_set_errno(e, ENOMEM, "a command");
    store_be64(cmd->payload, request->count);
    for (size_t i = 0; i < n; i++) {
        uint32_t id;

        if (!handle_find_context(h, request->contexts[i], &id))
            return error_set(e, EINVAL, "the meta context '%.100s' was not negotiated",
                             request->contexts[i]);
        store_be32((uint8_t *)cmd->payload + 8 + 4 * i, id);
    }
    cmd->wire.payload = cmd->payload;
    cmd->wire.payload_len = 8 + 4 * n;
    return 0;
}

/* PAYLOAD_LEN is for the library to say, unless the caller wants to. */
static uint16_t
flags_on_the_wire(const struct nbd_handle *h, const struct command_rule *rule,
                  uint32_t flags)
{
    if (rule->flags & LIBNBD_CMD_FLAG_PAYLOAD_LEN &&
        h->strict & LIBNBD_STRICT_AUTO_FLAG) {
        flags &= ~LIBNBD_CMD_FLAG_PAYLOAD_LEN;
        if (proto_extended_headers(h->proto))
            flags |= LIBNBD_CMD_FLAG_PAYLOAD_LEN;
    }
    return (uint16_t)flags;
}

/* Commands come and go by the thousand, between the buffers that the caller allocates
 * for them: taking them from malloc costs time here, and scatters the caller's heap. */
static void
command_free(struct nbd_handle *h, struct command *cmd)
{
    if (!cmd)
        return;
    free(cmd->payload);
    if (h->nr_spare == MAX_SPARE_COMMANDS) {
        free(cmd);
        return;
    }
    cmd->next = h->spare;
    h->spare = cmd;
    h->nr_spare++;
}

void
commands_free_spare(struct nbd_handle *h)
{
    for (struct command *cmd; (cmd = h->spare) != NULL;) {
        h->spare = cmd->next;
        free(cmd);
    }
    h->nr_spare = 0;
}

static struct command *
command_alloc(struct nbd_handle *h)
{
    struct command *cmd = h->spare;

    if (!cmd)
        return calloc(1, sizeof *cmd);
    h->spare = cmd->next;
    h->nr_spare--;
    memset(cmd, 0, sizeof *cmd);
    return cmd;
}

static struct command *
command_new(struct nbd_handle *h, const struct command_rule *rule,
            const struct command_request *request, struct error *e)
{
    struct command *cmd = command_alloc(h);

    if (!cmd) {
        error_set_errno(e, ENOMEM, "a command");
        return NULL;
    }
    cmd->name = rule->name;
    cmd->wire.type = rule->type;
    cmd->wire.flags = flags_on_the_wire(h, rule, request->flags);
    cmd->wire.offset = request->offset;
    cmd->wire.count = request->count;
    cmd->wire.buf = request->buf;
    cmd->clear_buffer = request->buf && h->pread_initialize;
    if (rule->type == WIRE_CMD_WRITE) {
        cmd->wire.payload = request->payload;
        cmd->wire.payload_len = (size_t)request->count;
    }
    if (request->kind == COMMAND_BLOCK_STATUS_FILTER &&
        cmd->wire.flags & LIBNBD_CMD_FLAG_PAYLOAD_LEN &&
        compose_filter(h, request, cmd, e) == -1) {
        command_free(h, cmd);
        return NULL;
    }
    return cmd;
}

/* Checks and queues it, but sends nothing yet.  NULL with e set. */
static struct command *
submit(struct nbd_handle *h, const struct command_request *request,
       struct callbacks *callbacks, struct error *e)
{
    const struct command_rule *rule = &command_rules[request->kind];

    if (command_check(h, request, e) == -1)
        return NULL;
    struct command *cmd = command_new(h, rule, request, e);
    if (!cmd)
        return NULL;
    if (proto_submit(h->proto, &cmd->wire, e) == -1) {
        command_free(h, cmd);
        return NULL;
    }
    cmd->callbacks = *callbacks;
    *callbacks = (struct callbacks){.kind = CALLBACK_NONE};
    h->in_flight++;
    return cmd;
}

int64_t
command_start(struct nbd_handle *h, const struct command_request *request,
              struct callbacks *callbacks, struct error *e)
{
    struct command *cmd = submit(h, request, callbacks, e);

    if (!cmd)
        return -1;
    /* Read now: when the connection fails over it, the command may be retired and gone
     * before run_output returns. */
    int64_t cookie = (int64_t)cmd->wire.cookie;
    run_output(h);
    return cookie;
}

/* ---- the end of a command ---- */

void
callbacks_free(struct callbacks *callbacks)
{
    struct callbacks taken = *callbacks;

    *callbacks = (struct callbacks){.kind = CALLBACK_NONE};
    switch (taken.kind) {
    case CALLBACK_NONE:
        break;
    case CALLBACK_CHUNK:
        if (taken.chunk.free)
            taken.chunk.free(taken.chunk.user_data);
        break;
    case CALLBACK_EXTENT:
        if (taken.extent.free)
            taken.extent.free(taken.extent.user_data);
        break;
    case CALLBACK_EXTENT64:
        if (taken.extent64.free)
            taken.extent64.free(taken.extent64.user_data);
        break;
    }
    if (taken.list.free)
        taken.list.free(taken.list.user_data);
    if (taken.context.free)
        taken.context.free(taken.context.user_data);
    if (taken.completion.free)
        taken.completion.free(taken.completion.user_data);
}

void
command_finish(struct nbd_handle *h, struct command *cmd)
{
    nbd_completion_callback completion = cmd->callbacks.completion;
    int number = cmd->wire.error;
    bool clear = number && cmd->clear_buffer;
    bool retire = false;

    if (clear || completion.callback) {
        h->completing = cmd->wire.cookie;
        handle_unlock(h);
        /* Setting the buffer before each read, in case it fails, would cost more than
         * setting it after the few that do. */
        if (clear)
            memset(cmd->wire.buf, 0, (size_t)cmd->wire.count);
        if (completion.callback) {
            int result = completion.callback(completion.user_data, &number);

            retire = result == 1;
            if (result == -1 && number)
                cmd->wire.error = number;
        }
        handle_lock(h);
        h->completing = 0;
        if (h->completion_waiters)
            waiters_wake_any(h);
    }

    h->in_flight--;
    h->ended++;
    cmd->finished = true;
    if (retire && !cmd->waited_for) {
        struct callbacks callbacks = cmd->callbacks;

        proto_retire(h->proto, &cmd->wire);
        command_free(h, cmd);
        handle_unlock(h);
        callbacks_free(&callbacks);
        handle_lock(h);
        return;
    }
    cmd->link = h->last_finished;
    *h->last_finished = cmd;
    h->last_finished = &cmd->next;
    if (cmd->waiter)
        waiter_wake(cmd->waiter);
}

/* Forgets a finished command: its error, 0 for success. */
static int
retire_finished(struct nbd_handle *h, struct command *cmd, struct callbacks *callbacks,
                struct error *e)
{
    int number = cmd->wire.error;

    *cmd->link = cmd->next;
    if (cmd->next)
        cmd->next->link = cmd->link;
    else
        h->last_finished = cmd->link;
    if (number)
        error_set_errno(e, number, "%s: the command failed", cmd->name);
    *callbacks = cmd->callbacks;
    proto_retire(h->proto, &cmd->wire);
    command_free(h, cmd);
    return number;
}

int
command_completed(struct nbd_handle *h, uint64_t cookie, struct callbacks *callbacks,
                  struct error *e)
{
    struct command *cmd;

    if (cookie < 1 || cookie > INT64_MAX)
        return error_set(e, EINVAL, "%" PRIu64 " is no cookie", cookie);
    run_wait_for_completion(h, cookie);
    cmd = (struct command *)proto_find(h->proto, cookie);
    if (!cmd || !cmd->finished || cmd->waited_for)
        return 0;
    return retire_finished(h, cmd, callbacks, e) ? -1 : 1;
}

static bool
command_is_finished(const struct nbd_handle *h, const void *arg)
{
    (void)h;
    return ((const struct command *)arg)->finished;
}

int
command_run(struct nbd_handle *h, const struct command_request *request,
            struct callbacks *callbacks, struct error *e)
{
    struct command *cmd;

    if (run_may_wait(h, e) == -1)
        return -1;
    cmd = submit(h, request, callbacks, e);
    if (!cmd)
        return -1;
    cmd->waited_for = true;
    run_output(h);
    while (!cmd->finished)
        if (run_wait(h, command_is_finished, cmd, &cmd->waiter, e) == -1 &&
            !cmd->finished)
            run_fail(h, e->number, e->text);
    cmd->waiter = NULL;
    return retire_finished(h, cmd, callbacks, e) ? -1 : 0;
}
