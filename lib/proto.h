/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto.h - the NBD protocol engine: the server's bytes in, events out; commands in,
 * bytes for the server out
 *
 * The engine knows the protocol (doc/proto.md of the NBD project) and nothing else: no
 * socket, no lock, no clock, no callback, no thread's error.  Somebody drives it:
 *
 *     for (;;) {
 *         switch (proto_next(p, &event)) {
 *         case PROTO_NEED_INPUT:
 *             n = proto_want(p, iov);            // where the next bytes belong
 *             ...read into iov; got bytes...
 *             proto_fed(p, got);                 // or proto_eof, or proto_fail
 *             break;
 *         case PROTO_DATA: ...
 *         }
 *     }
 *
 * and, whenever proto_output says that there is something to write, writes it.
 *
 * Locking is the driver's: all functions are called under one lock.  With the lock
 * released, one thread may fill the memory that proto_want named until it calls
 * proto_fed, and one thread may read the memory that proto_output named until it calls
 * proto_sent.  Meanwhile other threads may submit commands and look at the state; only
 * the reading thread calls proto_next.
 *
 * A failure of the peer is an event, not a return value: PROTO_FAILED, once, with
 * proto_error; then PROTO_REPLY_DONE for each command that was not answered; then
 * PROTO_IDLE for ever.
 */

#ifndef PROTO_H
#define PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base-error.h"

struct proto;

/* What to ask of the server.  Borrowed: the engine keeps the pointer and looks each
 * time it composes an option, so that the owner may change it while the phase is
 * PROTO_NEGOTIATING. */
struct proto_config {
    uint32_t handshake_flags; /* LIBNBD_HANDSHAKE_FLAG_*: which may be answered */
    int tls;                  /* LIBNBD_TLS_* */
    bool request_extended_headers;
    bool request_structured_replies;
    bool request_meta_context; /* INFO and GO set the contexts first */
    bool request_block_size;
    bool request_full_info; /* canonical name and description too */
    bool opt_mode;          /* stop in PROTO_NEGOTIATING until told to go on */
    bool trace;             /* proto_next returns PROTO_STEP after each step */
    const char *export_name;
    char *const *contexts; /* NULL-terminated; NULL means none */
};

/* Where the connection is.  The numbers of the public states follow from it. */
enum proto_phase {
    PROTO_HANDSHAKE,    /* an answer to the greeting or an option is awaited */
    PROTO_NEGOTIATING,  /* newstyle, and an option may be asked for */
    PROTO_TRANSMISSION, /* commands may be submitted */
    PROTO_CLOSING,      /* DISC or ABORT was queued; the rest of the answers may come */
    PROTO_CLOSED,       /* the end, in good order */
    PROTO_DEAD,         /* the end, because something failed: proto_error */
};

enum proto_event_type {
    PROTO_NEED_INPUT, /* read what proto_want says */
    PROTO_IDLE,      /* nothing is expected from the server (negotiating, or the end) */
    PROTO_STEP,      /* only with trace: a step was made; proto_step_name */
    PROTO_START_TLS, /* handshake on the stream, then proto_tls_done or proto_fail */
    PROTO_LIST_ITEM, /* name, description: an export (option LIST) */
    PROTO_CONTEXT,   /* name: a meta context (LIST_ or SET_META_CONTEXT) */
    PROTO_OPTION_DONE, /* error: proto_option's answer is complete; phase is NEGOTIATING
                          again, or after GO TRANSMISSION, and PROTO_READY comes next;
                          after ESHUTDOWN it is CLOSING */
    PROTO_READY,       /* phase is TRANSMISSION now */
    PROTO_DATA,        /* cmd, offset, count: this part of cmd->buf is filled */
    PROTO_HOLE,        /* cmd, offset, count: fill this part of cmd->buf with zeros */
    PROTO_CHUNK_ERROR, /* cmd, offset, error: a structured error; cmd->error is set */
    PROTO_EXTENTS,     /* cmd, name (the context), offset, extents, nr_extents */
    PROTO_REPLY_DONE,  /* cmd, cmd->error: nothing more comes, cmd belongs to the driver
                        */
    PROTO_END,         /* phase is CLOSED now */
    PROTO_FAILED,      /* phase is DEAD now: proto_error */
};

struct proto_extent {
    uint64_t length; /* 1 to INT64_MAX */
    uint64_t flags;
};

/* Strings, extents and pointers in it are valid until the next call of proto_next. */
struct proto_event {
    enum proto_event_type type;
    struct proto_cmd *cmd;
    const char *name;
    const char *description; /* "" where the server sent none */
    uint64_t offset;         /* absolute, inside cmd's range */
    uint64_t count;
    int error;        /* an errno, 0 for success */
    const char *text; /* OPTION_DONE, CHUNK_ERROR: what the server said; never NULL */
    bool negotiated;  /* OPTION_DONE of STARTTLS, STRUCTURED_REPLY, EXTENDED_HEADERS:
                         in force now */
    const struct proto_extent *extents;
    size_t nr_extents;
};

/* Commands on the wire. */
enum proto_cmd_state {
    PROTO_CMD_QUEUED, /* not, or not wholly, handed to the socket */
    PROTO_CMD_SENT,   /* the server has it */
    PROTO_CMD_DONE,   /* PROTO_REPLY_DONE was reported; waits for proto_retire */
};

/* One command.  The caller embeds it in something larger, fills in the first part with
 * the rest zero, and keeps it and what it points to in place from proto_submit until
 * PROTO_REPLY_DONE was reported for it (its memory until proto_retire). */
struct proto_cmd {
    uint16_t type;  /* WIRE_CMD_* */
    uint16_t flags; /* as on the wire */
    uint64_t offset;
    uint64_t count;
    void *buf;           /* READ: count bytes for the answer */
    const void *payload; /* WRITE: count bytes; BLOCK_STATUS with PAYLOAD_LEN: range and
                            ids (wire_encode_filter) */
    size_t payload_len;  /* bytes that follow the header */

    /* The engine's; the caller may read the first three. */
    uint64_t cookie; /* 1 to INT64_MAX, unique in the connection */
    enum proto_cmd_state state;
    int error; /* an errno: the first error that was seen, or 0 */

    struct proto_cmd *next_output;
    struct proto_cmd *next_done;
    uint64_t contiguous;         /* READ: bytes answered from offset without a gap */
    struct proto_ranges *ranges; /* READ: answered out of order; NULL mostly */
    bool answered;               /* the final reply has come, maybe before SENT */
    bool data_seen;              /* BLOCK_STATUS: contexts answered */
    bool claimed;                /* its memory was handed out by proto_output */
    bool concluded;              /* PROTO_REPLY_DONE was reported, or is due */
    uint8_t header_len;
    uint8_t header[32];
};

struct proto *proto_new(const struct proto_config *config); /* NULL: no memory */
/* Commands that were not retired are the caller's to free. */
void proto_free(struct proto *p);

/* ---- receiving ---- */

enum proto_event_type proto_next(struct proto *p, struct proto_event *event);
/* Where the next bytes go: at most 2 iovecs, the current unit's rest first (a payload
 * goes straight to the command's buffer).  0 where nothing is expected. */
int proto_want(struct proto *p, struct iovec iov[2]);
void proto_fed(struct proto *p, size_t n);
/* The server closed its side. */
void proto_eof(struct proto *p);
/* The driver gives up (socket error, TLS alert, ...): as if the server had failed.
 * Ignored at the end. */
void proto_fail(struct proto *p, int number, const char *text);
void proto_tls_done(struct proto *p);
/* Would proto_next return an event other than NEED_INPUT or IDLE now? */
bool proto_has_event(const struct proto *p);

/* ---- sending ---- */

/* What is to be written, in order, as at most max iovecs; 0 means nothing.  Until
 * proto_sent the memory stays in place, and no command in it is reported as done. */
int proto_output(struct proto *p, struct iovec *iov, int max);
bool proto_has_output(const struct proto *p);
/* n of the bytes were taken; 0 and errors of the socket (after proto_fail) too. */
void proto_sent(struct proto *p, size_t n);

/* Queues a command; the phase must be TRANSMISSION.  Fields are sent as they are: what
 * makes sense is the caller's to check.  -1 with e set (EOVERFLOW: count does not fit
 * the negotiated header; ENOMEM). */
int proto_submit(struct proto *p, struct proto_cmd *cmd, struct error *e);
/* The command with this cookie that was not retired, or NULL. */
struct proto_cmd *proto_find(const struct proto *p, uint64_t cookie);
/* Forgets a command that is DONE. */
void proto_retire(struct proto *p, struct proto_cmd *cmd);
/* Submitted and not DONE. */
size_t proto_in_flight(const struct proto *p);

/* Enters CLOSING (from TRANSMISSION), and queues DISC when all commands are answered.
 * With abandon, commands of which no
 * byte was handed out yet are not sent, but end with ENOTCONN. */
void proto_disconnect(struct proto *p, bool abandon);
/* CLOSING, and DISC or ABORT went out: no more bytes will follow.  (A server that is
 * shutting down is told DISC only when it has answered what is in flight.) */
bool proto_said_goodbye(const struct proto *p);

/* ---- options (phase NEGOTIATING) ---- */

enum proto_option {
    PROTO_OPT_GO,
    PROTO_OPT_INFO,
    PROTO_OPT_LIST,
    PROTO_OPT_ABORT, /* no OPTION_DONE: ends in PROTO_END */
    PROTO_OPT_STARTTLS,
    PROTO_OPT_STRUCTURED_REPLY,
    PROTO_OPT_EXTENDED_HEADERS,
    PROTO_OPT_LIST_META_CONTEXT,
    PROTO_OPT_SET_META_CONTEXT,
};

/* Asks for it; PROTO_OPTION_DONE tells the end.  queries (the META_CONTEXT ones) are
 * copied; NULL means the configured contexts.  -1 with e set: it cannot be asked here,
 * and nothing was sent. */
int proto_ask(struct proto *p, enum proto_option option, char *const *queries,
              struct error *e);

/* ---- what is known ---- */

struct proto_export {
    bool known; /* by GO, INFO or EXPORT_NAME; else the rest means nothing */
    uint64_t size;
    uint16_t flags;                                 /* WIRE_FLAG_* */
    uint32_t block_min, block_preferred, block_max; /* 0: not said */
    char *canonical_name, *description;             /* NULL: not said */
};

struct proto_context {
    char *name;
    uint32_t id;
};

struct proto_stats {
    uint64_t bytes_sent, chunks_sent, bytes_received, chunks_received;
};

enum proto_phase proto_phase(const struct proto *p);
const struct error *proto_error(const struct proto *p);
const char *proto_step_name(const struct proto *p); /* static text */
/* "oldstyle", "newstyle", "newstyle-fixed", or NULL before the greeting */
const char *proto_protocol(const struct proto *p);
/* LIBNBD_HANDSHAKE_FLAG_*: that were agreed on; 0 before the greeting */
uint32_t proto_handshake_flags(const struct proto *p);
bool proto_tls_negotiated(const struct proto *p);
bool proto_structured_replies(const struct proto *p);
bool proto_extended_headers(const struct proto *p);
const struct proto_export *proto_export(const struct proto *p);
/* The contexts that the server granted, by the last SET_META_CONTEXT. */
const struct proto_context *proto_contexts(const struct proto *p, size_t *nr);
/* Was SET_META_CONTEXT answered at all (with any number of contexts)? */
bool proto_contexts_known(const struct proto *p);
const struct proto_stats *proto_stats(const struct proto *p);

#endif /* PROTO_H */
