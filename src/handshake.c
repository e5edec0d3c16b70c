/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handshake.c - see handshake.h */

#include "handshake.h"
#include "flags.h"
#include "log.h"
#include "tls-hint.h"

#include <errno.h>
#include <inttypes.h>
#include <libnbd.h>
#include <poll.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LOOK_AROUND_MS    200
#define MOUNT_MS          60000 /* for the first connection */
#define MOUNT_LEAST_MS    10000 /* the same, however short "timeout" is */
#define DEFAULT_PREFERRED 4096
#define DEFAULT_MAXIMUM   (UINT32_C(32) << 20)
#define OWN_MAXIMUM       (UINT32_C(32) << 20) /* no payload of ours is greater */
#define GOODBYE_MS        1000

static void
explain(char **why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(why, format, args) == -1)
        *why = NULL;
    va_end(args);
}

/* Of what the library said takes the name of its function away, and adds what to do. */
static void
advise(char **why, const struct source *source)
{
    char *said = *why;

    if (said == NULL)
        return;
    size_t name = strspn(said, "abcdefghijklmnopqrstuvwxyz_");
    bool named = strncmp(said, "nbd_", 4) == 0 && strncmp(said + name, ": ", 2) == 0;
    const char *hint = tls_hint(said, source->tls, source->uri);
    explain(why, "%s%s%s", said + (named ? name + 2 : 0), hint != NULL ? "; " : "",
            hint != NULL ? hint : "");
    free(said);
}

static int
on_debug(void *user_data, const char *context, const char *msg)
{
    (void)user_data;
    log_debug("%s: %s", context != NULL ? context : "libnbd", msg);
    return 0;
}

/* Before the URI, which may say more. */
static int
set_up_tls(struct nbd_handle *h, const struct tls_settings *tls)
{
    static const int modes[] = {
        [TLS_OFF] = LIBNBD_TLS_DISABLE,
        [TLS_ALLOW] = LIBNBD_TLS_ALLOW,
        [TLS_REQUIRE] = LIBNBD_TLS_REQUIRE,
    };

    if (tls->mode != TLS_UNSET && nbd_set_tls(h, modes[tls->mode]) == -1)
        return -1;
    if (tls->certificates != NULL &&
        nbd_set_tls_certificates(h, tls->certificates) == -1)
        return -1;
    if (tls->psk_file != NULL && nbd_set_tls_psk_file(h, tls->psk_file) == -1)
        return -1;
    if (tls->username != NULL && nbd_set_tls_username(h, tls->username) == -1)
        return -1;
    if (tls->hostname != NULL && nbd_set_tls_hostname(h, tls->hostname) == -1)
        return -1;
    if (tls->verify_peer != -1 &&
        nbd_set_tls_verify_peer(h, tls->verify_peer != 0) == -1)
        return -1;
    return 0;
}

static int
want_simple_replies(struct nbd_handle *h)
{
#ifdef LIBNBD_HAVE_NBD_SET_REQUEST_EXTENDED_HEADERS
    if (nbd_set_request_extended_headers(h, false) == -1)
        return -1;
#endif
    return nbd_set_request_structured_replies(h, false);
}

static int
set_up(struct nbd_handle *h, const struct source *source, bool simple)
{
    nbd_debug_callback debug = {.callback = on_debug};

    if (source->debug &&
        (nbd_set_debug_callback(h, debug) == -1 || nbd_set_debug(h, true) == -1))
        return -1;
    /* The person who wrote the URI runs this program: it may name key files. */
    if (nbd_set_uri_allow_local_file(h, true) == -1)
        return -1;
    if (simple ? want_simple_replies(h) == -1
               : nbd_add_meta_context(h, source_meta_context(source)) == -1)
        return -1;
    if (source->tls != NULL && set_up_tls(h, source->tls) == -1)
        return -1;
    /* Requests are aligned here; the ragged end of an export cannot be. */
    uint32_t strict = nbd_get_strict_mode(h);
    if (nbd_set_strict_mode(h, strict & ~LIBNBD_STRICT_ALIGN) == -1)
        return -1;
#ifdef LIBNBD_HAVE_NBD_SET_PREAD_INITIALIZE
    /* What a read that failed leaves in the buffer is never shown to anybody. */
    if (nbd_set_pread_initialize(h, false) == -1)
        return -1;
#endif
    return 0;
}

static int
start(struct nbd_handle *h, const struct source *source)
{
    if (source->uri != NULL)
        return nbd_aio_connect_uri(h, source->uri);
    if (source->export != NULL && nbd_set_export_name(h, source->export) == -1)
        return -1;
    return nbd_aio_connect_unix(h, source->socket);
}

int64_t
handshake_mount_deadline(const struct source *source)
{
    int64_t ms = source->timeout_ms > 0 ? source->timeout_ms : MOUNT_MS;

    if (source->uri == NULL)
        return INT64_MAX;
    return conn_clock_ms() + (ms > MOUNT_LEAST_MS ? ms : MOUNT_LEAST_MS);
}

bool
handshake_finish(struct nbd_handle *h, const struct handshake_wait *wait, char **why)
{
    while (!nbd_aio_is_ready(h) && !nbd_aio_is_negotiating(h)) {
        if (nbd_aio_is_dead(h) || nbd_aio_is_closed(h)) {
            explain(why, "the server closed the connection during the handshake");
            return false;
        }
        if (wait->keep_trying != NULL && !wait->keep_trying(wait->user_data)) {
            explain(why, "given up");
            return false;
        }
        if (conn_clock_ms() >= wait->deadline_ms) {
            explain(why, "no answer from the server (handshake, %s)",
                    nbd_connection_state(h));
            return false;
        }
        unsigned direction = nbd_aio_get_direction(h);
        struct pollfd fd = {.fd = nbd_aio_get_fd(h)};
        if (direction & LIBNBD_AIO_DIRECTION_READ)
            fd.events |= POLLIN;
        if (direction & LIBNBD_AIO_DIRECTION_WRITE)
            fd.events |= POLLOUT;
        int r = poll(&fd, 1, LOOK_AROUND_MS);
        if (r == -1 && errno != EINTR) {
            explain(why, "poll: %s", strerror(errno));
            return false;
        }
        if (r <= 0)
            continue;
        if ((fd.revents & ~POLLOUT) && (direction & LIBNBD_AIO_DIRECTION_READ))
            r = nbd_aio_notify_read(h);
        else
            r = nbd_aio_notify_write(h);
        if (r == -1) {
            explain(why, "%s", nbd_get_error());
            return false;
        }
    }
    return true;
}

static void
ask_block_sizes(struct nbd_handle *h, struct conn_info *info)
{
    int64_t minimum = nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM);
    int64_t preferred = nbd_get_block_size(h, LIBNBD_SIZE_PREFERRED);
    int64_t maximum = nbd_get_block_size(h, LIBNBD_SIZE_MAXIMUM);

    info->says_sizes = preferred > 0;
    /* Servers that say nothing take single bytes: the specification's advice to them.
     */
    if (minimum <= 0 || minimum > CONN_BLOCK_MAX || (minimum & (minimum - 1)) != 0)
        minimum = 1;
    if (preferred < DEFAULT_PREFERRED || (preferred & (preferred - 1)) != 0)
        preferred = DEFAULT_PREFERRED;
    if (maximum <= 0)
        maximum = DEFAULT_MAXIMUM;
    if (maximum > OWN_MAXIMUM)
        maximum = OWN_MAXIMUM;
    maximum -= maximum % minimum;
    if (maximum == 0)
        maximum = minimum;
    info->minimum = (uint32_t)minimum;
    info->preferred = (uint32_t)(preferred > OWN_MAXIMUM ? OWN_MAXIMUM : preferred);
    info->maximum = (uint32_t)maximum;
}

/* As many whole characters as there is room for. */
static void
ask_description(struct nbd_handle *h, struct conn_info *info)
{
    char *text = nbd_get_export_description(h);
    size_t len = text != NULL ? strlen(text) : 0;

    if (len >= sizeof info->description) {
        len = sizeof info->description - 1;
        while (len > 0 && (text[len] & 0xc0) == 0x80)
            len--;
    }
    if (len > 0)
        memcpy(info->description, text, len);
    free(text);
}

/* Not with a socket that leads to a command of ours, such as ssh: that has no name. */
static bool
is_on_this_machine(int fd)
{
    struct sockaddr_un server;
    socklen_t len = sizeof server;

    return fd != -1 && getpeername(fd, (struct sockaddr *)&server, &len) == 0 &&
           server.sun_family == AF_UNIX && len > offsetof(struct sockaddr_un, sun_path);
}

bool
handshake_ask(struct nbd_handle *h, struct conn_info *info, char **why)
{
    memset(info, 0, sizeof *info);
    info->size = nbd_get_size(h);
    if (info->size == -1) {
        explain(why, "the size of the export: %s", nbd_get_error());
        return false;
    }
    info->read_only = nbd_is_read_only(h) == 1;
    info->can_flush = nbd_can_flush(h) == 1;
    info->can_trim = nbd_can_trim(h) == 1;
    info->can_zero = nbd_can_zero(h) == 1;
    info->can_multi_conn = nbd_can_multi_conn(h) == 1;
    info->same_machine = is_on_this_machine(nbd_aio_get_fd(h));
    info->flags = flags_of(h);
    info->encrypted = nbd_get_tls_negotiated(h) == 1;
    char *context = nbd_get_meta_context(h, 0); /* the one that was asked for */
    info->can_extents = context != NULL && nbd_can_meta_context(h, context) == 1;
    free(context);
#ifdef LIBNBD_HAVE_NBD_GET_EXTENDED_HEADERS_NEGOTIATED
    info->extended = nbd_get_extended_headers_negotiated(h) == 1;
#endif
    char *name = nbd_get_export_name(h);
    info->long_name = name != NULL && strlen(name) >= sizeof info->name;
    if (name != NULL && !info->long_name)
        memcpy(info->name, name, strlen(name) + 1);
    free(name);
    ask_description(h, info);
    ask_block_sizes(h, info);
    return true;
}

static bool
ask(struct nbd_handle *h, const struct source *source, bool simple,
    struct conn_info *info, char **why)
{
    if (!handshake_ask(h, info, why))
        return false;
    info->simple = simple;
    if (!simple && !info->can_extents && source->meta_context != NULL) {
        explain(why, "the server has no meta context %s for this export",
                source->meta_context);
        return false;
    }
    return true;
}

struct nbd_handle *
handshake_negotiate(const struct source *source, const struct handshake_wait *wait,
                    char **why)
{
    struct nbd_handle *h = nbd_create();

    *why = NULL;
    if (h == NULL || set_up(h, source, false) == -1 ||
        nbd_set_opt_mode(h, true) == -1 || start(h, source) == -1) {
        explain(why, "%s", nbd_get_error());
    } else if (handshake_finish(h, wait, why)) {
        return h;
    }
    advise(why, source);
    nbd_close(h);
    return NULL;
}

/* The server shall not think that we broke down; but do not wait for it long. */
void
handshake_close(struct nbd_handle *h, int ms)
{
    int64_t until = conn_clock_ms() + ms, left;

    while (!nbd_aio_is_dead(h) && !nbd_aio_is_closed(h) && !nbd_aio_is_created(h) &&
           (left = until - conn_clock_ms()) > 0)
        if (nbd_poll(h, (int)left) == -1)
            break;
    nbd_close(h);
}

/* Goes on with a handle that has options behind it.  NULL: make another one; what is
 * wrong will be seen then. */
static struct nbd_handle *
go_on(const struct source *source, const struct handshake_wait *wait,
      struct conn_info *info)
{
    struct nbd_handle *h = source->negotiated != NULL ? *source->negotiated : NULL;
    char *why = NULL;

    if (h == NULL)
        return NULL;
    *source->negotiated = NULL;
    if ((nbd_aio_is_ready(h) || (nbd_set_full_info(h, true) == 0 &&
                                 nbd_aio_opt_go(h, NBD_NULL_COMPLETION) == 0)) &&
        handshake_finish(h, wait, &why) && nbd_aio_is_ready(h) &&
        ask(h, source, false, info, &why))
        return h;
    free(why);
    if (nbd_aio_is_negotiating(h))
        nbd_aio_opt_abort(h);
    handshake_close(h, GOODBYE_MS);
    return NULL;
}

struct nbd_handle *
handshake(const struct source *source, bool simple, const struct handshake_wait *wait,
          struct conn_info *info, char **why)
{
    *why = NULL;
    struct nbd_handle *h = simple ? NULL : go_on(source, wait, info);
    if (h != NULL)
        return h;
    h = nbd_create();
    if (h == NULL || set_up(h, source, simple) == -1 ||
        nbd_set_full_info(h, true) == -1 || start(h, source) == -1) {
        explain(why, "%s", nbd_get_error());
        advise(why, source);
        nbd_close(h);
        return NULL;
    }
    if (!handshake_finish(h, wait, why) || !ask(h, source, simple, info, why)) {
        advise(why, source);
        nbd_close(h);
        return NULL;
    }
    return h;
}

bool
handshake_same(const struct conn_info *first, int64_t size_most,
               const struct conn_info *now, char **why)
{
    if (first->encrypted && !now->encrypted)
        explain(why, "the connection would not be encrypted any more");
    else if (first->size > now->size || size_most < now->size)
        explain(why, "the export's size was %" PRId64 " and is %" PRId64 " now",
                first->size, now->size);
    else if (!first->read_only && now->read_only)
        explain(why, "the export has become read-only");
    else if (!first->read_only &&
             (first->can_multi_conn != now->can_multi_conn ||
              first->can_flush != now->can_flush || first->can_zero != now->can_zero ||
              first->can_trim != now->can_trim))
        explain(why, "the export's flags have changed");
    else if (!now->simple && (first->can_extents != now->can_extents ||
                              first->extended != now->extended))
        explain(why, "the server's block status is not what it was");
    else if (first->minimum != now->minimum || first->maximum != now->maximum)
        explain(why, "the export's block sizes have changed");
    else
        return true;
    return false;
}

enum handshake_result
handshake_try(const struct source *source, const struct handshake_wait *wait,
              const struct conn_info *first, int64_t size_most, char **why)
{
    struct conn_info info;
    struct nbd_handle *h = handshake(source, false, wait, &info, why);

    if (h == NULL)
        return HANDSHAKE_FAILED;
    bool same = handshake_same(first, size_most, &info, why);
    nbd_aio_disconnect(h, 0);
    handshake_close(h, GOODBYE_MS);
    return same ? HANDSHAKE_SAME : HANDSHAKE_OTHER;
}
