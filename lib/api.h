/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api.h - what the public functions have in common: lock, permission, errors, messages
 *
 *     int
 *     nbd_trim(struct nbd_handle *h, ...)
 *     {
 *         API_CALLBACKS(callbacks);        // freed after unlocking, also on errors
 *         API_CALL(h);                     // the lock, until the scope is left
 *
 *         API_TRACE("count=%" PRIu64, count);
 *         if (!api_permitted(&api, STATE_CONNECTED))
 *             return -1;                   // the thread's error is set
 *         ...
 *         return (int)api_done(&api, 0);
 *     }
 *
 * Only here the thread's error is known.  Public functions do not call each other.
 */

#ifndef API_H
#define API_H

/* The functions check their arguments, which the attribute would optimise away. */
#define LIBNBD_ATTRIBUTE_NONNULL(...)

#include <errno.h>
#include <inttypes.h>

#include "base-cleanup.h"
#include "handle.h"

struct api_scope {
    struct nbd_handle *h; /* locked; NULL: the caller gave none */
    const char *function;
    bool failed;
    bool has_text;    /* the result is text, not number */
    const char *text; /* valid until the lock is released */
    int64_t number;
};

#define STATE_ANY STATE_MASK
/* Something is known of the server. */
#define STATE_KNOWN (STATE_NEGOTIATING | STATE_CONNECTED | STATE_CLOSED)

#define API_CALL(handle) \
    struct api_scope api CLEANUP(api_leave) = api_enter((handle), __func__)
#define API_CALLBACKS(name, ...) \
    struct callbacks name CLEANUP(callbacks_free) = {__VA_ARGS__}
/* Debug output: the arguments.  After API_CALL. */
#define API_TRACE(...)                                                \
    do {                                                              \
        if (api.h && api.h->debug)                                    \
            handle_debug(api.h, api.function, "enter: " __VA_ARGS__); \
    } while (0)

struct api_scope api_enter(struct nbd_handle *h, const char *function);
void api_leave(struct api_scope *api);
/* Is there a handle, and in one of these states?  False with the error set. */
bool api_permitted(struct api_scope *api, unsigned states);
/* Is the argument there?  False with the error set. */
bool api_given(struct api_scope *api, const void *argument, const char *name);
/* Are the callbacks that are not optional there?  False with the error set. */
bool api_callbacks_given(struct api_scope *api, const struct callbacks *callbacks);
bool api_callback_given(struct api_scope *api, bool given, const char *name);
/* Are no other bits set than those in mask?  False with the error set. */
bool api_flags_known(struct api_scope *api, uint32_t flags, uint32_t mask,
                     const char *name);
/* All return -1. */
int api_fail(struct api_scope *api, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int api_fail_with(struct api_scope *api, const struct error *e);
/* The error of a function without handle. */
void api_thread_error(const char *function, const struct error *e);
/* Both note the result for debug output, and return it. */
int64_t api_done(struct api_scope *api, int64_t result);
const char *api_done_text(struct api_scope *api, const char *result);
/* A copy of the text for the caller; NULL with the error set where there is no
 * memory. */
char *api_copy(struct api_scope *api, const char *text);

#endif /* API_H */
