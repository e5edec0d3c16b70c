/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-settings.c - defaults, what is kept and what is refused, errors, debug messages
 */

#include "compat.h"

static struct nbd_handle *h;

#define BOTH_WAYS(name)                                             \
    do {                                                            \
        is_int(nbd_set_##name(h, false), 0, #name " can be unset"); \
        is_int(nbd_get_##name(h), 0, #name " is unset then");       \
        is_int(nbd_set_##name(h, true), 0, #name " can be set");    \
        is_int(nbd_get_##name(h), 1, #name " is set then");         \
    } while (0)

static void
is_text(char *got, const char *want, const char *name)
{
    is_str(got, want, "%s", name);
    free(got);
}

static void
defaults(void)
{
    is_int(nbd_get_tls(h), LIBNBD_TLS_DISABLE, "no TLS");
    is_int(nbd_get_full_info(h), 0, "no full info");
    is_int(nbd_get_opt_mode(h), 0, "no option mode");
    is_int(nbd_get_request_structured_replies(h), 1, "structured replies");
    is_int(nbd_get_request_extended_headers(h), 1, "extended headers");
    is_int(nbd_get_request_meta_context(h), 1, "meta contexts");
    is_int(nbd_get_request_block_size(h), 1, "block sizes");
    is_int(nbd_get_pread_initialize(h), 1, "buffers are initialised");
    is_int(nbd_get_handshake_flags(h), LIBNBD_HANDSHAKE_FLAG_MASK, "handshake flags");
    is_int(nbd_get_nr_meta_contexts(h), 0, "no meta contexts");
    is_text(nbd_get_export_name(h), "", "the default export");
    is_text(nbd_get_tls_hostname(h), "", "no TLS hostname");
    is_text(nbd_get_socket_activation_name(h), "", "no activation name");
    is_str(nbd_get_package_name(h), "libnbd", "the package's name");
    ok(nbd_get_version(h) && strchr(nbd_get_version(h), '.'), "a version");
    is_str(nbd_get_version_extra(h), "", "nothing more to the version");
    ok(nbd_get_handle_size(h) > 0, "a handle has a size");
    is_int(nbd_get_private_data(h), 0, "no private data");
    is_int(nbd_stats_bytes_sent(h), 0, "nothing was sent");
}

static void
kept(void)
{
    BOTH_WAYS(full_info);
    BOTH_WAYS(opt_mode);
    BOTH_WAYS(request_structured_replies);
    BOTH_WAYS(request_extended_headers);
    BOTH_WAYS(request_meta_context);
    BOTH_WAYS(request_block_size);
    BOTH_WAYS(pread_initialize);
    BOTH_WAYS(tls_verify_peer);
    is_int(nbd_set_private_data(h, 42), 0, "private data: the one before");
    is_int(nbd_set_private_data(h, 43), 42, "and the one after");
    is_int(nbd_get_private_data(h), 43, "and the last");
    nbd_set_handle_name(h, "some name");
    is_text(nbd_get_handle_name(h), "some name", "the handle's name");
    nbd_set_export_name(h, "an export");
    is_text(nbd_get_export_name(h), "an export", "the export's name");
    nbd_set_tls_username(h, "alice");
    is_text(nbd_get_tls_username(h), "alice", "the TLS user");
    nbd_set_tls_hostname(h, "host");
    is_text(nbd_get_tls_hostname(h), "host", "the TLS hostname");
    nbd_set_tls_priority(h, "NORMAL:%COMPAT");
    is_text(nbd_get_tls_priority(h), "NORMAL:%COMPAT", "the TLS priority");
    nbd_set_socket_activation_name(h, "name");
    is_text(nbd_get_socket_activation_name(h), "name", "the activation name");
    nbd_add_meta_context(h, "a:b");
    nbd_add_meta_context(h, "c:d");
    is_int(nbd_get_nr_meta_contexts(h), 2, "two contexts were added");
    is_text(nbd_get_meta_context(h, 1), "c:d", "the second of them");
    is_text(nbd_get_meta_context(h, 2), NULL, "there is no third");
    nbd_clear_meta_contexts(h);
    is_int(nbd_get_nr_meta_contexts(h), 0, "none is left");
}

static void
refused(int result, int want, const char *function)
{
    ok(result == -1 && nbd_get_errno() == want && is_error_of(function),
       "%s: refused with %s: %s", function, strerror(want), nbd_get_error());
}

static void
wrong_values(void)
{
    char *name = malloc(5000);

    memset(name, 'x', 4999);
    name[4999] = '\0';
    refused(nbd_set_export_name(h, name), ENAMETOOLONG, "nbd_set_export_name");
    refused(nbd_add_meta_context(h, name), ENAMETOOLONG, "nbd_add_meta_context");
    refused(nbd_set_socket_activation_name(h, name), ENAMETOOLONG,
            "nbd_set_socket_activation_name");
    name[4096] = '\0';
    is_int(nbd_set_export_name(h, name), 0, "a name of 4096 bytes is allowed");
    refused(nbd_set_socket_activation_name(h, "a:b"), EINVAL,
            "nbd_set_socket_activation_name");
    refused(nbd_set_tls(h, 3), EINVAL, "nbd_set_tls");
    refused(nbd_set_uri_allow_tls(h, -1), EINVAL, "nbd_set_uri_allow_tls");
    refused(nbd_set_uri_allow_transports(h, 0x10), EINVAL,
            "nbd_set_uri_allow_transports");
    refused(nbd_set_handshake_flags(h, 4), EINVAL, "nbd_set_handshake_flags");
    refused(nbd_kill_subprocess(h, 0), ESRCH, "nbd_kill_subprocess");
    refused((int)nbd_get_subprocess_pid(h), ESRCH, "nbd_get_subprocess_pid");
    refused(nbd_aio_command_completed(h, 0), EINVAL, "nbd_aio_command_completed");
    refused((int)nbd_aio_peek_command_completed(h), EINVAL,
            "nbd_aio_peek_command_completed");
    refused(nbd_aio_get_fd(h), EINVAL, "nbd_aio_get_fd");
    refused(nbd_poll(h, 0), EINVAL, "nbd_poll");
    is_int(nbd_set_strict_mode(h, 0), 0, "no strictness at all is allowed");
    free(name);
}

static void
missing(int result, const char *function, const char *argument)
{
    ok(result == -1 && nbd_get_errno() == EFAULT && is_error_of(function) &&
           strstr(nbd_get_error(), argument),
       "%s: %s is NULL: %s", function, argument, nbd_get_error());
}

static void
null_arguments(void)
{
    missing(nbd_set_export_name(h, NULL), "nbd_set_export_name", "export_name");
    missing(nbd_add_meta_context(h, NULL), "nbd_add_meta_context", "name");
    missing(nbd_set_handle_name(h, NULL), "nbd_set_handle_name", "handle_name");
    missing(nbd_set_tls_certificates(h, NULL), "nbd_set_tls_certificates", "dir");
    missing(nbd_set_tls_psk_file(h, NULL), "nbd_set_tls_psk_file", "filename");
    missing(nbd_connect_uri(h, NULL), "nbd_connect_uri", "uri");
    missing(nbd_connect_unix(h, NULL), "nbd_connect_unix", "unixsocket");
    missing(nbd_connect_tcp(h, NULL, "1"), "nbd_connect_tcp", "hostname");
    missing(nbd_connect_tcp(h, "localhost", NULL), "nbd_connect_tcp", "port");
    missing(nbd_connect_command(h, NULL), "nbd_connect_command", "argv");
    missing(nbd_aio_connect(h, NULL, 0), "nbd_aio_connect", "addr");
    missing(nbd_set_debug_callback(h, (nbd_debug_callback){.callback = NULL}),
            "nbd_set_debug_callback", "debug");
    missing(nbd_is_uri(h, NULL), "nbd_is_uri", "uri");
    missing(nbd_set_tls_username(h, NULL), "nbd_set_tls_username", "username");
    missing(nbd_set_tls_hostname(h, NULL), "nbd_set_tls_hostname", "hostname");
    missing(nbd_set_tls_priority(h, NULL), "nbd_set_tls_priority", "priority");
    missing(nbd_set_socket_activation_name(h, NULL), "nbd_set_socket_activation_name",
            "socket_name");
    missing(nbd_connect_systemd_socket_activation(h, NULL),
            "nbd_connect_systemd_socket_activation", "argv");
    missing(nbd_aio_connect_systemd_socket_activation(h, NULL),
            "nbd_aio_connect_systemd_socket_activation", "argv");
    missing(nbd_aio_connect_uri(h, NULL), "nbd_aio_connect_uri", "uri");
    missing(nbd_aio_connect_unix(h, NULL), "nbd_aio_connect_unix", "unixsocket");
    missing(nbd_aio_connect_tcp(h, NULL, "1"), "nbd_aio_connect_tcp", "hostname");
    missing(nbd_aio_connect_tcp(h, "localhost", NULL), "nbd_aio_connect_tcp", "port");
    missing(nbd_aio_connect_command(h, NULL), "nbd_aio_connect_command", "argv");
}

static int
on_context(void *user, const char *name)
{
    (void)user, (void)name;
    return 0;
}

static int
on_chunk(void *user, const void *bytes, size_t count, uint64_t offset, unsigned status,
         int *error)
{
    (void)user, (void)bytes, (void)count, (void)offset, (void)status, (void)error;
    return 0;
}

static int
on_extent(void *user, const char *context, uint64_t offset, nbd_extent *extents,
          size_t n, int *error)
{
    (void)user, (void)context, (void)offset, (void)extents, (void)n, (void)error;
    return 0;
}

/* The same for those that need a connection. */
static void
null_arguments_connected(void)
{
    const nbd_completion_callback none = NBD_NULL_COMPLETION;
    const nbd_context_callback context = {.callback = on_context};
    const nbd_chunk_callback chunk = {.callback = on_chunk};
    const nbd_extent64_callback extent = {.callback = on_extent};
    struct nbd_handle *c = negotiating(MEMORY);

    missing(nbd_opt_list_meta_context_queries(c, NULL, context),
            "nbd_opt_list_meta_context_queries", "queries");
    missing(nbd_aio_opt_list_meta_context_queries(c, NULL, context, none),
            "nbd_aio_opt_list_meta_context_queries", "queries");
    missing(nbd_opt_set_meta_context_queries(c, NULL, context),
            "nbd_opt_set_meta_context_queries", "queries");
    missing(nbd_aio_opt_set_meta_context_queries(c, NULL, context, none),
            "nbd_aio_opt_set_meta_context_queries", "queries");
    must(nbd_opt_go(c), "GO");
    missing(nbd_can_meta_context(c, NULL), "nbd_can_meta_context", "metacontext");
    missing(nbd_pread(c, NULL, 1, 0, 0), "nbd_pread", "buf");
    missing(nbd_pwrite(c, NULL, 1, 0, 0), "nbd_pwrite", "buf");
    missing(nbd_pread_structured(c, NULL, 1, 0, chunk, 0), "nbd_pread_structured",
            "buf");
    missing((int)nbd_aio_pread(c, NULL, 1, 0, none, 0), "nbd_aio_pread", "buf");
    missing((int)nbd_aio_pwrite(c, NULL, 1, 0, none, 0), "nbd_aio_pwrite", "buf");
    missing((int)nbd_aio_pread_structured(c, NULL, 1, 0, chunk, none, 0),
            "nbd_aio_pread_structured", "buf");
    missing(nbd_block_status_filter(c, 1, 0, NULL, extent, 0),
            "nbd_block_status_filter", "contexts");
    missing((int)nbd_aio_block_status_filter(c, 1, 0, NULL, extent, none, 0),
            "nbd_aio_block_status_filter", "contexts");
    nbd_close(c);
}

static char messages[8192];

static int
on_debug(void *user, const char *context, const char *message)
{
    size_t len = strlen(messages);

    (void)user;
    snprintf(messages + len, sizeof messages - len, "%s: %s\n", context, message);
    return 0;
}

static void
debug_messages(void)
{
    char buf[512];

    is_int(nbd_get_debug(h), 0, "no debugging unless it is asked for");
    nbd_set_debug_callback(h, (nbd_debug_callback){on_debug, NULL, NULL});
    nbd_set_debug(h, true);
    is_int(nbd_get_debug(h), 1, "debugging is on");
    nbd_set_export_name(h, "seen");
    ok(strstr(messages, "nbd_set_export_name: enter: export_name=seen"),
       "a call's arguments are told");
    messages[0] = '\0';
    nbd_pread(h, buf, 512, 0, 0);
    ok(strstr(messages, "nbd_pread: leave: error: nbd_pread: "), "so is its error");
    messages[0] = '\0';
    nbd_set_opt_mode(h, false);
    must(nbd_connect_command(h, MEMORY), "connecting");
    ok(strstr(messages, "step: ") != NULL, "so are the steps of the handshake");
    ok(strstr(messages, "nbd_connect_command: leave: 0"), "and how it ended");
    ok(nbd_stats_bytes_sent(h) > 0 && nbd_stats_chunks_sent(h) > 0 &&
           nbd_stats_bytes_received(h) > 0 && nbd_stats_chunks_received(h) > 0,
       "what was sent and received is counted");
}

int
main(void)
{
    struct nbd_handle *other = NULL;

    unsetenv("LIBNBD_DEBUG");
    ok(nbd_get_error() == NULL && nbd_get_errno() == 0, "no error before any call");
    h = new_handle();
    is_text(nbd_get_handle_name(h), "nbd1", "the first handle's name");
    other = new_handle();
    is_text(nbd_get_handle_name(other), "nbd2", "and the second's");
    nbd_close(other);
    defaults();
    kept();
    wrong_values();
    null_arguments();
    null_arguments_connected();
    debug_messages();
    nbd_close(h);
    nbd_close(NULL);
    setenv("LIBNBD_DEBUG", "1", 1);
    h = new_handle();
    nbd_set_debug_callback(h, (nbd_debug_callback){on_debug, NULL, NULL});
    is_int(nbd_get_debug(h), 1, "LIBNBD_DEBUG=1 turns debugging on");
    nbd_close(h);
    done_testing();
}
