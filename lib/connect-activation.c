/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-activation.c - a server run with a listening socket, passed as systemd does
 *
 * See sd_listen_fds(3): the socket is descriptor 3; LISTEN_PID, LISTEN_FDS and
 * LISTEN_FDNAMES say so.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base-array.h"
#include "base-cleanup.h"
#include "base-text.h"
#include "connect-spawn.h"

#define LISTEN_FDS_START 3

struct environment {
    ARRAY_OF(char *) list;
};

/* What the child sees instead of whatever this process was started with. */
static bool
is_listen_variable(const char *variable)
{
    return strncmp(variable, "LISTEN_PID=", 11) == 0 ||
           strncmp(variable, "LISTEN_FDS=", 11) == 0 ||
           strncmp(variable, "LISTEN_FDNAMES=", 15) == 0 ||
           strncmp(variable, "LISTEN_PIDFDID=", 15) == 0;
}

/* Takes s.  NULL (no memory) is passed on. */
static char *
add_variable(struct environment *environment, char *s)
{
    if (!s || array_reserve(&environment->list, 2) == -1) {
        free(s);
        return NULL;
    }
    environment->list.items[environment->list.len++] = s;
    environment->list.items[environment->list.len] = NULL;
    return s;
}

static char *
add_assignment(struct environment *environment, const char *name, const char *value)
{
    struct text t = {0};

    text_printf(&t, "%s=%s", name, value);
    return add_variable(environment, text_steal(&t));
}

static void
cleanup_environment(struct environment *environment)
{
    for (size_t i = 0; i < environment->list.len; i++)
        free(environment->list.items[i]);
    array_clear(&environment->list);
}

/* Fills in the child's environment and where in it the process number belongs. */
static int
make_environment(struct environment *environment, const char *name, char **pid_slot)
{
    for (char **v = environ; v && *v; v++)
        if (!is_listen_variable(*v) && !add_variable(environment, strdup(*v)))
            return -1;

    char *listen_pid =
        add_assignment(environment, "LISTEN_PID", "00000000000000000000");
    if (!listen_pid || !add_assignment(environment, "LISTEN_FDS", "1") ||
        !add_assignment(environment, "LISTEN_FDNAMES",
                        name && name[0] ? name : "unknown"))
        return -1;
    *pid_slot = strchr(listen_pid, '=') + 1;
    return 0;
}

/* A private directory (0700) whose name leaves room for "/sock" in a socket address. */
static char *
make_directory(void)
{
    static const char template[] = "/nbdclientXXXXXX";
    const char *base = getenv("TMPDIR");
    size_t longest =
        sizeof((struct sockaddr_un *)0)->sun_path - sizeof template - sizeof "/sock";

    if (!base || base[0] != '/' || strlen(base) > longest)
        base = "/tmp";
    struct text t = {0};
    text_append(&t, base);
    text_append(&t, template);
    char *path CLEANUP_FREE = text_steal(&t);
    if (!path || !mkdtemp(path))
        return NULL;
    return steal_pointer(&path);
}

/* A listening socket at path; -1 with errno. */
static int
make_listener(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    int fd CLEANUP_CLOSE = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd == -1)
        return -1;
    memcpy(addr.sun_path, path, strlen(path) + 1);
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) == -1 ||
        listen(fd, SOMAXCONN) == -1)
        return -1;
    return steal_fd(&fd);
}

/* The socket listens already, so this works before the server accepts. */
static int
connect_to(const char *path, struct error *e)
{
    struct connector *c = connector_new_unix(path, strlen(path), e);

    if (!c)
        return -1;
    int r = connector_step(c, e);
    int fd = r == 0 ? connector_take(c) : -1;
    if (r == 1)
        error_set(e, EIO, "connecting to %s: not done at once", path);
    connector_free(c);
    return fd;
}

/* The part that may fail with sub already owning something. */
static int
activate(char *const *argv, const char *name, struct subprocess *sub, struct error *e)
{
    struct environment environment CLEANUP(cleanup_environment) = {0};
    struct spawn spawn = {
        .argv = argv,
        .targets = {LISTEN_FDS_START},
        .n_targets = 1,
    };

    if (make_environment(&environment, name, &spawn.pid_slot) == -1)
        return error_set_errno(e, ENOMEM, "running %.300s", argv[0]);
    sub->directory = make_directory();
    if (!sub->directory)
        return error_set_errno(e, errno, "making a temporary directory");

    struct text t = {0};
    text_printf(&t, "%s/sock", sub->directory);
    char *path CLEANUP_FREE = text_steal(&t);
    if (!path)
        return error_set_errno(e, ENOMEM, "running %.300s", argv[0]);
    int listener CLEANUP_CLOSE = make_listener(path);
    if (listener == -1)
        return error_set_errno(e, errno, "making the socket %s", path);

    spawn.environment = environment.list.items;
    spawn.fd = listener;
    if (spawn_start(&spawn, sub, e) == -1)
        return -1;
    /* Closed here before connecting: if the server dies, its end must be the last. */
    close_quietly(steal_fd(&listener));
    int fd = connect_to(path, e);
    if (fd == -1 && e->number == ECONNREFUSED)
        return error_set(e, ECONNREFUSED, "running %.300s: it ended at once", argv[0]);
    return fd;
}

int
connect_activation(char *const *argv, const char *name, struct subprocess *sub,
                   struct error *e)
{
    if (!argv || !argv[0])
        return error_set(e, EINVAL, "the command is empty");
    int fd = activate(argv, name, sub, e);
    if (fd == -1)
        subprocess_end(sub);
    return fd;
}
