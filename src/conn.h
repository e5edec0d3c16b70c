/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn.h - one connection to the server, with its I/O thread
 *
 * Commands are submitted by any thread, which never waits for the network.  The I/O
 * thread waits for the socket, receives, and calls each command's done; it replaces a
 * connection that died.  Knows nothing of FUSE.
 */

#ifndef NBDMOUNT_CONN_H
#define NBDMOUNT_CONN_H

#include "settings.h"
#include "traffic.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct conn_info;
struct nbd_handle;

/* Where the server is.  Belongs to the caller; outlives all connections. */
struct source {
    /* Where several servers have the same export: one source for each, all in this one;
     * otherwise NULL, and this one is the server.  In the list: the next, and which. */
    const struct source *servers;
    const struct source *next;
    unsigned number;          /* from 0 */
    const char *uri;          /* or NULL */
    const char *socket;       /* where uri is NULL: path of a Unix socket */
    const char *text;         /* what messages call it */
    const char *export;       /* with socket: its name; NULL: the default one */
    const char *meta_context; /* NULL: base:allocation */
    /* NULL, or where there may be a handle that has been used to ask the server what it
     * has: the first connection is made of it, and leaves NULL there. */
    struct nbd_handle **negotiated;
    const struct tls_settings *tls; /* NULL: as the URI says */
    double extents_s; /* how long known extents are believed; 0: for ever */
    /* Asked several times a second while the first connection is made; NULL: go on. */
    bool (*keep_trying)(void);
    /* The file, as its export's owner calls it, had size bytes before it grew; NULL:
     * nobody wants to know.  It must not wait. */
    void (*grown)(uint64_t file, int64_t size);
    /* The file has not what was written to [off, end), though its program was told so;
     * in the same way. */
    void (*failed)(uint64_t file, uint64_t off, uint64_t end);
    bool debug;
    bool io_uring; /* a thread of it receives for several connections: conn-group.h */
    int64_t
        retry_ms; /* how long a command waits for a connection; INT64_MAX: forever */
    int64_t
        timeout_ms; /* without an answer for so long a connection is dead; 0: never */
    /* How long a change that a silent server has not answered waits before it is sent
     * to another server: the silent one may still do it. */
    int64_t fence_ms;
    size_t replay; /* bytes of changes that are remembered until a flush; 0: none */
    size_t
        behind; /* bytes of changes that are answered before they are done; 0: none */
};

/* The meta context that is asked for. */
const char *source_meta_context(const struct source *source);

#define CONN_SMALL_READ 32768

/* NBD has no larger minimum block. */
#define CONN_BLOCK_MAX 65536

/* What a server says of its export. */
struct conn_info {
    int64_t size;
    char name[256]; /* the export's; empty if it is longer */
    bool long_name;
    char description[256]; /* its beginning; empty if there is none, or if nobody asked
                            */
    bool read_only;
    bool can_flush;
    bool can_trim;
    bool can_zero;
    bool can_multi_conn;
    bool same_machine; /* over a Unix socket that has a name */
    bool can_extents;  /* the meta context was negotiated */
    bool extended;     /* 64-bit lengths */
    bool simple;       /* we wanted simple replies only: it has neither of them */
    bool encrypted;
    uint32_t flags;   /* enum export_flag: all that it says, the above among it */
    bool says_sizes;  /* of blocks; if not, these are what is safe */
    uint32_t minimum; /* block sizes, in bytes, never 0; at most CONN_BLOCK_MAX */
    uint32_t preferred;
    uint32_t maximum; /* of one payload; a multiple of minimum */
};

enum command_kind {
    COMMAND_READ,
    COMMAND_WRITE,
    COMMAND_FLUSH,
    COMMAND_TRIM,
    COMMAND_ZERO,
    COMMAND_STATUS,
};

/* One NBD command.  Whoever submits it owns the memory, which together with buf must
 * stay until done was called. */
struct command {
    enum command_kind kind;
    uint32_t flags; /* LIBNBD_CMD_FLAG_* */
    uint64_t off;
    uint64_t len;
    void *buf;
    bool behind;   /* nobody waits for its answer: see conn-lead.c */
    bool together; /* one connection may have it and all like it: see pool-submit.c */
    void *owner;
    /* Called exactly once, by an I/O thread, or one that leads (conn_lead), that holds
     * no lock; error is an errno or 0.
     * ENOTCONN: the connection died, and nobody knows whether the server did it.
     * ESTALE: the server has another export now.
     * EAGAIN: of COMMAND_STATUS: there are connections, but none that takes it. */
    void (*done)(struct command *cmd, int error);
    /* Or NULL.  Called several times a second while the answer is late: it may be that
     * nobody waits for it any more.  It must be quick and must not submit. */
    void (*look)(struct command *cmd);
    /* COMMAND_STATUS: called before done, for pieces of the meta context in rising
     * order.  It must be quick and must not submit: the handle's lock may be held. */
    void (*extent)(struct command *cmd, uint64_t off, uint64_t len, uint32_t flags);

    /* conn's own */
    struct conn *conn;
    struct command *next;
    struct command *late_prev, *late_next; /* of those in flight */
    bool late_listed;
    bool ahead;      /* may be sent before the connection is live: see conn_set_live */
    atomic_int hold; /* the submitter and the library; who lets go last queues it */
    unsigned made;   /* the number of the handle that took it; 0: none did */
    int error;
    int64_t since_ms; /* about when it was submitted; the I/O thread's own */
    int64_t sent_ns;  /* when it was, to the last connection that got it */
    int64_t
        give_up_ms; /* the pool's: when its waiting for a connection ends; 0: unset */
    int64_t fenced_ms; /* the pool's: before this it is not sent again */
};

/* What the next attempt is to reach. */
struct conn_aim {
    const struct source *source;
    bool simple;       /* with simple replies only: no COMMAND_STATUS */
    bool read_only;    /* nothing will be written */
    int64_t size;      /* the export has at least that */
    int64_t size_most; /* and at most that */
    int limit_ms;      /* for the attempt, the handshake included */
};

/* What a connection tells its owner.  All are called by its I/O thread, with no lock
 * held and never for two things at once. */
struct conn_events {
    /* Before each attempt: fills *aim. */
    void (*connecting)(void *owner, unsigned index, struct conn_aim *aim);
    /* The export may have grown.  False: it must be made anew.  Otherwise nothing is
     * sent until conn_set_live, but for commands that may go ahead. */
    bool (*connected)(void *owner, unsigned index, const struct conn_info *now);
    /* The attempt failed; refused: a server answers that has something else.  True:
     * there is another server to be tried at once. */
    bool (*failed)(void *owner, unsigned index, bool refused);
    /* It died; silent: nobody has closed it, and the server may still be at work. Then:
     */
    void (*lost)(void *owner, unsigned index, bool silent);
    void (*dropped)(void *owner, unsigned index); /* all its commands have failed */
    /* In place of done(ENOTCONN). */
    void (*orphan)(void *owner, struct command *cmd);
    /* Several times a second while there is no connection, or answers are late, or it
     * returned true: something waits. */
    bool (*tick)(void *owner);
};

/* Connects and negotiates until the deadline (CLOCK_MONOTONIC milliseconds), and starts
 * the I/O thread.  *info is what the server said.  It is live.  NULL: *why says which
 * step failed and what was said; the caller frees it.  Waits for the network.  index is
 * what the events are told. */
struct conn *conn_open(const struct source *source, const struct conn_events *events,
                       void *owner, unsigned index, int64_t deadline_ms,
                       struct conn_info *info, char **why);

/* A further connection, made by its own thread; until then conn_is_live is false. *info
 * is what the server has to say again, here and after each reconnect. */
struct conn *conn_start(const struct source *source, const struct conn_events *events,
                        void *owner, unsigned index, const struct conn_info *info);

/* Whether commands are taken; for a connection that is there. */
void conn_set_live(struct conn *conn, bool live);

/* The I/O thread is to give the connection up and make it anew; this is no loss.
 * conn_retire: when what is in flight was answered; it must not be live. */
void conn_renew(struct conn *conn);
void conn_retire(struct conn *conn);

bool conn_is_live(const struct conn *conn);

/* Whether it has simple replies only.  It fails COMMAND_STATUS as if it were dead. */
bool conn_is_simple(const struct conn *conn);

/* A read for which it counts what the server does besides giving the data. */
static inline bool
command_is_small_read(const struct command *cmd)
{
    return cmd->kind == COMMAND_READ && cmd->len <= CONN_SMALL_READ;
}

/* Nanoseconds from the answer to a small read to the next, in the mean of late; no more
 * than CONN_PACE_MAX. */
#define CONN_PACE_MAX 1000000
int64_t conn_pace(const struct conn *conn);
unsigned conn_in_flight(const struct conn *conn);

/* How often an established connection died. */
unsigned conn_losses(const struct conn *conn);

/* How it goes, for people. */
struct conn_report {
    enum conn_state {
        CONN_CONNECTING, /* there is none; failure says what went wrong last, if it did
                          */
        CONN_WAITING,    /* it takes nothing before all is sent again, or is given up */
        CONN_LIVE,
    } state;
    int64_t since_ms; /* CLOCK_MONOTONIC: when it was made, or was lost */
    unsigned in_flight;
    unsigned losses;
    const struct source *source; /* the server, or the one that is tried */
    uint64_t sent; /* bytes, before encryption, of this one and those before it */
    uint64_t received;
    uint64_t read; /* bytes of the export that reads and writes have moved */
    uint64_t written;
    bool tls;
    char failure[192];
};

/* Does not wait for the network.  Adds its traffic to *sum, unless that is NULL. */
void conn_look(struct conn *conn, struct conn_report *report, struct traffic_sum *sum);

/* Never fails: what goes wrong is told to done. */
void conn_submit(struct conn *conn, struct command *cmd);

/* What this thread submits between begin and end is kept for a moment, to be sent
 * together with what it submits after the next begin; some times later at the latest,
 * or by conn_gather_send, which it calls before it waits for anything, or may be at
 * work for long. */
void conn_gather_begin(void);
void conn_gather_end(void);
void conn_gather_send(void);

/* This thread calls conn_lead whenever it has dealt with what came to it, and may then
 * be used to receive the answer of what it submitted, if that is all that there is.  It
 * returns when there is something to read from more_fd, or when it has become late.
 * True: there was such an answer, and now nothing is under way. */
void conn_thread_may_lead(void);
bool conn_lead(int more_fd);

/* Whether a command is under way, of any connection. */
bool conn_is_any_busy(void);
/* Whether more than one is. */
bool conn_are_many_busy(void);

/* The end: conn_stop lets what is in flight finish until the deadline (CLOCK_MONOTONIC
 * milliseconds), says goodbye to the server and ends the thread; conn_join waits for
 * that.  What is still in flight at the deadline fails with ENOTCONN.  After conn_join,
 * conn_answer does the I/O thread's work for what is submitted all the same: false if
 * there was nothing. */
void conn_stop(struct conn *conn, int64_t deadline_ms);
void conn_join(struct conn *conn);
bool conn_answer(struct conn *conn);
void conn_free(struct conn *conn);

/* CLOCK_MONOTONIC */
int64_t conn_clock_ms(void);
int64_t conn_clock_ns(void);

#endif
