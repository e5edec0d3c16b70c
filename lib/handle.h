/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle.h - what an nbd_handle is: settings, one connection and the commands on it
 *
 * Here, and only here, the stream of bytes (stream.h) meets the protocol engine
 * (proto.h), and the user's callbacks are called.  It knows nothing of the thread's
 * error, nor of the rules by which public functions check their arguments.
 *
 * Locks and roles:
 *
 * - h->lock guards everything in the handle and the engine.  It is held briefly: never
 *   over a system call on the socket, poll, or a callback of the user.
 * - The rx role: its one holder calls proto_next, reads the socket and calls the user's
 *   callbacks, all of the latter with the lock released, so that commands can be
 *   submitted meanwhile and callbacks of one handle still never overlap.
 * - The tx role (tx_busy): its one holder writes to the socket.  Who finds it taken
 *   leaves his bytes to the holder, who looks again before letting go.
 * - h->debug_lock is a leaf: nothing else is locked while it is held.
 *
 * Threads that wait for something on one handle are leader and followers: whoever finds
 * rx free polls for all, the others sleep until what they wait for has happened or the
 * role is to be had.
 */

#ifndef HANDLE_H
#define HANDLE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base-array.h"
#include "base-error.h"
#include "connect.h"
#include "libnbd.h"
#include "proto.h"
#include "stream.h"

#define LIMIT_NAME    4096U        /* NBD's limit on strings */
#define LIMIT_PAYLOAD (64U << 20U) /* the most that one READ or WRITE carries */

/* What the public is_ functions tell; bits, so that sets of them are masks. */
enum handle_state {
    STATE_CREATED = 1,
    STATE_CONNECTING = 2,
    STATE_NEGOTIATING = 4,
    STATE_READY = 8,
    STATE_PROCESSING = 16,
    STATE_CLOSED = 32,
    STATE_DEAD = 64,
};
#define STATE_CONNECTED (STATE_READY | STATE_PROCESSING)
#define STATE_MASK      0x7fU

/* In h->published next to the state: what to poll for. */
#define PUBLISHED_DIRECTION_SHIFT 8U

enum rx_role {
    RX_FREE,
    RX_POLLING, /* the holder sleeps in poll, or is about to */
    RX_DRIVING,
};

/* A thread that sleeps until it is woken, in h->waiters. */
struct waiter {
    struct waiter *next, **link;
    pthread_cond_t woken;
    int event_fd; /* it sleeps in poll and is woken by this; -1: on the condition */
    bool awake;   /* was woken, and has not looked yet */
    bool any;     /* waits for progress of whatever kind */
};

enum chunk_kind {
    CALLBACK_NONE,
    CALLBACK_CHUNK,
    CALLBACK_EXTENT,
    CALLBACK_EXTENT64,
};

/* The callbacks of one command or option.  Whoever holds it must end with
 * callbacks_free. */
struct callbacks {
    enum chunk_kind kind;
    union {
        nbd_chunk_callback chunk;
        nbd_extent_callback extent;
        nbd_extent64_callback extent64;
    };
    nbd_list_callback list;
    nbd_context_callback context;
    nbd_completion_callback completion;
};

struct command {
    struct proto_cmd wire; /* first: the engine's pointers are ours */
    const char *name;      /* for messages: "read", "write", ... */
    struct callbacks callbacks;
    void *payload;     /* ours, to be freed with it; NULL mostly */
    bool clear_buffer; /* READ: leave nothing unset in the buffer when it fails */
    bool waited_for;   /* a thread waits for it and retires it */
    bool finished;     /* answered, its completion callback called */
    struct waiter *waiter;
    struct command *next, **link; /* finished, not retired: in h->finished; or spare */
};

/* Retired commands that are kept for the next ones. */
#define MAX_SPARE_COMMANDS 64U

/* How an option ended, for the thread that waits for it. */
struct option_result {
    bool done;
    struct error error; /* number 0: well */
    unsigned count;     /* of names that were listed */
};

struct nbd_handle {
    pthread_mutex_t lock;
    _Atomic uint32_t published; /* state and direction; see handle_publish */
    _Atomic uintptr_t private_data;
    _Atomic bool debug;

    pthread_mutex_t debug_lock;
    nbd_debug_callback debug_callback; /* debug_lock */
    char *name;                        /* debug_lock; never NULL */

    /* All below: lock. */

    /* settings */
    struct proto_config config; /* export_name and contexts are owned here */
    char *export_name;
    ARRAY_OF(char *) contexts; /* with a NULL at the end that len does not count */
    char *tls_certificates, *tls_username, *tls_psk_file, *tls_hostname;
    char *tls_priority;
    bool tls_verify_peer;
    uint32_t strict;
    uint32_t uri_allow_transports;
    int uri_allow_tls;
    bool uri_allow_tls_priority, uri_allow_local_file;
    bool pread_initialize;
    char *activation_name;

    /* the connection */
    bool started;  /* a connect function was called, and not in vain */
    bool aborting; /* CLOSING was entered from NEGOTIATING */
    struct proto *proto;
    struct connector *connector; /* while there is no stream */
    struct stream *stream;
    bool tls_handshake;  /* the stream is in its handshake */
    int fd;              /* of connector or stream; -1: none */
    struct uri *address; /* for nbd_get_uri; NULL: cannot be said */
    char *hostname;      /* that TLS verifies, without tls_hostname; NULL: none */
    struct subprocess sub;
    struct error error; /* why it is dead */

    /* roles */
    enum rx_role rx;
    pthread_t rx_thread; /* where rx is DRIVING */
    unsigned read_wants; /* STREAM_*: what the next read waits for */
    bool tx_busy;
    bool tx_blocked;      /* output is left that the socket does not take now */
    unsigned write_wants; /* where tx_blocked */
    bool write_side_shut;
    unsigned holds; /* while there are any, only who waits or reads sends */
    int wake_fd;    /* wakes who is POLLING; -1: nobody ever polled */
    struct waiter *waiters, **last_waiter;
    uint64_t progress;       /* counts what happened */
    uint32_t released_state; /* when rx was let go last */

    /* commands and options */
    unsigned in_flight;          /* submitted and not finished */
    uint64_t completing;         /* cookie whose completion callback runs; 0: none */
    unsigned completion_waiters; /* threads that wait for its end */
    uint64_t ended;              /* commands, so far */
    struct command *finished, **last_finished;
    struct command *spare; /* without payload, at most MAX_SPARE_COMMANDS */
    unsigned nr_spare;
    bool option_active;
    struct callbacks option_callbacks;
    struct option_result *option_result; /* who waits for it; NULL: nobody */
    unsigned option_count;
    ARRAY_OF(uint32_t) entries; /* rx role: extents as pairs of 32 bits */
};

/* ---- handle.c: life, lock, messages ---- */

/* NULL with e set. */
struct nbd_handle *handle_new(struct error *e);
/* Fails what is in flight, ends the subprocess, waits for it. */
void handle_free(struct nbd_handle *h);
void handle_lock(struct nbd_handle *h);
/* Publishes the state, too. */
void handle_unlock(struct nbd_handle *h);
/* Lets those see state and direction who look at them without the lock. */
void handle_publish(struct nbd_handle *h);
enum handle_state handle_state(const struct nbd_handle *h);
/* Back to CREATED, where no connection was ever made (or, without memory, not). */
void handle_rewind(struct nbd_handle *h);
/* There is no connection: no URI, no name to verify. */
void handle_forget_address(struct nbd_handle *h);
/* LIBNBD_AIO_DIRECTION_*, or 0. */
unsigned handle_direction(const struct nbd_handle *h);
/* The names of the states in mask, for messages. */
const char *handle_state_name(enum handle_state state);
/* The public function that this thread is in, for debug output. */
extern _Thread_local const char *handle_function;
/* A line of debug output; function is the public function it comes from. */
void handle_debug(struct nbd_handle *h, const char *function, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Sets a string of the settings to a copy.  -1 with e set. */
int handle_set_string(char **slot, const char *value, struct error *e);

/* ---- handle-run.c: driving ---- */

typedef bool wait_condition(const struct nbd_handle *h, const void *arg);

/* All with the lock held, which they release meanwhile. */

/* Writes what is to be written as far as the socket takes it, and handles what comes of
 * it.  After each change of the engine's output; nothing while the handle is held. */
void run_output(struct nbd_handle *h);
/* The same for what is held, by who is going to wait. */
void run_output_held(struct nbd_handle *h);
/* Starts on h->connector, or on h->stream where there is none. */
void run_connect(struct nbd_handle *h);
/* Ends the connection as if the server had failed, and tells everyone who waits. */
void run_fail(struct nbd_handle *h, int number, const char *text);

/* The rx role; and, with it, handling events until the engine needs more than there is,
 * or (unless NULL) enough(h, arg) holds. */
void run_take_rx(struct nbd_handle *h);
void run_drive(struct nbd_handle *h, bool may_read, wait_condition *enough,
               const void *arg);
void run_release_rx(struct nbd_handle *h);

/* ---- handle-wait.c: threads that wait ---- */

/* All with the lock held, which they release meanwhile. */

/* The socket can be read (written): goes on as far as possible.  -1 with e set where
 * the connection failed, or nothing is expected from the socket. */
int run_readable(struct nbd_handle *h, struct error *e);
int run_writable(struct nbd_handle *h, struct error *e);
/* Waits until the condition holds.  *slot, where not NULL, is set to what may be woken
 * to look again before the role is to be had.  -1 with e set: the connection has ended
 * and the condition does not hold. */
int run_wait(struct nbd_handle *h, wait_condition *condition, const void *arg,
             struct waiter **slot, struct error *e);
/* -1 with e set where this thread is in a callback of the handle. */
int run_may_wait(const struct nbd_handle *h, struct error *e);
/* Waits until something happened on the connection or user_fd (-1: none) can be read:
 * 1, timeout_ms are over: 0, -1 with e set. */
int run_poll(struct nbd_handle *h, int user_fd, int timeout_ms, struct error *e);
/* Waits until nobody writes, so that the stream may be exchanged; with the rx role. */
void run_wait_for_writer(struct nbd_handle *h);
/* Where the completion callback of the command with this cookie (0: of any) is running
 * in another thread, waits until it has returned and the command is finished.  False:
 * there was nothing to wait for. */
bool run_wait_for_completion(struct nbd_handle *h, uint64_t cookie);
/* Wakes who is polling, so that he looks what to poll for. */
void run_kick(struct nbd_handle *h);
void waiter_wake(struct waiter *w);
void waiters_wake_all(struct nbd_handle *h);
/* Those who wait for any progress, and one to take the rx role where it is free. */
void waiters_wake_any(struct nbd_handle *h);

/* ---- handle-event.c: what the engine reports ---- */

/* With the lock held, which it releases over callbacks, and the rx role. */
void event_handle(struct nbd_handle *h, const struct proto_event *event);

/* ---- handle-rules.c, handle-command.c ---- */

enum command_kind {
    COMMAND_READ,
    COMMAND_READ_STRUCTURED,
    COMMAND_WRITE,
    COMMAND_FLUSH,
    COMMAND_TRIM,
    COMMAND_CACHE,
    COMMAND_ZERO,
    COMMAND_BLOCK_STATUS,
    COMMAND_BLOCK_STATUS_FILTER,
};

struct command_request {
    enum command_kind kind;
    void *buf;           /* READ */
    const void *payload; /* WRITE */
    uint64_t count, offset;
    uint32_t flags;        /* LIBNBD_CMD_FLAG_* */
    char *const *contexts; /* BLOCK_STATUS_FILTER */
};

struct command_rule {
    const char *name;
    uint16_t type;  /* WIRE_CMD_* */
    uint32_t flags; /* that may be given */
    uint16_t needs; /* export flag without which the server does not know it; 0: none */
    bool writes;    /* not on a read-only export */
    bool ranged;    /* has an offset and a length */
    int bounds_errno;
};

extern const struct command_rule command_rules[];

/* Is it to be sent, by the strict mode?  -1 with e set. */
int command_check(const struct nbd_handle *h, const struct command_request *request,
                  struct error *e);
/* Checks the request and submits it.  Takes the callbacks (and
 * leaves *callbacks empty) where it does not fail.  The cookie, or -1 with e set. */
int64_t command_start(struct nbd_handle *h, const struct command_request *request,
                      struct callbacks *callbacks, struct error *e);
/* The same, waits for the answer and retires it.  Leaves in *callbacks what is to be
 * freed after unlocking. */
int command_run(struct nbd_handle *h, const struct command_request *request,
                struct callbacks *callbacks, struct error *e);
/* 1: it ended well, and was retired; 0: not yet; -1 with e set.  As above. */
int command_completed(struct nbd_handle *h, uint64_t cookie,
                      struct callbacks *callbacks, struct error *e);
/* The engine has nothing more to report on it: calls the completion callback. */
void command_finish(struct nbd_handle *h, struct command *cmd);
void commands_free_spare(struct nbd_handle *h);
/* Calls the free functions, in their order, and empties it. Not with the lock held. */
void callbacks_free(struct callbacks *callbacks);
/* The most bytes that a WRITE may carry. */
uint32_t command_payload_maximum(const struct nbd_handle *h);
/* Is the context among those that the server granted?  Its id. */
bool handle_find_context(const struct nbd_handle *h, const char *name, uint32_t *id);

/* ---- handle-option.c ---- */

/* Asks for an option.  Takes the callbacks where it does not fail.  result, where not
 * NULL, is filled in when it ends.  -1 with e set. */
int option_start(struct nbd_handle *h, enum proto_option option, char *const *queries,
                 struct callbacks *callbacks, struct option_result *result,
                 struct error *e);
/* Waits for the end of it. -1 with e set only where the connection failed before. */
int option_wait(struct nbd_handle *h, struct option_result *result, struct error *e);
/* It ended, with an errno or 0. */
void option_finish(struct nbd_handle *h, int number, const char *text);
/* Waits until the connection is negotiating or ready.  -1 with e set. */
int connection_wait(struct nbd_handle *h, struct error *e);
/* Queues the goodbye. */
void connection_disconnect(struct nbd_handle *h, bool abandon);
/* Waits until it is closed or dead. */
int connection_wait_closed(struct nbd_handle *h, struct error *e);

#endif /* HANDLE_H */
