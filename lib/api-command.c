/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-command.c - commands: those that wait for the answer, and those that do not
 *
 * What may be asked, and how, is in handle-command.c.
 */

#include "api.h"

#include <string.h>

/* Debug output of the arguments, permission, and the argument that must be there. */
static bool
may_ask(struct api_scope *api, const struct command_request *request,
        const void *argument, const char *name)
{
    if (api->h && api->h->debug)
        handle_debug(api->h, api->function,
                     "enter: count=%" PRIu64 " offset=%" PRIu64 " flags=0x%" PRIx32,
                     request->count, request->offset, request->flags);
    return api_permitted(api, STATE_CONNECTED) &&
           (!name || api_given(api, argument, name));
}

/* Submits: the cookie, or -1 with the error set. */
static int64_t
start(struct api_scope *api, const struct command_request *request,
      struct callbacks *callbacks)
{
    struct error e;

    if (!api_callbacks_given(api, callbacks))
        return -1;
    int64_t cookie = command_start(api->h, request, callbacks, &e);
    return cookie == -1 ? api_fail_with(api, &e) : api_done(api, cookie);
}

/* Submits and waits: 0, or -1 with the error set. */
static int
run(struct api_scope *api, const struct command_request *request,
    struct callbacks *callbacks)
{
    struct error e;

    if (!api_callbacks_given(api, callbacks))
        return -1;
    if (command_run(api->h, request, callbacks, &e) == -1)
        return api_fail_with(api, &e);
    return (int)api_done(api, 0);
}

/* ---- read ----
 *
 * A buffer that the server did not fill must not show what was in it before.  That a
 * command was refused before it was sent is known here; other failures are
 * command_finish's. */

static void
clear_buffer(struct nbd_handle *h, const struct command_request *request)
{
    if (!h || !request->buf)
        return;
    handle_lock(h);
    bool clear = h->pread_initialize;
    handle_unlock(h);
    if (clear)
        memset(request->buf, 0, (size_t)request->count);
}

static int
read_and_wait(struct nbd_handle *h, const char *function,
              const struct command_request *request, struct callbacks callbacks)
{
    struct callbacks owned CLEANUP(callbacks_free) = callbacks;
    int result = -1;

    {
        struct api_scope api CLEANUP(api_leave) = api_enter(h, function);

        if (may_ask(&api, request, request->buf, "buf"))
            result = run(&api, request, &owned);
    }
    if (result == -1)
        clear_buffer(h, request);
    return result;
}

static int64_t
read_later(struct nbd_handle *h, const char *function,
           const struct command_request *request, struct callbacks callbacks)
{
    struct callbacks owned CLEANUP(callbacks_free) = callbacks;
    int64_t cookie = -1;

    {
        struct api_scope api CLEANUP(api_leave) = api_enter(h, function);

        if (may_ask(&api, request, request->buf, "buf"))
            cookie = start(&api, request, &owned);
    }
    if (cookie == -1)
        clear_buffer(h, request);
    return cookie;
}

int
nbd_pread(struct nbd_handle *h, void *buf, size_t count, uint64_t offset,
          uint32_t flags)
{
    struct command_request request = {COMMAND_READ, .buf = buf, .count = count,
                                      .offset = offset, .flags = flags};

    return read_and_wait(h, __func__, &request,
                         (struct callbacks){.kind = CALLBACK_NONE});
}

int
nbd_pread_structured(struct nbd_handle *h, void *buf, size_t count, uint64_t offset,
                     nbd_chunk_callback chunk_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_READ_STRUCTURED, .buf = buf,
                                      .count = count, .offset = offset, .flags = flags};

    return read_and_wait(
        h, __func__, &request,
        (struct callbacks){.kind = CALLBACK_CHUNK, .chunk = chunk_callback});
}

int64_t
nbd_aio_pread(struct nbd_handle *h, void *buf, size_t count, uint64_t offset,
              nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_READ, .buf = buf, .count = count,
                                      .offset = offset, .flags = flags};

    return read_later(
        h, __func__, &request,
        (struct callbacks){.kind = CALLBACK_NONE, .completion = completion_callback});
}

int64_t
nbd_aio_pread_structured(struct nbd_handle *h, void *buf, size_t count, uint64_t offset,
                         nbd_chunk_callback chunk_callback,
                         nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_READ_STRUCTURED, .buf = buf,
                                      .count = count, .offset = offset, .flags = flags};

    return read_later(h, __func__, &request,
                      (struct callbacks){.kind = CALLBACK_CHUNK,
                                         .chunk = chunk_callback,
                                         .completion = completion_callback});
}

/* ---- write and the like ---- */

int
nbd_pwrite(struct nbd_handle *h, const void *buf, size_t count, uint64_t offset,
           uint32_t flags)
{
    struct command_request request = {COMMAND_WRITE, .payload = buf, .count = count,
                                      .offset = offset, .flags = flags};
    API_CALLBACKS(callbacks);
    API_CALL(h);

    if (!may_ask(&api, &request, buf, "buf"))
        return -1;
    return run(&api, &request, &callbacks);
}

int64_t
nbd_aio_pwrite(struct nbd_handle *h, const void *buf, size_t count, uint64_t offset,
               nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_WRITE, .payload = buf, .count = count,
                                      .offset = offset, .flags = flags};
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, buf, "buf"))
        return -1;
    return start(&api, &request, &callbacks);
}

int
nbd_flush(struct nbd_handle *h, uint32_t flags)
{
    struct command_request request = {COMMAND_FLUSH, .flags = flags};
    API_CALLBACKS(callbacks);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return run(&api, &request, &callbacks);
}

int64_t
nbd_aio_flush(struct nbd_handle *h, nbd_completion_callback completion_callback,
              uint32_t flags)
{
    struct command_request request = {COMMAND_FLUSH, .flags = flags};
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return start(&api, &request, &callbacks);
}

int
nbd_trim(struct nbd_handle *h, uint64_t count, uint64_t offset, uint32_t flags)
{
    struct command_request request = {COMMAND_TRIM, .count = count, .offset = offset,
                                      .flags = flags};
    API_CALLBACKS(callbacks);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return run(&api, &request, &callbacks);
}

int64_t
nbd_aio_trim(struct nbd_handle *h, uint64_t count, uint64_t offset,
             nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_TRIM, .count = count, .offset = offset,
                                      .flags = flags};
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return start(&api, &request, &callbacks);
}

int
nbd_cache(struct nbd_handle *h, uint64_t count, uint64_t offset, uint32_t flags)
{
    struct command_request request = {COMMAND_CACHE, .count = count, .offset = offset,
                                      .flags = flags};
    API_CALLBACKS(callbacks);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return run(&api, &request, &callbacks);
}

int64_t
nbd_aio_cache(struct nbd_handle *h, uint64_t count, uint64_t offset,
              nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_CACHE, .count = count, .offset = offset,
                                      .flags = flags};
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return start(&api, &request, &callbacks);
}

int
nbd_zero(struct nbd_handle *h, uint64_t count, uint64_t offset, uint32_t flags)
{
    struct command_request request = {COMMAND_ZERO, .count = count, .offset = offset,
                                      .flags = flags};
    API_CALLBACKS(callbacks);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return run(&api, &request, &callbacks);
}

int64_t
nbd_aio_zero(struct nbd_handle *h, uint64_t count, uint64_t offset,
             nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_ZERO, .count = count, .offset = offset,
                                      .flags = flags};
    API_CALLBACKS(callbacks, .completion = completion_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return start(&api, &request, &callbacks);
}

/* ---- block status ---- */

int
nbd_block_status(struct nbd_handle *h, uint64_t count, uint64_t offset,
                 nbd_extent_callback extent_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_BLOCK_STATUS, .count = count,
                                      .offset = offset, .flags = flags};
    API_CALLBACKS(callbacks, .kind = CALLBACK_EXTENT, .extent = extent_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return run(&api, &request, &callbacks);
}

int64_t
nbd_aio_block_status(struct nbd_handle *h, uint64_t count, uint64_t offset,
                     nbd_extent_callback extent_callback,
                     nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_BLOCK_STATUS, .count = count,
                                      .offset = offset, .flags = flags};
    API_CALLBACKS(callbacks, .kind = CALLBACK_EXTENT, .extent = extent_callback,
                  .completion = completion_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return start(&api, &request, &callbacks);
}

int
nbd_block_status_64(struct nbd_handle *h, uint64_t count, uint64_t offset,
                    nbd_extent64_callback extent64_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_BLOCK_STATUS, .count = count,
                                      .offset = offset, .flags = flags};
    API_CALLBACKS(callbacks, .kind = CALLBACK_EXTENT64, .extent64 = extent64_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return run(&api, &request, &callbacks);
}

int64_t
nbd_aio_block_status_64(struct nbd_handle *h, uint64_t count, uint64_t offset,
                        nbd_extent64_callback extent64_callback,
                        nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_BLOCK_STATUS, .count = count,
                                      .offset = offset, .flags = flags};
    API_CALLBACKS(callbacks, .kind = CALLBACK_EXTENT64, .extent64 = extent64_callback,
                  .completion = completion_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, NULL, NULL))
        return -1;
    return start(&api, &request, &callbacks);
}

int
nbd_block_status_filter(struct nbd_handle *h, uint64_t count, uint64_t offset,
                        char **contexts, nbd_extent64_callback extent64_callback,
                        uint32_t flags)
{
    struct command_request request = {COMMAND_BLOCK_STATUS_FILTER, .count = count,
                                      .offset = offset, .flags = flags,
                                      .contexts = contexts};
    API_CALLBACKS(callbacks, .kind = CALLBACK_EXTENT64, .extent64 = extent64_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, contexts, "contexts"))
        return -1;
    return run(&api, &request, &callbacks);
}

int64_t
nbd_aio_block_status_filter(struct nbd_handle *h, uint64_t count, uint64_t offset,
                            char **contexts, nbd_extent64_callback extent64_callback,
                            nbd_completion_callback completion_callback, uint32_t flags)
{
    struct command_request request = {COMMAND_BLOCK_STATUS_FILTER, .count = count,
                                      .offset = offset, .flags = flags,
                                      .contexts = contexts};
    API_CALLBACKS(callbacks, .kind = CALLBACK_EXTENT64, .extent64 = extent64_callback,
                  .completion = completion_callback);
    API_CALL(h);

    if (!may_ask(&api, &request, contexts, "contexts"))
        return -1;
    return start(&api, &request, &callbacks);
}

/* ---- answers ---- */

int
nbd_aio_command_completed(struct nbd_handle *h, uint64_t cookie)
{
    API_CALLBACKS(callbacks);
    API_CALL(h);
    struct error e;

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    API_TRACE("cookie=%" PRIu64, cookie);
    int result = command_completed(h, cookie, &callbacks, &e);
    return result == -1 ? api_fail_with(&api, &e) : (int)api_done(&api, result);
}

int64_t
nbd_aio_peek_command_completed(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    do
        for (const struct command *cmd = h->finished; cmd; cmd = cmd->next)
            if (!cmd->waited_for)
                return api_done(&api, (int64_t)cmd->wire.cookie);
    while (run_wait_for_completion(h, 0));
    if (h->in_flight == 0)
        return api_fail(&api, EINVAL, "no command is in flight");
    return api_done(&api, 0);
}

int
nbd_aio_in_flight(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_CONNECTED | STATE_CLOSED | STATE_DEAD))
        return -1;
    run_wait_for_completion(h, 0);
    return (int)api_done(&api, h->in_flight);
}
