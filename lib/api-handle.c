/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-handle.c - the scope of each public call, the thread's error, handles */

#include "api.h"

#include <stdio.h>
#include <string.h>

#include "base-text.h"
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

/* ---- the thread's error ---- */

static _Thread_local struct {
    bool set;
    int number;
    char text[sizeof((struct error *)0)->text + 64];
} thread_error;

void
api_thread_error(const char *function, const struct error *e)
{
    thread_error.set = true;
    thread_error.number = e->number;
    snprintf(thread_error.text, sizeof thread_error.text, "%s: %s", function, e->text);
}

const char *
nbd_get_error(void)
{
    return thread_error.set ? thread_error.text : NULL;
}

int
nbd_get_errno(void)
{
    return thread_error.number;
}

/* ---- scopes ---- */

struct api_scope
api_enter(struct nbd_handle *h, const char *function)
{
    handle_function = function;
    if (h)
        handle_lock(h);
    return (struct api_scope){.h = h, .function = function};
}

static void
trace_leave(const struct api_scope *api)
{
    if (api->failed)
        handle_debug(api->h, api->function, "leave: error: %s", thread_error.text);
    else if (api->has_text)
        handle_debug(api->h, api->function, "leave: %s",
                     api->text ? api->text : "NULL");
    else
        handle_debug(api->h, api->function, "leave: %" PRIi64, api->number);
}

void
api_leave(struct api_scope *api)
{
    if (!api->h)
        return;
    if (api->h->debug)
        trace_leave(api);
    handle_unlock(api->h);
}

int
api_fail_with(struct api_scope *api, const struct error *e)
{
    api_thread_error(api->function, e);
    api->failed = true;
    return -1;
}

int
api_fail(struct api_scope *api, int number, const char *format, ...)
{
    struct error e;
    va_list args;

    va_start(args, format);
    error_vset(&e, number, format, args);
    va_end(args);
    return api_fail_with(api, &e);
}

bool
api_given(struct api_scope *api, const void *argument, const char *name)
{
    if (!argument)
        api_fail(api, EFAULT, "%s must not be NULL", name);
    return argument != NULL;
}

bool
api_callback_given(struct api_scope *api, bool given, const char *name)
{
    if (!given)
        api_fail(api, EFAULT, "%s: the callback must not be NULL", name);
    return given;
}

bool
api_callbacks_given(struct api_scope *api, const struct callbacks *callbacks)
{
    switch (callbacks->kind) {
    case CALLBACK_NONE:
        break;
    case CALLBACK_CHUNK:
        return api_callback_given(api, callbacks->chunk.callback, "chunk_callback");
    case CALLBACK_EXTENT:
        return api_callback_given(api, callbacks->extent.callback, "extent_callback");
    case CALLBACK_EXTENT64:
        return api_callback_given(api, callbacks->extent64.callback,
                                  "extent64_callback");
    }
    return true;
}

static const char *
permitted_names(unsigned states, struct text *t)
{
    bool connected = (states & STATE_CONNECTED) == STATE_CONNECTED;

    for (unsigned state = 1; state & STATE_MASK; state <<= 1U) {
        if (!(states & state) || (connected && state == STATE_PROCESSING))
            continue;
        if (t->len)
            text_append(t, " or ");
        text_append(t, connected && state == STATE_READY ? "connected"
                                                         : handle_state_name(state));
    }
    return t->text ? t->text : "in another state";
}

bool
api_permitted(struct api_scope *api, unsigned states)
{
    if (!api_given(api, api->h, "h"))
        return false;

    enum handle_state state = handle_state(api->h);
    if (state & states)
        return true;
    struct text names = {0};
    api_fail(api, state == STATE_CREATED ? ENOTCONN : EINVAL,
             "invalid state: the handle is %s, and must be %s",
             handle_state_name(state), permitted_names(states, &names));
    text_clear(&names);
    return false;
}

bool
api_flags_known(struct api_scope *api, uint32_t flags, uint32_t mask, const char *name)
{
    if (flags & ~mask)
        api_fail(api, EINVAL, "%s: unknown flags 0x%" PRIx32, name, flags & ~mask);
    return !(flags & ~mask);
}

int64_t
api_done(struct api_scope *api, int64_t result)
{
    api->number = result;
    return result;
}

const char *
api_done_text(struct api_scope *api, const char *result)
{
    api->has_text = true;
    api->text = result;
    return result;
}

char *
api_copy(struct api_scope *api, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        api_fail(api, ENOMEM, "no memory for the result");
    api_done_text(api, text);
    return copy;
}

/* ---- handles ---- */

struct nbd_handle *
nbd_create(void)
{
    struct error e;
    struct nbd_handle *h = handle_new(&e);

    if (!h) {
        api_thread_error(__func__, &e);
        return NULL;
    }
    if (h->debug)
        handle_debug(h, __func__, "a new handle");
    return h;
}

void
nbd_close(struct nbd_handle *h)
{
    if (!h)
        return;
    handle_function = __func__;
    if (h->debug)
        handle_debug(h, __func__, "closing");
    handle_free(h);
}

ssize_t
nbd_get_handle_size(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    size_t size = sizeof *h + h->in_flight * sizeof(struct command) +
                  h->contexts.capacity * sizeof h->contexts.items[0] +
                  h->entries.capacity * sizeof h->entries.items[0];
    return (ssize_t)api_done(&api, (int64_t)size);
}

uintptr_t
nbd_set_private_data(struct nbd_handle *h, uintptr_t private_data)
{
    return h ? atomic_exchange(&h->private_data, private_data) : 0;
}

uintptr_t
nbd_get_private_data(struct nbd_handle *h)
{
    return h ? atomic_load(&h->private_data) : 0;
}

const char *
nbd_get_package_name(struct nbd_handle *h)
{
    (void)h;
    return "libnbd";
}

const char *
nbd_get_version(struct nbd_handle *h)
{
    (void)h;
    return PACKAGE_VERSION;
}

const char *
nbd_get_version_extra(struct nbd_handle *h)
{
    (void)h;
    return "";
}
