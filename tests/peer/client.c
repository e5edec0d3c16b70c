/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client.c - a client that does named operations: connecting, its settings, its main
 * loop
 *
 * Sees nothing of the library but its public header.
 */

#include "client-core.h"

#include <err.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *
errno_text(int number)
{
    const char *name = strerrorname_np(number);
    return number == 0 || !name ? "ENONE" : name;
}

void
print_error(struct client *c, const char *name)
{
    const char *text = nbd_get_error();
    int number = nbd_get_errno();
    bool bad = !text || strncmp(text, "nbd_", 4) != 0;
    fprintf(c->out, "%s: error %s%s ", name, errno_text(number), bad ? " BADTEXT" : "");
    for (const char *s = text ? text : "(null)"; *s; s++)
        fputc(*s == '\n' ? ' ' : *s, c->out);
    fputc('\n', c->out);
}

void
print_result(struct client *c, const char *name, int64_t r)
{
    if (r == -1)
        print_error(c, name);
    else
        fprintf(c->out, "%s: ok\n", name);
}

char *
text_arg(struct client *c, char *const *words, size_t nr, size_t i)
{
    struct bytes b = {0};
    if (i < nr && strncmp(words[i], "fill:", 5) == 0)
        add_atom(&b, &c->vars, words[i]);
    else if (i < nr)
        add_text(&b, &c->vars, words[i]);
    bytes_zero(&b, 1);
    return (char *)b.v;
}

uint64_t
number_arg(struct client *c, char *const *words, size_t nr, size_t i)
{
    return i < nr ? evaluate(&c->vars, words[i]) : 0;
}

static void
hang(struct client *c)
{
    fprintf(c->out, "HANG in state %s\n", nbd_connection_state(c->nbd));
    fflush(c->out);
    fprintf(stderr, "# client: no progress in state %s\n",
            nbd_connection_state(c->nbd));
    _exit(3);
}

static int
own_step(struct client *c)
{
    unsigned direction = nbd_aio_get_direction(c->nbd);
    struct pollfd pfd = {.fd = nbd_aio_get_fd(c->nbd)};
    if (pfd.fd < 0)
        return -1;
    if (direction & LIBNBD_AIO_DIRECTION_READ)
        pfd.events |= POLLIN;
    if (direction & LIBNBD_AIO_DIRECTION_WRITE)
        pfd.events |= POLLOUT;
    int r = poll(&pfd, 1, DEADLINE_MS);
    if (r == 0)
        hang(c);
    if (r < 0)
        return errno == EINTR ? 0 : -1;
    if (pfd.revents & (POLLIN | POLLHUP) && direction & LIBNBD_AIO_DIRECTION_READ)
        return nbd_aio_notify_read(c->nbd);
    if (pfd.revents & POLLOUT && direction & LIBNBD_AIO_DIRECTION_WRITE)
        return nbd_aio_notify_write(c->nbd);
    /* Only an error condition on the socket: the handle has to find it itself. */
    if (direction & LIBNBD_AIO_DIRECTION_READ)
        return nbd_aio_notify_read(c->nbd);
    return nbd_aio_notify_write(c->nbd);
}

int
step(struct client *c)
{
    if (c->async)
        return own_step(c);
    int r = nbd_poll(c->nbd, DEADLINE_MS);
    if (r == 0)
        hang(c);
    return r;
}

/* ---- connecting ---- */

static void
wait_connected(struct client *c, const char *name, int r)
{
    while (r != -1 && nbd_aio_is_connecting(c->nbd))
        r = step(c);
    if (r == -1)
        print_error(c, name);
    else if (nbd_aio_is_ready(c->nbd) || nbd_aio_is_negotiating(c->nbd))
        fprintf(c->out, "%s: ok\n", name);
    else
        /* the server has ended it right after the handshake: nothing failed here */
        fprintf(c->out, "%s: over\n", name);
}

static void
connect_words(struct client *c, char *const *words, size_t nr)
{
    const char *name = words[0];
    char *arg = text_arg(c, words, nr, 1);
    int r;
    if (strcmp(name, "connect") == 0) {
        int fd = c->env && c->env->open ? c->env->open(c->env->opaque) : -1;
        if (fd < 0)
            errx(2, "connect: the script has no more connections");
        r = c->async ? nbd_aio_connect_socket(c->nbd, fd)
                     : nbd_connect_socket(c->nbd, fd);
    } else if (strcmp(name, "connect-unix") == 0) {
        r = c->async ? nbd_aio_connect_unix(c->nbd, arg)
                     : nbd_connect_unix(c->nbd, arg);
    } else if (strcmp(name, "connect-uri") == 0) {
        r = c->async ? nbd_aio_connect_uri(c->nbd, arg) : nbd_connect_uri(c->nbd, arg);
    } else {
        /* the words of a struct line are not followed by NULL */
        char **argv = calloc(nr, sizeof *argv);
        if (!argv)
            err(2, "calloc");
        memcpy(argv, words + 1, (nr - 1) * sizeof *argv);
        bool activation = strcmp(name, "connect-activation") == 0;
        if (activation)
            r = c->async ? nbd_aio_connect_systemd_socket_activation(c->nbd, argv)
                         : nbd_connect_systemd_socket_activation(c->nbd, argv);
        else
            r = c->async ? nbd_aio_connect_command(c->nbd, argv)
                         : nbd_connect_command(c->nbd, argv);
        free(argv);
    }
    wait_connected(c, name, r);
    free(arg);
}

static void
new_handle(struct client *c)
{
    nbd_close(c->nbd);
    c->nbd = nbd_create();
    if (!c->nbd)
        errx(2, "nbd_create: %s", nbd_get_error());
    nbd_set_debug(c->nbd, false);
}

static void
shut_down(struct client *c, const char *name)
{
    int r;
    if (!c->async) {
        r = nbd_shutdown(c->nbd, 0);
    } else {
        r = nbd_aio_disconnect(c->nbd, 0);
        while (r != -1 && !nbd_aio_is_closed(c->nbd) && !nbd_aio_is_dead(c->nbd))
            r = step(c);
    }
    print_result(c, name, r);
}

static bool
client_life(struct client *c, char *const *words, size_t nr)
{
    const char *name = words[0];
    if (strncmp(name, "connect", 7) == 0)
        connect_words(c, words, nr);
    else if (strcmp(name, "new") == 0)
        new_handle(c);
    else if (strcmp(name, "join") == 0)
        c->env->join(c->env->opaque);
    else if (strcmp(name, "shutdown") == 0)
        shut_down(c, name);
    else if (strcmp(name, "begin") == 0)
        c->grouped = true;
    else if (strcmp(name, "finish") == 0)
        finish_group(c);
    else
        return false;
    return true;
}

/* ---- settings ---- */

static const struct {
    const char *name;
    int (*function)(struct nbd_handle *, bool);
} switches[] = {
    {"sr", nbd_set_request_structured_replies},
    {"opt-mode", nbd_set_opt_mode},
    {"full-info", nbd_set_full_info},
    {"request-block-size", nbd_set_request_block_size},
    {"pread-init", nbd_set_pread_initialize},
    {"tls-verify", nbd_set_tls_verify_peer},
#ifdef LIBNBD_HAVE_NBD_SET_REQUEST_META_CONTEXT
    {"request-meta", nbd_set_request_meta_context},
#endif
#ifdef LIBNBD_HAVE_NBD_SET_REQUEST_EXTENDED_HEADERS
    {"eh", nbd_set_request_extended_headers},
#endif
};

static int
set_number(struct client *c, char *const *words, size_t nr)
{
    for (size_t i = 0; i < sizeof switches / sizeof switches[0]; i++)
        if (strcmp(switches[i].name, words[0]) == 0)
            return switches[i].function(c->nbd, number_arg(c, words, nr, 1) != 0);
    if (strcmp(words[0], "handshake-flags") == 0)
        return nbd_set_handshake_flags(c->nbd, (uint32_t)number_arg(c, words, nr, 1));
    if (strcmp(words[0], "strict") == 0)
        return nbd_set_strict_mode(c->nbd, (uint32_t)number_arg(c, words, nr, 1));
    return -2;
}

static int
set_text(struct client *c, const char *name, const char *arg)
{
    if (strcmp(name, "export") == 0)
        return nbd_set_export_name(c->nbd, arg);
    if (strcmp(name, "context") == 0)
        return nbd_add_meta_context(c->nbd, arg);
    if (strcmp(name, "tls") == 0)
        return nbd_set_tls(c->nbd, strcmp(arg, "require") == 0 ? LIBNBD_TLS_REQUIRE
                                   : strcmp(arg, "allow") == 0 ? LIBNBD_TLS_ALLOW
                                                               : LIBNBD_TLS_DISABLE);
    if (strcmp(name, "tls-certificates") == 0)
        return nbd_set_tls_certificates(c->nbd, arg);
    if (strcmp(name, "tls-psk") == 0)
        return nbd_set_tls_psk_file(c->nbd, arg);
    if (strcmp(name, "tls-username") == 0)
        return nbd_set_tls_username(c->nbd, arg);
#ifdef LIBNBD_HAVE_NBD_SET_TLS_HOSTNAME
    if (strcmp(name, "tls-hostname") == 0)
        return nbd_set_tls_hostname(c->nbd, arg);
#endif
    return -2;
}

bool
client_setting(struct client *c, char *const *words, size_t nr)
{
    char *arg = text_arg(c, words, nr, 1);
    int r = set_text(c, words[0], arg);
    free(arg);
    if (r == -2)
        r = set_number(c, words, nr);
    if (r == -1)
        print_error(c, words[0]);
    return r != -2;
}

void
client_run(const struct lines *operations, bool async, const struct client_env *env,
           FILE *out)
{
    struct client c = {.async = async, .out = out, .env = env};
    c.vars.path = "client";
    new_handle(&c);
    for (size_t i = 0; i < operations->nr; i++) {
        const struct line *l = &operations->v[i];
        c.vars.line = l->number;
        if (!client_life(&c, l->words, l->nr_words) &&
            !client_query(&c, l->words, l->nr_words) &&
            !client_option(&c, l->words, l->nr_words) &&
            !client_setting(&c, l->words, l->nr_words) &&
            !client_command(&c, l->words, l->nr_words))
            fprintf(out, "%s: unsupported\n", l->words[0]);
    }
    nbd_close(c.nbd);
}
