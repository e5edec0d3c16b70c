/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-connect.c - each way to connect, and what nbd_get_uri says of it */

#include <netinet/in.h>
#include <stddef.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "compat.h"

static char dir[] = "/tmp/test-connect.XXXXXX";
static char path[64];

/* nbdkit on a socket that listens already: there is nothing to wait for. */
static pid_t
serve(int listening)
{
    pid_t pid = fork();

    if (pid == 0) {
        char me[32];

        snprintf(me, sizeof me, "%ld", (long)getpid());
        setenv("LISTEN_PID", me, 1);
        setenv("LISTEN_FDS", "1", 1);
        if (listening != 3) {
            dup2(listening, 3);
            close(listening);
        }
        execlp("nbdkit", "nbdkit", "--exit-with-parent", "-f", "memory", "1M", NULL);
        _exit(127);
    }
    return pid;
}

static void
stop(pid_t pid)
{
    kill(pid, SIGTERM);
    waitpid(pid, NULL, 0);
}

static int
listen_on(const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM, 0);

    must(fd, "a socket");
    must(bind(fd, addr, len), "bind");
    must(listen(fd, 5), "listen");
    return fd;
}

/* It is ready; say goodbye. */
static void
works(struct nbd_handle *h, int result, const char *what)
{
    char sector[512];

    is_int(result, 0, "%s", what);
    if (result == -1)
        diag("  %s", nbd_get_error());
    POLL_UNTIL(h, nbd_aio_is_ready(h));
    is_int(nbd_pread(h, sector, sizeof sector, 0, 0), 0, "%s: a sector is read", what);
    is_int(nbd_shutdown(h, 0), 0, "%s: shut down", what);
    nbd_close(h);
}

static void
unix_sockets(void)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    char uri[128], *said;

    memcpy(addr.sun_path, path, strlen(path));
    int fd = listen_on((struct sockaddr *)&addr, sizeof addr);
    pid_t pid = serve(fd);
    close(fd);

    struct nbd_handle *h = new_handle();
    works(h, nbd_connect_unix(h, path), "nbd_connect_unix");
    h = new_handle();
    works(h, nbd_aio_connect_unix(h, path), "nbd_aio_connect_unix");
    h = new_handle();
    works(h, nbd_aio_connect(h, (struct sockaddr *)&addr, sizeof addr),
          "nbd_aio_connect");

    snprintf(uri, sizeof uri, "nbd+unix:///name?socket=%s", path);
    h = new_handle();
    is_int(nbd_connect_uri(h, uri), 0, "nbd_connect_uri");
    said = nbd_get_export_name(h);
    is_str(said, "name", "the URI sets the export's name");
    free(said);
    said = nbd_get_uri(h);
    is_str(said, uri, "nbd_get_uri says the same");
    free(said);
    nbd_close(h);
    h = new_handle();
    works(h, nbd_aio_connect_uri(h, uri), "nbd_aio_connect_uri");

    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(connect(fd, (struct sockaddr *)&addr, sizeof addr), "connect");
    h = new_handle();
    works(h, nbd_connect_socket(h, fd), "nbd_connect_socket");
    is_int(close(fd), -1, "the socket was the handle's, which closed it");
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(connect(fd, (struct sockaddr *)&addr, sizeof addr), "connect");
    h = new_handle();
    works(h, nbd_aio_connect_socket(h, fd), "nbd_aio_connect_socket");
    stop(pid);
    unlink(path);
}

/* The port that a server just had: connections of it may linger. */
static int
listen_again(struct sockaddr_in *addr)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;

    must(fd, "socket");
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    must(bind(fd, (struct sockaddr *)addr, sizeof *addr), "bind");
    must(listen(fd, 5), "listen");
    return fd;
}

static void
tcp(void)
{
    struct sockaddr_in addr = {.sin_family = AF_INET,
                               .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof addr;
    char port[16], uri[64], *said;
    int fd = listen_on((struct sockaddr *)&addr, sizeof addr);

    must(getsockname(fd, (struct sockaddr *)&addr, &len), "the port");
    snprintf(port, sizeof port, "%d", ntohs(addr.sin_port));
    pid_t pid = serve(fd);
    close(fd);

    struct nbd_handle *h = new_handle();
    works(h, nbd_connect_tcp(h, "127.0.0.1", port), "nbd_connect_tcp");
    h = new_handle();
    works(h, nbd_aio_connect_tcp(h, "localhost", port), "nbd_aio_connect_tcp");
    snprintf(uri, sizeof uri, "nbd://127.0.0.1:%s/", port);
    h = new_handle();
    is_int(nbd_connect_uri(h, uri), 0, "nbd_connect_uri with TCP");
    said = nbd_get_uri(h);
    is_str(said, uri, "nbd_get_uri says the same");
    free(said);
    nbd_close(h);
    stop(pid);

    h = new_handle();
    is_int(nbd_connect_tcp(h, "127.0.0.1", port), -1, "nobody is there any more");
    is_int(nbd_get_errno(), ECONNREFUSED, "which is ECONNREFUSED");
    ok(nbd_aio_is_created(h), "the handle is as it was before");
    is_int(nbd_connect_uri(h, uri), -1, "nor for a URI");
    said = nbd_get_tls_hostname(h);
    is_str(said, "", "no name is left that TLS would verify");
    free(said);
    must(nbd_connect_command(h, MEMORY), "a subprocess instead");
    said = nbd_get_uri(h);
    ok(said == NULL, "no URI is left of the server that was not there");
    free(said);
    nbd_close(h);

    h = new_handle();
    is_int(nbd_connect_tcp(h, "127.0.0.1", port), -1, "a handle is refused again");
    fd = listen_again(&addr);
    pid = serve(fd);
    close(fd);
    works(h, nbd_connect_tcp(h, "127.0.0.1", port),
          "a handle that was refused can try until the server is there");
    stop(pid);
}

static void
subprocesses(void)
{
    struct nbd_handle *h = new_handle();
    char *said;

    works(h, nbd_connect_command(h, MEMORY), "nbd_connect_command");
    h = new_handle();
    works(h, nbd_aio_connect_command(h, MEMORY), "nbd_aio_connect_command");
    h = connected(MEMORY);
    is_int(kill((pid_t)nbd_get_subprocess_pid(h), 0), 0, "the subprocess is there");
    said = nbd_get_uri(h);
    ok(said == NULL && nbd_get_errno() == EINVAL, "no URI leads to it");
    is_int(nbd_kill_subprocess(h, SIGTERM), 0, "it can be killed");
    nbd_close(h);

    char **argv = ARGV("nbdkit", "--exit-with-parent", "memory", "1M");
    h = new_handle();
    works(h, nbd_connect_systemd_socket_activation(h, argv), "socket activation");
    h = new_handle();
    must(nbd_set_socket_activation_name(h, "some"), "a name for the socket");
    works(h, nbd_aio_connect_systemd_socket_activation(h, argv),
          "socket activation, asynchronous");
    h = new_handle();
    must(nbd_connect_systemd_socket_activation(h, argv), "socket activation");
    pid_t pid = (pid_t)nbd_get_subprocess_pid(h);
    nbd_close(h);
    ok(kill(pid, 0) == -1 && errno == ESRCH, "closing the handle ends the subprocess");

    h = new_handle();
    is_int(nbd_connect_command(h, ARGV("/nonexistent/server")), -1,
           "a program that is not there is an error");
    ok(is_error_of("nbd_connect_command"), "of the function");
    nbd_close(h);
    h = new_handle();
    is_int(nbd_connect_command(h, ARGV("true")), -1, "one that ends at once, too");
    nbd_close(h);
    h = new_handle();
    is_int(nbd_connect_command(h, (char *[]){NULL}), -1, "and none at all");
    is_int(nbd_get_errno(), EINVAL, "which is EINVAL");
    nbd_close(h);
}

static void
uri_refused(const char *uri, const char *what)
{
    struct nbd_handle *h = new_handle();

    nbd_set_uri_allow_transports(h, LIBNBD_ALLOW_TRANSPORT_UNIX);
    nbd_set_uri_allow_tls(h, LIBNBD_TLS_DISABLE);
    is_int(nbd_connect_uri(h, uri), -1, "%s is refused", what);
    is_int(nbd_get_errno(), EPERM, "%s: EPERM", what);
    is_int(nbd_aio_is_created(h), 1, "%s: and the handle is as before", what);
    nbd_close(h);
}

static void
uris(void)
{
    struct nbd_handle *h = new_handle();

    is_int(nbd_connect_uri(h, "no uri"), -1, "what is no URI is refused");
    is_int(nbd_get_errno(), EINVAL, "with EINVAL");
    is_int(nbd_aio_is_created(h), 1, "and the handle is as before");
    is_int(nbd_is_uri(h, "nbd+unix:///?socket=x"), 1, "a URI is known as one");
    is_int(nbd_is_uri(h, "/some/file"), 0, "a file name is not");
    nbd_close(h);
    uri_refused("nbd://localhost", "a transport that is not allowed");
    uri_refused("nbds+unix:///?socket=/nonexistent", "TLS that is not allowed");
    uri_refused("nbd+unix:///?socket=/nonexistent&tls-psk-file=/nonexistent",
                "a local file that is not allowed");
    uri_refused("nbd+unix:///?socket=/nonexistent&tls-certificates=/nonexistent",
                "a local directory that is not allowed");

    h = new_handle();
    nbd_set_uri_allow_tls(h, LIBNBD_TLS_REQUIRE);
    is_int(nbd_connect_uri(h, "nbd+unix:///?socket=/nonexistent"), -1,
           "where TLS is required a URI without is refused");
    is_int(nbd_get_errno(), EPERM, "with EPERM");
    nbd_close(h);
}

int
main(void)
{
    if (!mkdtemp(dir))
        must(-1, "a directory");
    snprintf(path, sizeof path, "%s/socket", dir);
    unix_sockets();
    tcp();
    subprocesses();
    uris();
    rmdir(dir);
    done_testing();
}
