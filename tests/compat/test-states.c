/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-states.c - each public function that needs the handle in some states, in a
 * handle in each other state: refused with its error value, the errno, and its name in
 * the message
 *
 * The table was made from tests/check/api.tsv, and symbols.sh keeps that complete. */

#include <sys/wait.h>

#include "compat.h"

enum state {
    CREATED = 1,
    CONNECTING = 2,
    NEGOTIATING = 4,
    CONNECTED = 8,
    CLOSED = 16,
    DEAD = 32,
};

static const char *const state_names[] = {"created",   "connecting", "negotiating",
                                          "connected", "closed",     "dead"};

#define NO_CHUNK    ((nbd_chunk_callback){.callback = NULL})
#define NO_EXTENT   ((nbd_extent_callback){.callback = NULL})
#define NO_EXTENT64 ((nbd_extent64_callback){.callback = NULL})
#define NO_LIST     ((nbd_list_callback){.callback = NULL})
#define NO_CONTEXT  ((nbd_context_callback){.callback = NULL})

static char buf[512];
static char *some_argv[] = {"true", NULL};
static char *no_strings[] = {NULL};
static const struct sockaddr *const some_addr =
    &(const struct sockaddr){.sa_family = 0};
static int checked;

/* Is the call, made in this state, refused as it should be? */
static void
check(const char *function, bool refused, enum state state)
{
    const char *where = state_names[__builtin_ctz(state)];
    int want = state == CREATED ? ENOTCONN : EINVAL;

    checked++;
    if (refused && nbd_get_errno() == want && is_error_of(function))
        return;
    fail("%s is refused while the handle is %s", function, where);
    diag("  refused %d, errno %d, error: %s", refused, nbd_get_errno(),
         nbd_get_error() ? nbd_get_error() : "none");
}

#define NUMBER(function, states, arguments)                      \
    do {                                                         \
        if (!((states)&state))                                   \
            check(#function, (function arguments) == -1, state); \
    } while (0)
#define TEXT(function, states, arguments)                          \
    do {                                                           \
        if (!((states)&state))                                     \
            check(#function, (function arguments) == NULL, state); \
    } while (0)

/* One line for each function; that is long, and a table. */
static void
check_all(struct nbd_handle *h, enum state state)
{
    NUMBER(nbd_set_export_name, CREATED | NEGOTIATING, (h, "x"));
    NUMBER(nbd_set_tls, CREATED, (h, 0));
    NUMBER(nbd_set_tls_certificates, CREATED, (h, "x"));
    NUMBER(nbd_set_tls_verify_peer, CREATED, (h, true));
    NUMBER(nbd_set_tls_username, CREATED, (h, "x"));
    NUMBER(nbd_set_tls_psk_file, CREATED, (h, "x"));
    NUMBER(nbd_add_meta_context, CREATED | NEGOTIATING, (h, "x"));
    NUMBER(nbd_connect_uri, CREATED, (h, "nbd+unix:///?socket=/nonexistent"));
    NUMBER(nbd_connect_unix, CREATED, (h, "/nonexistent"));
    NUMBER(nbd_connect_tcp, CREATED, (h, "localhost", "1"));
    NUMBER(nbd_connect_command, CREATED, (h, some_argv));
    NUMBER(nbd_is_read_only, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_can_flush, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_can_fua, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_is_rotational, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_can_trim, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_can_zero, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_can_df, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_can_multi_conn, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_can_cache, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_can_meta_context, NEGOTIATING | CONNECTED | CLOSED, (h, "x"));
    NUMBER(nbd_get_size, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_pread, CONNECTED, (h, buf, sizeof buf, 0, 0));
    NUMBER(nbd_pread_structured, CONNECTED, (h, buf, sizeof buf, 0, NO_CHUNK, 0));
    NUMBER(nbd_pwrite, CONNECTED, (h, buf, sizeof buf, 0, 0));
    NUMBER(nbd_shutdown, NEGOTIATING | CONNECTED, (h, 0));
    NUMBER(nbd_flush, CONNECTED, (h, 0));
    NUMBER(nbd_trim, CONNECTED, (h, sizeof buf, 0, 0));
    NUMBER(nbd_cache, CONNECTED, (h, sizeof buf, 0, 0));
    NUMBER(nbd_zero, CONNECTED, (h, sizeof buf, 0, 0));
    NUMBER(nbd_block_status, CONNECTED, (h, sizeof buf, 0, NO_EXTENT, 0));
    NUMBER(nbd_aio_connect, CREATED, (h, some_addr, sizeof(struct sockaddr)));
    NUMBER(nbd_aio_connect_uri, CREATED, (h, "nbd+unix:///?socket=/nonexistent"));
    NUMBER(nbd_aio_connect_unix, CREATED, (h, "/nonexistent"));
    NUMBER(nbd_aio_connect_tcp, CREATED, (h, "localhost", "1"));
    NUMBER(nbd_aio_connect_command, CREATED, (h, some_argv));
    NUMBER(nbd_aio_pread, CONNECTED, (h, buf, sizeof buf, 0, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_pread_structured, CONNECTED,
           (h, buf, sizeof buf, 0, NO_CHUNK, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_pwrite, CONNECTED, (h, buf, sizeof buf, 0, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_disconnect, CONNECTED, (h, 0));
    NUMBER(nbd_aio_flush, CONNECTED, (h, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_trim, CONNECTED, (h, sizeof buf, 0, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_cache, CONNECTED, (h, sizeof buf, 0, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_zero, CONNECTED, (h, sizeof buf, 0, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_block_status, CONNECTED,
           (h, sizeof buf, 0, NO_EXTENT, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_in_flight, CONNECTED | CLOSED | DEAD, (h));
    NUMBER(nbd_get_tls_negotiated, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_set_request_structured_replies, CREATED, (h, true));
    NUMBER(nbd_get_structured_replies_negotiated, NEGOTIATING | CONNECTED | CLOSED,
           (h));
    NUMBER(nbd_set_handshake_flags, CREATED, (h, 0));
    NUMBER(nbd_set_uri_allow_transports, CREATED, (h, 0));
    NUMBER(nbd_set_uri_allow_tls, CREATED, (h, 0));
    NUMBER(nbd_set_uri_allow_local_file, CREATED, (h, true));
    NUMBER(nbd_connect_vsock, CREATED, (h, 0, 0));
    NUMBER(nbd_connect_socket, CREATED, (h, -1));
    NUMBER(nbd_connect_systemd_socket_activation, CREATED, (h, some_argv));
    NUMBER(nbd_can_fast_zero, NEGOTIATING | CONNECTED | CLOSED, (h));
    TEXT(nbd_get_protocol, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_aio_connect_vsock, CREATED, (h, 0, 0));
    NUMBER(nbd_aio_connect_socket, CREATED, (h, -1));
    NUMBER(nbd_aio_connect_systemd_socket_activation, CREATED, (h, some_argv));
    NUMBER(nbd_set_full_info, CREATED | NEGOTIATING, (h, true));
    TEXT(nbd_get_canonical_export_name, NEGOTIATING | CONNECTED | CLOSED, (h));
    TEXT(nbd_get_export_description, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_set_opt_mode, CREATED, (h, true));
    NUMBER(nbd_opt_go, NEGOTIATING, (h));
    NUMBER(nbd_opt_abort, NEGOTIATING, (h));
    NUMBER(nbd_opt_list, NEGOTIATING, (h, NO_LIST));
    NUMBER(nbd_opt_info, NEGOTIATING, (h));
    NUMBER(nbd_get_block_size, NEGOTIATING | CONNECTED | CLOSED, (h, 0));
    NUMBER(nbd_aio_opt_go, NEGOTIATING, (h, NBD_NULL_COMPLETION));
    NUMBER(nbd_aio_opt_abort, NEGOTIATING, (h));
    NUMBER(nbd_aio_opt_list, NEGOTIATING, (h, NO_LIST, NBD_NULL_COMPLETION));
    NUMBER(nbd_aio_opt_info, NEGOTIATING, (h, NBD_NULL_COMPLETION));
    NUMBER(nbd_opt_list_meta_context, NEGOTIATING, (h, NO_CONTEXT));
    NUMBER(nbd_clear_meta_contexts, CREATED | NEGOTIATING, (h));
    NUMBER(nbd_aio_opt_list_meta_context, NEGOTIATING,
           (h, NO_CONTEXT, NBD_NULL_COMPLETION));
    TEXT(nbd_get_uri, CONNECTING | NEGOTIATING | CONNECTED | CLOSED | DEAD, (h));
    NUMBER(nbd_set_request_block_size, CREATED | NEGOTIATING, (h, true));
    NUMBER(nbd_set_request_meta_context, CREATED | NEGOTIATING, (h, true));
    NUMBER(nbd_opt_starttls, NEGOTIATING, (h));
    NUMBER(nbd_opt_structured_reply, NEGOTIATING, (h));
    NUMBER(nbd_opt_list_meta_context_queries, NEGOTIATING, (h, no_strings, NO_CONTEXT));
    NUMBER(nbd_opt_set_meta_context, NEGOTIATING, (h, NO_CONTEXT));
    NUMBER(nbd_opt_set_meta_context_queries, NEGOTIATING, (h, no_strings, NO_CONTEXT));
    NUMBER(nbd_set_socket_activation_name, CREATED, (h, "x"));
    NUMBER(nbd_aio_opt_starttls, NEGOTIATING, (h, NBD_NULL_COMPLETION));
    NUMBER(nbd_aio_opt_structured_reply, NEGOTIATING, (h, NBD_NULL_COMPLETION));
    NUMBER(nbd_aio_opt_list_meta_context_queries, NEGOTIATING,
           (h, no_strings, NO_CONTEXT, NBD_NULL_COMPLETION));
    NUMBER(nbd_aio_opt_set_meta_context, NEGOTIATING,
           (h, NO_CONTEXT, NBD_NULL_COMPLETION));
    NUMBER(nbd_aio_opt_set_meta_context_queries, NEGOTIATING,
           (h, no_strings, NO_CONTEXT, NBD_NULL_COMPLETION));
    NUMBER(nbd_set_request_extended_headers, CREATED, (h, true));
    NUMBER(nbd_get_extended_headers_negotiated, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_opt_extended_headers, NEGOTIATING, (h));
    NUMBER(nbd_can_block_status_payload, NEGOTIATING | CONNECTED | CLOSED, (h));
    NUMBER(nbd_block_status_64, CONNECTED, (h, sizeof buf, 0, NO_EXTENT64, 0));
    NUMBER(nbd_block_status_filter, CONNECTED,
           (h, sizeof buf, 0, no_strings, NO_EXTENT64, 0));
    NUMBER(nbd_aio_opt_extended_headers, NEGOTIATING, (h, NBD_NULL_COMPLETION));
    NUMBER(nbd_aio_block_status_64, CONNECTED,
           (h, sizeof buf, 0, NO_EXTENT64, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_aio_block_status_filter, CONNECTED,
           (h, sizeof buf, 0, no_strings, NO_EXTENT64, NBD_NULL_COMPLETION, 0));
    NUMBER(nbd_set_tls_hostname, CREATED, (h, "localhost"));
    NUMBER(nbd_set_tls_priority, CREATED, (h, "x"));
    NUMBER(nbd_set_uri_allow_tls_priority, CREATED, (h, true));
}

static struct nbd_handle *
connecting(int *other_end)
{
    struct nbd_handle *h = new_handle();
    int fds[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), "a pair of sockets");
    must(nbd_aio_connect_socket(h, fds[0]), "connecting to a silent server");
    *other_end = fds[1];
    return h;
}

static struct nbd_handle *
closed(void)
{
    struct nbd_handle *h = connected(MEMORY);

    must(nbd_shutdown(h, 0), "shutting down");
    return h;
}

static struct nbd_handle *
dead(void)
{
    struct nbd_handle *h = new_handle();

    nbd_connect_unix(h, "/nonexistent/socket");
    return h;
}

int
main(void)
{
    int other_end;
    const struct {
        enum state state;
        struct nbd_handle *h;
        int (*is)(struct nbd_handle *h);
    } handles[] = {
        {CREATED, new_handle(), nbd_aio_is_created},
        {CONNECTING, connecting(&other_end), nbd_aio_is_connecting},
        {NEGOTIATING, negotiating(MEMORY), nbd_aio_is_negotiating},
        {CONNECTED, connected(MEMORY), nbd_aio_is_ready},
        {CLOSED, closed(), nbd_aio_is_closed},
        {DEAD, dead(), nbd_aio_is_dead},
    };

    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        checked = 0;
        is_int(handles[i].is(handles[i].h), 1, "the handle is %s", state_names[i]);
        check_all(handles[i].h, handles[i].state);
        ok(checked > 20, "%d functions were called while it is %s", checked,
           state_names[i]);
        is_int(handles[i].is(handles[i].h), 1, "and it still is %s", state_names[i]);
    }
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++)
        nbd_close(handles[i].h);
    close(other_end);
    done_testing();
}
