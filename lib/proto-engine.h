/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-engine.h - the inside of the protocol engine, for proto*.c only
 *
 * At each moment the engine has one expectation: a step, and the unit that it wants to
 * see: so many bytes at a place of its own or in the user's memory, or so many to throw
 * away.  proto_next fills it and calls the step's function; that ends in
 * the next expectation.
 */

#ifndef PROTO_ENGINE_H
#define PROTO_ENGINE_H

#include "base-array.h"
#include "proto-steps.h"
#include "proto.h"
#include "wire.h"

/* Same numbers as the public constants, which this layer does not see. */
enum { TLS_DISABLE, TLS_ALLOW, TLS_REQUIRE };

/* A READ's payload of more than that goes straight to the user's buffer. */
#define BULKY_PAYLOAD 16384
/* Bytes read ahead in transmission: many small replies are received at once. */
#define LOOK_AHEAD_SIZE 65536
/* The same while such a payload may come: not much of it is read ahead only to be
 * copied. */
#define LOOK_AHEAD_MIXED 16384
/* The same after one: enough for the next header, and nothing of the next payload. */
#define LOOK_AHEAD_HEADER 64
/* READ: pieces that were answered out of order; nobody sends that many. */
#define MAX_RANGES 1024
/* Meta contexts that a server may grant. */
#define MAX_CONTEXTS 1024
/* Bytes of what the server says that are kept for messages. */
#define MAX_SERVER_TEXT 384

/* Bytes for the server that are no command: flags and options. */
struct message {
    struct message *next;
    size_t len;
    uint8_t bytes[];
};

/* READ: what was answered beyond cmd->contiguous: sorted, disjoint, not touching. */
struct proto_range {
    uint64_t start, end;
};

struct proto_ranges {
    struct proto_ranges *next_all, *next_free;
    ARRAY_OF(struct proto_range) list;
};

struct proto {
    const struct proto_config *config;

    /* The expectation.  Of dest and skip one is in use. */
    enum proto_step step;
    uint8_t *dest;                    /* where the unit's rest goes */
    size_t left;                      /* how much of it is missing */
    uint64_t skip;                    /* bytes still to be thrown away */
    uint8_t unit[WIRE_OLDSTYLE_SIZE]; /* units of fixed length */
    ARRAY_OF(uint8_t) payload;        /* strings and extents */

    /* Bytes that were read ahead; before transmission only what is thrown away. */
    uint8_t *look;
    size_t look_start, look_end;
    bool bulky; /* the last reply had a large payload, so the next one may */

    bool eof;       /* the server closed its side */
    bool step_made; /* PROTO_STEP is due */
    bool closing;   /* DISC or ABORT was queued, or is due when nothing is in flight */
    bool disc_due;
    bool farewell;        /* DEAD, but the ABORT in the output may be sent */
    struct error failure; /* of the driver; number 0: none */
    struct error error;

    /* Handshake. */
    bool oldstyle, newstyle, fixed, no_zeroes;
    bool tls, structured, extended;
    bool asking;             /* the option was asked for by hand... */
    enum proto_option asked; /* ...and this is it */
    uint32_t option;         /* WIRE_OPT_*: its answer is awaited */
    struct wire_option_reply option_reply;
    int info_error;                            /* an info that cannot be used */
    char server_text[4 * MAX_SERVER_TEXT + 8]; /* each byte may become \xNN */
    struct proto_export export;
    char *export_for; /* the name that export belongs to */
    ARRAY_OF(struct proto_context) contexts;
    bool contexts_granted; /* SET_META_CONTEXT was answered with ACK */
    char *contexts_for;    /* the name that they were asked for */

    /* Output: messages, then commands from out_head on.  out_sent bytes of the first
     * were taken. */
    struct message *messages, **messages_end;
    struct proto_cmd *out_head, *out_tail;
    size_t out_sent;
    struct proto_cmd *claimed_last; /* handed out up to here; NULL: none */
    struct proto_cmd disc;

    /* Commands by cookie & (slots - 1), until they are retired. */
    struct proto_cmd **slots;
    size_t nr_slots, nr_commands, in_flight;
    size_t bulky_in_flight; /* of these, READs of more than BULKY_PAYLOAD */
    uint64_t next_cookie;
    struct proto_cmd *done_head, *done_tail; /* to be reported */
    struct proto_ranges *ranges_all, *ranges_free;

    /* The reply at hand. */
    struct wire_reply reply;
    struct proto_cmd *cmd;
    uint64_t chunk_left; /* bytes of the chunk's payload after the current unit */
    uint64_t chunk_offset, chunk_len;
    uint32_t chunk_text_left; /* bytes of an error's text that are not kept */
    int chunk_error;
    bool shutdown_seen; /* the server said ESHUTDOWN */
    ARRAY_OF(struct proto_extent) extents;

    struct proto_stats stats;
};

/* A step's function: an event, or PROTO_STEP to go on. */
typedef enum proto_event_type proto_step_function(struct proto *p,
                                                  struct proto_event *event);
#define PROTO_STEP_PROTOTYPE(step, phase, name) proto_step_function on_##step;
PROTO_UNIT_STEPS(PROTO_STEP_PROTOTYPE)

/* ---- proto.c ---- */

/* Expectations.  All return PROTO_STEP. */
enum proto_event_type engine_expect(struct proto *p, enum proto_step step, size_t len);
enum proto_event_type engine_expect_at(struct proto *p, enum proto_step step,
                                       void *dest, size_t len);
/* In p->payload, with place for a byte more; fails the connection where there is no
 * memory. */
enum proto_event_type engine_expect_payload(struct proto *p, enum proto_step step,
                                            size_t len);
enum proto_event_type engine_skip(struct proto *p, enum proto_step step, uint64_t len);
enum proto_event_type engine_rest(struct proto *p, enum proto_step idle_step);

/* The ends.  They conclude all commands, and return their event. */
enum proto_event_type engine_fail(struct proto *p, int number, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum proto_event_type engine_no_memory(struct proto *p);
enum proto_event_type engine_end(struct proto *p);
/* Keeps the printable form of what the server said. */
void engine_keep_text(struct proto *p, const void *bytes, size_t len);

/* ---- proto-handshake.c ---- */

enum proto_event_type engine_start(struct proto *p);
/* 0, or an errno: the size is impossible. */
int engine_set_export(struct proto *p, const struct wire_export *m);
void engine_clear_export(struct proto *p);
void engine_clear_contexts(struct proto *p);

/* ---- proto-option.c ---- */

/* The automatic negotiation, from its beginning. */
enum proto_event_type engine_negotiate(struct proto *p);
/* The same, from one of its members on. */
enum proto_event_type engine_request_extended(struct proto *p);
enum proto_event_type engine_request_structured(struct proto *p);
enum proto_event_type engine_choose_export(struct proto *p);
/* GO, or INFO where that is what the driver asked for. */
enum proto_event_type engine_request_info(struct proto *p);
enum proto_event_type engine_request_export_name(struct proto *p);

/* ---- proto-output.c ---- */

/* A message of len bytes at the end of the output; NULL: no memory. */
uint8_t *engine_message(struct proto *p, size_t len);
/* The final reply came, or will not come. */
void engine_conclude(struct proto *p, struct proto_cmd *cmd, int number);
/* All commands whose memory is not in use by the writing thread. */
void engine_conclude_all(struct proto *p);
/* The command, if its final reply is still awaited. */
struct proto_cmd *engine_find_awaited(const struct proto *p, uint64_t cookie);
/* No more commands; DISC when all are answered. */
void engine_soft_disconnect(struct proto *p);
void engine_report_done(struct proto *p, struct proto_event *event);

/* ---- proto-ranges.c ---- */

/* Notes that [start, start + len) of a READ (relative to its offset) was answered.  0,
 * EPROTO where a part of it was already, ENOMEM. */
int ranges_add(struct proto *p, struct proto_cmd *cmd, uint64_t start, uint64_t len);
void ranges_release(struct proto *p, struct proto_cmd *cmd);
void ranges_free_all(struct proto *p);

#endif /* PROTO_ENGINE_H */
