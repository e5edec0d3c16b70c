/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-steps.h - all steps of the protocol engine: enum, name, phase, function
 *
 * A step sees one complete unit of the server's bytes.  The table is the only list of
 * them; the names are what debugging shows.
 */

#ifndef PROTO_STEPS_H
#define PROTO_STEPS_H

/* X(step, phase, name) for those that see a unit: their function is on_STEP. */
#define PROTO_UNIT_STEPS(X)                                               \
    X(greeting, PROTO_HANDSHAKE, "GREETING")                              \
    X(style, PROTO_HANDSHAKE, "GREETING.STYLE")                           \
    X(oldstyle, PROTO_HANDSHAKE, "OLDSTYLE")                              \
    X(newstyle, PROTO_HANDSHAKE, "NEWSTYLE.FLAGS")                        \
    X(tls_done, PROTO_HANDSHAKE, "OPTION.TLS_DONE")                       \
    X(option_reply, PROTO_HANDSHAKE, "OPTION.REPLY")                      \
    X(option_skipped, PROTO_HANDSHAKE, "OPTION.SKIPPED")                  \
    X(option_error, PROTO_HANDSHAKE, "OPTION.ERROR")                      \
    X(option_refused, PROTO_HANDSHAKE, "OPTION.REFUSED")                  \
    X(list_item, PROTO_HANDSHAKE, "OPTION.SERVER")                        \
    X(context, PROTO_HANDSHAKE, "OPTION.META_CONTEXT")                    \
    X(info, PROTO_HANDSHAKE, "OPTION.INFO")                               \
    X(info_export, PROTO_HANDSHAKE, "OPTION.INFO.EXPORT")                 \
    X(info_name, PROTO_HANDSHAKE, "OPTION.INFO.NAME")                     \
    X(info_description, PROTO_HANDSHAKE, "OPTION.INFO.DESCRIPTION")       \
    X(info_block_size, PROTO_HANDSHAKE, "OPTION.INFO.BLOCK_SIZE")         \
    X(export_name, PROTO_HANDSHAKE, "EXPORT_NAME")                        \
    X(export_zeroes, PROTO_HANDSHAKE, "EXPORT_NAME.ZEROES")               \
    X(aborted, PROTO_CLOSING, "ABORTED")                                  \
    X(start, PROTO_TRANSMISSION, "START")                                 \
    X(reply, PROTO_TRANSMISSION, "READY")                                 \
    X(simple_data, PROTO_TRANSMISSION, "REPLY.SIMPLE.DATA")               \
    X(chunk, PROTO_TRANSMISSION, "REPLY.CHUNK")                           \
    X(chunk_offset, PROTO_TRANSMISSION, "REPLY.CHUNK.OFFSET")             \
    X(chunk_data, PROTO_TRANSMISSION, "REPLY.CHUNK.DATA")                 \
    X(chunk_hole, PROTO_TRANSMISSION, "REPLY.CHUNK.HOLE")                 \
    X(chunk_status, PROTO_TRANSMISSION, "REPLY.CHUNK.BLOCK_STATUS")       \
    X(chunk_error, PROTO_TRANSMISSION, "REPLY.CHUNK.ERROR")               \
    X(chunk_error_text, PROTO_TRANSMISSION, "REPLY.CHUNK.ERROR.TEXT")     \
    X(chunk_error_tail, PROTO_TRANSMISSION, "REPLY.CHUNK.ERROR.TAIL")     \
    X(chunk_error_offset, PROTO_TRANSMISSION, "REPLY.CHUNK.ERROR.OFFSET") \
    X(chunk_skipped, PROTO_TRANSMISSION, "REPLY.CHUNK.SKIPPED")

/* The same for those in which nothing is expected from the server. */
#define PROTO_IDLE_STEPS(X)                          \
    X(tls, PROTO_HANDSHAKE, "OPTION.TLS")            \
    X(negotiating, PROTO_NEGOTIATING, "NEGOTIATING") \
    X(closed, PROTO_CLOSED, "CLOSED")                \
    X(dead, PROTO_DEAD, "DEAD")

#define PROTO_STEP_ENUM(step, phase, name) STEP_##step,
enum proto_step {
    PROTO_UNIT_STEPS(PROTO_STEP_ENUM) PROTO_IDLE_STEPS(PROTO_STEP_ENUM) PROTO_STEPS
};

#endif /* PROTO_STEPS_H */
