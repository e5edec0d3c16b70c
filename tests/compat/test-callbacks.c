/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-callbacks.c - callbacks: their order, and that each is freed exactly once,
 * however the command ends
 *
 * In the diary: m mid-command callback, c completion, M and C their free functions. */

#include <sys/socket.h>
#include <sys/wait.h>

#include "compat.h"

static struct diary diary;
static int completion_result, mid_result, mid_error;
static char buf[512];

static int
on_chunk(void *user, const void *subbuf, size_t count, uint64_t offset, unsigned status,
         int *error)
{
    (void)subbuf, (void)count, (void)offset, (void)status;
    if (diary.text[diary.len ? diary.len - 1 : 0] != 'm')
        note(user, 'm');
    if (mid_error)
        *error = mid_error;
    return mid_result;
}

static int
on_extent(void *user, const char *context, uint64_t offset, uint32_t *entries, size_t n,
          int *error)
{
    (void)context, (void)offset, (void)entries, (void)n, (void)error;
    note(user, 'm');
    return mid_result;
}

static int
on_completion(void *user, int *error)
{
    note(user, 'c');
    diary.error = *error;
    return completion_result;
}

static void
free_mid(void *user)
{
    note(user, 'M');
}

static void
free_completion(void *user)
{
    note(user, 'C');
}

#define CHUNK      ((nbd_chunk_callback){on_chunk, &diary, free_mid})
#define EXTENT     ((nbd_extent_callback){on_extent, &diary, free_mid})
#define COMPLETION ((nbd_completion_callback){on_completion, &diary, free_completion})

static void
start(int result)
{
    memset(&diary, 0, sizeof diary);
    completion_result = result;
    mid_result = mid_error = 0;
}

static int64_t
read_with_both(struct nbd_handle *h, uint64_t offset)
{
    return nbd_aio_pread_structured(h, buf, sizeof buf, offset, CHUNK, COMPLETION, 0);
}

static void
success(void)
{
    struct nbd_handle *h = connected(MEMORY);
    int64_t cookie;

    start(1);
    cookie = read_with_both(h, 0);
    ok(cookie >= 1, "a cookie is at least 1");
    POLL_UNTIL(h, nbd_aio_in_flight(h) == 0);
    is_str(diary.text, "mcMC", "a completion that returns 1 retires: all is freed");
    is_int(nbd_aio_command_completed(h, (uint64_t)cookie), 0,
           "a retired command is not known any more");

    start(0);
    int64_t other = read_with_both(h, 0);
    ok(other > cookie, "cookies do not repeat");
    POLL_UNTIL(h, nbd_aio_in_flight(h) == 0);
    is_str(diary.text, "mc", "one that returns 0 does not retire");
    is_int(nbd_aio_peek_command_completed(h), other, "it can be peeked at");
    is_int(nbd_aio_command_completed(h, (uint64_t)other), 1, "it is retired by hand");
    is_str(diary.text, "mcMC", "and freed then, mid-command first");
    is_int(nbd_aio_peek_command_completed(h), -1, "nothing is left to peek at");

    start(0);
    is_int(nbd_pread_structured(h, buf, sizeof buf, 0, CHUNK, 0), 0,
           "a read that waits");
    is_str(diary.text, "mM", "calls back and frees before it returns");
    nbd_close(h);
}

static void
errors_from_callbacks(void)
{
    struct nbd_handle *h = connected(MEMORY);

    start(0);
    mid_result = -1;
    is_int(nbd_pread_structured(h, buf, sizeof buf, 0, CHUNK, 0), -1,
           "a callback that returns -1 fails the read");
    is_int(nbd_get_errno(), EPROTO, "with EPROTO unless it says otherwise");
    start(0);
    mid_result = -1;
    mid_error = ENOSPC;
    nbd_pread_structured(h, buf, sizeof buf, 0, CHUNK, 0);
    is_int(nbd_get_errno(), ENOSPC, "with the number that it stored");
    start(0);
    mid_error = ENOSPC;
    is_int(nbd_pread_structured(h, buf, sizeof buf, 0, CHUNK, 0), 0,
           "a number that it stored is ignored where it returns 0");
    nbd_close(h);
}

static void
refusal(void)
{
    struct nbd_handle *h = connected(MEMORY);

    start(1);
    is_int(read_with_both(h, EXPORT_SIZE), -1, "a read out of bounds is refused");
    is_str(diary.text, "MC", "and frees without calling");
    start(1);
    is_int(nbd_aio_block_status(h, 512, 0, EXTENT, COMPLETION, 0), -1,
           "block status without contexts is refused");
    is_str(diary.text, "MC", "and frees without calling");
    start(1);
    is_int(nbd_aio_pread_structured(h, NULL, 512, 0, CHUNK, COMPLETION, 0), -1,
           "a NULL buffer is refused");
    is_str(diary.text, "MC", "and frees without calling");
    start(1);
    is_int(nbd_aio_pread_structured(h, buf, 512, 0,
                                    (nbd_chunk_callback){NULL, &diary, free_mid},
                                    COMPLETION, 0),
           -1, "a chunk callback that is NULL is refused");
    is_int(nbd_get_errno(), EFAULT, "with EFAULT");
    is_str(diary.text, "MC", "and frees without calling");
    start(1);
    is_int(nbd_aio_opt_go(h, COMPLETION), -1, "an option in transmission is refused");
    is_str(diary.text, "C", "and frees without calling");
    nbd_close(h);

    h = new_handle();
    start(1);
    is_int(read_with_both(h, 0), -1, "a read before connecting is refused");
    is_str(diary.text, "MC", "and frees without calling");
    nbd_close(h);
}

static void
server_error(void)
{
    struct nbd_handle *h = connected(
        ARGV("nbdkit", "-s", "--exit-with-parent", "memory", "1M", "--filter=error",
             "error-pread=ENOSPC", "error-pread-rate=100%"));

    start(0);
    int64_t cookie = read_with_both(h, 0);
    POLL_UNTIL(h, nbd_aio_in_flight(h) == 0);
    is_int(diary.error, ENOSPC, "the completion callback sees the server's error");
    ok(strchr(diary.text, 'c') && !strchr(diary.text, 'C'), "it is not retired yet");
    is_int(nbd_aio_command_completed(h, (uint64_t)cookie), -1,
           "retiring a failed command gives -1");
    is_int(nbd_get_errno(), ENOSPC, "and its error");
    ok(strstr(diary.text, "cMC"), "and frees it");
    nbd_close(h);
}

/* Stops the server, and waits until it has stopped. */
static pid_t
freeze(struct nbd_handle *h)
{
    pid_t pid = (pid_t)nbd_get_subprocess_pid(h);
    int status;

    must(kill(pid, SIGSTOP), "SIGSTOP");
    must(waitpid(pid, &status, WUNTRACED), "waiting for it");
    return pid;
}

static void
death(void)
{
    struct nbd_handle *h = connected(MEMORY);
    pid_t pid = freeze(h);

    memset(buf, 'x', sizeof buf);
    start(1);
    ok(read_with_both(h, 0) >= 1, "a read is sent to a server that does not answer");
    is_int(nbd_poll(h, 10), 0, "polling for a short time tells that nothing came");
    kill(pid, SIGKILL);
    POLL_UNTIL(h, nbd_aio_is_dead(h) || nbd_aio_is_closed(h));
    is_str(diary.text, "cMC", "when the server dies the command completes, once");
    is_int(diary.error, ENOTCONN, "with ENOTCONN");
    is_int(nbd_aio_in_flight(h), 0, "nothing is in flight any more");
    ok(memchr(buf, 'x', sizeof buf) == NULL, "the buffer was cleared");
    nbd_close(h);
}

static void
close_in_flight(void)
{
    struct nbd_handle *h = connected(MEMORY);
    pid_t pid = freeze(h);

    start(0);
    ok(read_with_both(h, 0) >= 1, "another read is sent into the void");
    kill(pid, SIGKILL);
    nbd_close(h);
    is_str(diary.text, "cMC", "closing the handle completes and frees it");
    is_int(diary.error, ENOTCONN, "with ENOTCONN");

    h = connected(MEMORY);
    start(0);
    read_with_both(h, 0);
    POLL_UNTIL(h, nbd_aio_in_flight(h) == 0);
    nbd_close(h);
    is_str(diary.text, "mcMC", "closing frees what was completed and not retired");
}

/* The server's side of a handle in option mode, up to the first option: the socket. */
static int
haggling(struct nbd_handle *h)
{
    static const char greeting[] = "NBDMAGICIHAVEOPT\0\3";
    char flags[4];
    int pair[2];

    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), "socketpair");
    must(nbd_set_opt_mode(h, true), "option mode");
    must(nbd_set_request_structured_replies(h, false), "simple replies");
    must(send(pair[1], greeting, sizeof greeting - 1, 0) == 18 ? 0 : -1, "greeting");
    must(nbd_aio_connect_socket(h, pair[0]), "connecting");
    POLL_UNTIL(h, nbd_aio_is_negotiating(h));
    must(recv(pair[1], flags, 4, MSG_WAITALL) == 4 ? 0 : -1, "the client's flags");
    return pair[1];
}

/* The option, and ACK to it. */
static void
acknowledge(int server)
{
    char option[16], ack[20] = "\x00\x03\xe8\x89\x04\x55\x65\xa9";

    must(recv(server, option, 16, MSG_WAITALL) == 16 ? 0 : -1, "an option");
    memcpy(ack + 8, option + 8, 4);
    ack[15] = 1;
    must(send(server, ack, 20, 0) == 20 ? 0 : -1, "ACK");
}

static void
close_in_option(void)
{
    struct nbd_handle *h = new_handle();
    int server = haggling(h);
    char hello;

    start(0);
    is_int(nbd_aio_opt_info(h, COMPLETION), 0, "an option is sent into the void");
    nbd_close(h);
    is_str(diary.text, "cC", "closing the handle completes and frees it");
    is_int(diary.error, ENOTCONN, "with ENOTCONN");
    close(server);

    h = new_handle();
    if (!nbd_supports_tls(h)) {
        nbd_close(h);
        return;
    }
    server = haggling(h);
    start(0);
    is_int(nbd_aio_opt_starttls(h, COMPLETION), 0, "TLS is asked for");
    acknowledge(server);
    POLL_UNTIL(h, recv(server, &hello, 1, MSG_DONTWAIT) == 1);
    is_str(diary.text, "", "it is not done before the handshake");
    nbd_close(h);
    is_str(diary.text, "cC", "closing in the TLS handshake completes and frees it");
    is_int(diary.error, ENOTCONN, "with ENOTCONN");
    close(server);
}

static void
only_free(void)
{
    struct nbd_handle *h = connected(MEMORY);
    nbd_completion_callback freed = {NULL, &diary, free_completion};

    start(0);
    int64_t cookie = nbd_aio_pread(h, buf, sizeof buf, 0, freed, 0);
    POLL_UNTIL(h, nbd_aio_in_flight(h) == 0);
    nbd_aio_command_completed(h, (uint64_t)cookie);
    is_str(diary.text, "C", "a callback that is NULL is freed all the same");
    nbd_close(h);
}

static int
on_debug(void *user, const char *context, const char *message)
{
    (void)context, (void)message;
    (*(int *)user)++;
    return 0;
}

static void
free_debug(void *user)
{
    *(int *)user += 1000;
}

static void
debug(void)
{
    struct nbd_handle *h = new_handle();
    int first = 0, second = 0;

    nbd_set_debug(h, true);
    nbd_set_debug_callback(h, (nbd_debug_callback){on_debug, &first, free_debug});
    nbd_set_full_info(h, true);
    ok(first > 0, "debug messages come through the callback");
    nbd_set_debug_callback(h, (nbd_debug_callback){on_debug, &second, free_debug});
    ok(first > 1000 && first < 2000, "the one before is freed when another is set");
    nbd_set_debug(h, false);
    nbd_close(h);
    ok(second >= 1000 && second < 2000, "and the last one with the handle");
}

int
main(void)
{
    success();
    errors_from_callbacks();
    refusal();
    server_error();
    death();
    close_in_flight();
    close_in_option();
    only_free();
    debug();
    done_testing();
}
