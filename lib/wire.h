/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire.h - the numbers of the NBD protocol and the layout of its messages
 *
 * Bytes to numbers, numbers to bytes and to names; names as in the specification
 * (doc/proto.md).  Decoders load a whole message of known length and say no more than
 * what is in it: what it means, and whether it was allowed, is the engine's to judge.
 */

#ifndef WIRE_H
#define WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- numbers ---- */

#define WIRE_NBDMAGIC               UINT64_C(0x4e42444d41474943) /* "NBDMAGIC" */
#define WIRE_IHAVEOPT               UINT64_C(0x49484156454f5054) /* "IHAVEOPT" */
#define WIRE_OLDSTYLE_MAGIC         UINT64_C(0x00420281861253)
#define WIRE_OPTION_REPLY_MAGIC     UINT64_C(0x3e889045565a9)
#define WIRE_REQUEST_MAGIC          UINT32_C(0x25609513)
#define WIRE_SIMPLE_REPLY_MAGIC     UINT32_C(0x67446698)
#define WIRE_STRUCTURED_REPLY_MAGIC UINT32_C(0x668e33ef)
#define WIRE_EXTENDED_REQUEST_MAGIC UINT32_C(0x21e41c71)
#define WIRE_EXTENDED_REPLY_MAGIC   UINT32_C(0x6e8a278c)

/* Strings (export names, descriptions, contexts, error texts) in bytes. */
#define WIRE_MAX_STRING 4096
/* Descriptors in one BLOCK_STATUS chunk. */
#define WIRE_MAX_EXTENTS (UINT32_C(1) << 20)

/* Handshake flags, the same bits in both directions. */
#define WIRE_HANDSHAKE_FIXED_NEWSTYLE 0x0001U
#define WIRE_HANDSHAKE_NO_ZEROES      0x0002U

/* Transmission flags. */
#define WIRE_FLAG_HAS_FLAGS            0x0001U
#define WIRE_FLAG_READ_ONLY            0x0002U
#define WIRE_FLAG_SEND_FLUSH           0x0004U
#define WIRE_FLAG_SEND_FUA             0x0008U
#define WIRE_FLAG_ROTATIONAL           0x0010U
#define WIRE_FLAG_SEND_TRIM            0x0020U
#define WIRE_FLAG_SEND_WRITE_ZEROES    0x0040U
#define WIRE_FLAG_SEND_DF              0x0080U
#define WIRE_FLAG_CAN_MULTI_CONN       0x0100U
#define WIRE_FLAG_SEND_RESIZE          0x0200U
#define WIRE_FLAG_SEND_CACHE           0x0400U
#define WIRE_FLAG_SEND_FAST_ZERO       0x0800U
#define WIRE_FLAG_BLOCK_STATUS_PAYLOAD 0x1000U

enum wire_option {
    WIRE_OPT_EXPORT_NAME = 1,
    WIRE_OPT_ABORT = 2,
    WIRE_OPT_LIST = 3,
    WIRE_OPT_STARTTLS = 5,
    WIRE_OPT_INFO = 6,
    WIRE_OPT_GO = 7,
    WIRE_OPT_STRUCTURED_REPLY = 8,
    WIRE_OPT_LIST_META_CONTEXT = 9,
    WIRE_OPT_SET_META_CONTEXT = 10,
    WIRE_OPT_EXTENDED_HEADERS = 11,
};

/* Answers to options. */
#define WIRE_REP_ACK                 UINT32_C(1)
#define WIRE_REP_SERVER              UINT32_C(2)
#define WIRE_REP_INFO                UINT32_C(3)
#define WIRE_REP_META_CONTEXT        UINT32_C(4)
#define WIRE_REP_ERROR_BIT           UINT32_C(0x80000000)
#define WIRE_REP_ERR_UNSUP           (WIRE_REP_ERROR_BIT | 1)
#define WIRE_REP_ERR_POLICY          (WIRE_REP_ERROR_BIT | 2)
#define WIRE_REP_ERR_INVALID         (WIRE_REP_ERROR_BIT | 3)
#define WIRE_REP_ERR_PLATFORM        (WIRE_REP_ERROR_BIT | 4)
#define WIRE_REP_ERR_TLS_REQD        (WIRE_REP_ERROR_BIT | 5)
#define WIRE_REP_ERR_UNKNOWN         (WIRE_REP_ERROR_BIT | 6)
#define WIRE_REP_ERR_SHUTDOWN        (WIRE_REP_ERROR_BIT | 7)
#define WIRE_REP_ERR_BLOCK_SIZE_REQD (WIRE_REP_ERROR_BIT | 8)
#define WIRE_REP_ERR_TOO_BIG         (WIRE_REP_ERROR_BIT | 9)
#define WIRE_REP_ERR_EXT_HEADER_REQD (WIRE_REP_ERROR_BIT | 10)

enum wire_info {
    WIRE_INFO_EXPORT = 0,
    WIRE_INFO_NAME = 1,
    WIRE_INFO_DESCRIPTION = 2,
    WIRE_INFO_BLOCK_SIZE = 3,
};

enum wire_cmd {
    WIRE_CMD_READ = 0,
    WIRE_CMD_WRITE = 1,
    WIRE_CMD_DISC = 2,
    WIRE_CMD_FLUSH = 3,
    WIRE_CMD_TRIM = 4,
    WIRE_CMD_CACHE = 5,
    WIRE_CMD_WRITE_ZEROES = 6,
    WIRE_CMD_BLOCK_STATUS = 7,
};

/* Command flags. */
#define WIRE_CMD_FLAG_FUA         0x0001U
#define WIRE_CMD_FLAG_NO_HOLE     0x0002U
#define WIRE_CMD_FLAG_DF          0x0004U
#define WIRE_CMD_FLAG_REQ_ONE     0x0008U
#define WIRE_CMD_FLAG_FAST_ZERO   0x0010U
#define WIRE_CMD_FLAG_PAYLOAD_LEN 0x0020U

#define WIRE_REPLY_FLAG_DONE      0x0001U

/* Types of structured reply chunks. */
#define WIRE_CHUNK_NONE             0U
#define WIRE_CHUNK_OFFSET_DATA      1U
#define WIRE_CHUNK_OFFSET_HOLE      2U
#define WIRE_CHUNK_BLOCK_STATUS     5U
#define WIRE_CHUNK_BLOCK_STATUS_EXT 6U
#define WIRE_CHUNK_ERROR_BIT        0x8000U
#define WIRE_CHUNK_ERROR            (WIRE_CHUNK_ERROR_BIT | 1)
#define WIRE_CHUNK_ERROR_OFFSET     (WIRE_CHUNK_ERROR_BIT | 2)

/* ---- sizes of the messages' fixed parts, in bytes ---- */

#define WIRE_GREETING_SIZE          8   /* each of the two magic numbers */
#define WIRE_OLDSTYLE_SIZE          136 /* what follows the greeting */
#define WIRE_HANDSHAKE_FLAGS_SIZE   2
#define WIRE_CLIENT_FLAGS_SIZE      4
#define WIRE_OPTION_SIZE            16
#define WIRE_OPTION_REPLY_SIZE      20
#define WIRE_EXPORT_NAME_REPLY_SIZE 10
#define WIRE_EXPORT_NAME_ZEROES     124
#define WIRE_INFO_TYPE_SIZE         2
#define WIRE_INFO_EXPORT_SIZE       12 /* with the type */
#define WIRE_INFO_BLOCK_SIZE_SIZE   14 /* with the type */
#define WIRE_REQUEST_SIZE           28
#define WIRE_EXTENDED_REQUEST_SIZE  32
#define WIRE_SIMPLE_REPLY_SIZE      16
#define WIRE_STRUCTURED_REPLY_SIZE  20
#define WIRE_EXTENDED_REPLY_SIZE    32
#define WIRE_OFFSET_SIZE            8  /* OFFSET_DATA before the data */
#define WIRE_HOLE_SIZE              12 /* OFFSET_HOLE */
#define WIRE_ERROR_SIZE             6  /* ERROR before the text */
#define WIRE_ERROR_OFFSET_SIZE      14 /* ERROR_OFFSET, less the text */
#define WIRE_STATUS_SIZE            4  /* BLOCK_STATUS before the descriptors */
#define WIRE_STATUS_EXT_SIZE        8  /* BLOCK_STATUS_EXT before the descriptors */
#define WIRE_EXTENT_SIZE            8
#define WIRE_EXTENT_EXT_SIZE        16

/* ---- from bytes (wire-decode.c); bytes must hold the whole fixed part ---- */

struct wire_oldstyle {
    uint64_t size;
    uint16_t handshake_flags, flags;
};
void wire_decode_oldstyle(const uint8_t *bytes, struct wire_oldstyle *m);

struct wire_option_reply {
    uint64_t magic;
    uint32_t option, type, len;
};
void wire_decode_option_reply(const uint8_t *bytes, struct wire_option_reply *m);

/* EXPORT_NAME's answer, and INFO_EXPORT after its type. */
struct wire_export {
    uint64_t size;
    uint16_t flags;
};
void wire_decode_export(const uint8_t *bytes, struct wire_export *m);

/* INFO_BLOCK_SIZE after its type. */
struct wire_block_size {
    uint32_t min, preferred, max;
};
void wire_decode_block_size(const uint8_t *bytes, struct wire_block_size *m);
/* Do the numbers obey the specification? */
bool wire_block_size_is_valid(const struct wire_block_size *m);

/* Any reply's header in transmission.  What a form does not have is 0. */
struct wire_reply {
    uint32_t magic;
    uint16_t flags, type; /* structured and extended */
    uint32_t error;       /* simple */
    uint64_t cookie;
    uint64_t offset; /* extended */
    uint64_t len;    /* structured and extended: bytes of payload */
};
/* The header's length as its magic (4 bytes) says, or 0 for an unknown one. */
size_t wire_reply_size(const uint8_t *bytes);
/* The magic must be a known one. */
void wire_decode_reply(const uint8_t *bytes, struct wire_reply *m);

struct wire_hole {
    uint64_t offset;
    uint32_t len;
};
void wire_decode_hole(const uint8_t *bytes, struct wire_hole *m);

struct wire_extent {
    uint64_t len, flags;
};
/* One descriptor of BLOCK_STATUS, or with extended of BLOCK_STATUS_EXT. */
void wire_decode_extent(const uint8_t *bytes, bool extended, struct wire_extent *m);

/* ---- to bytes (wire-encode.c); bytes has place for the whole message ---- */

/* The header of an option with len bytes of data. */
void wire_encode_option(uint8_t *bytes, uint32_t option, uint32_t len);
/* u32 length and the string.  Returns the end. */
uint8_t *wire_encode_string(uint8_t *bytes, const char *s, size_t len);

/* The data of INFO and GO: the name and the infos that are asked for. */
size_t wire_info_request_size(size_t name_len, size_t nr_infos);
void wire_encode_info_request(uint8_t *bytes, const char *name, size_t name_len,
                              const uint16_t *infos, size_t nr_infos);

/* The data of LIST_ and SET_META_CONTEXT.  queries ends with NULL; NULL means none. 0
 * where it is too long for the protocol. */
uint32_t wire_context_request_size(size_t name_len, char *const *queries);
void wire_encode_context_request(uint8_t *bytes, const char *name, size_t name_len,
                                 char *const *queries);

struct wire_request {
    uint16_t flags, type;
    uint64_t cookie, offset, len;
};
/* The length of the header.  Without extended, len must fit into 32 bits. */
size_t wire_encode_request(uint8_t *bytes, const struct wire_request *m, bool extended);

/* The payload of BLOCK_STATUS with PAYLOAD_LEN: the range's length and the contexts. */
size_t wire_filter_size(size_t nr_ids);
void wire_encode_filter(uint8_t *bytes, uint64_t effect_len, const uint32_t *ids,
                        size_t nr_ids);

/* ---- names and errors (wire-names.c): static texts, "unknown" for the rest ---- */

const char *wire_option_name(uint32_t option);
const char *wire_option_reply_name(uint32_t type);
const char *wire_info_name(uint16_t info);
const char *wire_cmd_name(uint16_t cmd);
const char *wire_chunk_name(uint16_t type);
/* What an error reply to an option means, for people. */
const char *wire_option_error_text(uint32_t type);
/* The errno that an error reply to an option stands for; never 0. */
int wire_option_errno(uint32_t type);
/* An error of a command, from the wire: 0 for 0, EINVAL for an unknown one. */
int wire_errno(uint32_t error);
/* And to the wire: EINVAL for one that the protocol does not have. */
uint32_t wire_error(int number);

#endif /* WIRE_H */
