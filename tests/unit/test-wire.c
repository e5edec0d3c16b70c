/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-wire.c - bytes to numbers and back, as the specification has them */

#include <errno.h>

#include "libnbd.h"
#include "tap.h"
#include "wire.h"

_Static_assert(WIRE_HANDSHAKE_FIXED_NEWSTYLE == LIBNBD_HANDSHAKE_FLAG_FIXED_NEWSTYLE &&
                   WIRE_HANDSHAKE_NO_ZEROES == LIBNBD_HANDSHAKE_FLAG_NO_ZEROES,
               "handshake flags are those of the wire");
_Static_assert(LIBNBD_TLS_DISABLE == 0 && LIBNBD_TLS_ALLOW == 1 &&
                   LIBNBD_TLS_REQUIRE == 2,
               "proto-engine.h counts the same");
_Static_assert(WIRE_CMD_FLAG_FUA == LIBNBD_CMD_FLAG_FUA &&
                   WIRE_CMD_FLAG_NO_HOLE == LIBNBD_CMD_FLAG_NO_HOLE &&
                   WIRE_CMD_FLAG_DF == LIBNBD_CMD_FLAG_DF &&
                   WIRE_CMD_FLAG_REQ_ONE == LIBNBD_CMD_FLAG_REQ_ONE &&
                   WIRE_CMD_FLAG_FAST_ZERO == LIBNBD_CMD_FLAG_FAST_ZERO &&
                   WIRE_CMD_FLAG_PAYLOAD_LEN == LIBNBD_CMD_FLAG_PAYLOAD_LEN,
               "command flags are those of the wire");

/* 0x00 0x01 0x02 ... */
static uint8_t counting[256];

static void
is_bytes(const uint8_t *got, const char *want, size_t len, const char *what)
{
    if (!ok(memcmp(got, want, len) == 0, "%s", what))
        for (size_t i = 0; i < len; i++)
            diag("%3zu: got %02x, want %02x", i, got[i], (uint8_t)want[i]);
}

static void
test_decode_handshake(void)
{
    struct wire_oldstyle oldstyle;
    wire_decode_oldstyle(counting, &oldstyle);
    is_int(oldstyle.size, 0x0001020304050607, "oldstyle: size");
    is_int(oldstyle.handshake_flags, 0x0809, "oldstyle: handshake flags");
    is_int(oldstyle.flags, 0x0a0b, "oldstyle: transmission flags");

    struct wire_option_reply reply;
    wire_decode_option_reply(counting, &reply);
    is_int(reply.magic, 0x0001020304050607, "option reply: magic");
    is_int(reply.option, 0x08090a0b, "option reply: option");
    is_int(reply.type, 0x0c0d0e0f, "option reply: type");
    is_int(reply.len, 0x10111213, "option reply: length");

    struct wire_export export;
    wire_decode_export(counting + 0xf0, &export);
    ok(export.size == 0xf0f1f2f3f4f5f6f7, "export: size");
    is_int(export.flags, 0xf8f9, "export: flags");

    struct wire_block_size sizes;
    wire_decode_block_size(counting + 0xf0, &sizes);
    is_int(sizes.min, 0xf0f1f2f3, "block size: minimum");
    is_int(sizes.preferred, 0xf4f5f6f7, "block size: preferred");
    is_int(sizes.max, 0xf8f9fafb, "block size: maximum");
}

static void
test_block_size(void)
{
    static const struct {
        struct wire_block_size m;
        bool valid;
    } t[] = {
        {{1, 512, UINT32_MAX}, true},
        {{1, 4096, 1 << 25}, true},
        {{65536, 65536, 65536}, true},
        {{512, 4096, 1024}, true},
        {{0, 4096, 1 << 25}, false},
        {{3, 4096, 1 << 25}, false},
        {{131072, 131072, 1 << 25}, false},
        {{1, 256, 1 << 25}, false},
        {{1, 4097, 1 << 25}, false},
        {{8192, 4096, 1 << 25}, false},
        {{512, 4096, 0}, false},
        {{512, 4096, 513}, false},
        {{1, 0, 1 << 25}, false},
    };

    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++)
        ok(wire_block_size_is_valid(&t[i].m) == t[i].valid,
           "block sizes %u/%u/%u are %s", t[i].m.min, t[i].m.preferred, t[i].m.max,
           t[i].valid ? "valid" : "refused");
}

static void
test_decode_replies(void)
{
    static const uint8_t simple[] = "\x67\x44\x66\x98\0\0\0\x1c\1\2\3\4\5\6\7\x8";
    static const uint8_t structured[] =
        "\x66\x8e\x33\xef\0\1\x80\2\1\2\3\4\5\6\7\x8\xf1\xf2\xf3\xf4";
    static const uint8_t extended[] =
        "\x6e\x8a\x27\x8c\0\1\0\6\1\2\3\4\5\6\7\x8\x11\x12\x13\x14\x15\x16\x17\x18"
        "\x21\x22\x23\x24\x25\x26\x27\x28";
    struct wire_reply m;

    is_int(wire_reply_size(simple), 16, "simple: length of the header");
    wire_decode_reply(simple, &m);
    is_int(m.error, 28, "simple: error");
    is_int(m.cookie, 0x0102030405060708, "simple: cookie");
    is_int(m.len, 0, "simple: no length");

    is_int(wire_reply_size(structured), 20, "structured: length of the header");
    wire_decode_reply(structured, &m);
    is_int(m.flags, WIRE_REPLY_FLAG_DONE, "structured: flags");
    is_int(m.type, WIRE_CHUNK_ERROR_OFFSET, "structured: type");
    is_int(m.cookie, 0x0102030405060708, "structured: cookie");
    is_int(m.len, 0xf1f2f3f4, "structured: length");

    is_int(wire_reply_size(extended), 32, "extended: length of the header");
    wire_decode_reply(extended, &m);
    is_int(m.type, WIRE_CHUNK_BLOCK_STATUS_EXT, "extended: type");
    is_int(m.offset, 0x1112131415161718, "extended: offset");
    is_int(m.len, 0x2122232425262728, "extended: length");

    is_int(wire_reply_size(counting), 0, "an unknown magic number");

    struct wire_hole hole;
    wire_decode_hole(counting, &hole);
    is_int(hole.offset, 0x0001020304050607, "hole: offset");
    is_int(hole.len, 0x08090a0b, "hole: length");

    struct wire_extent extent;
    wire_decode_extent(counting + 0xf0, false, &extent);
    is_int(extent.len, 0xf0f1f2f3, "extent: length");
    is_int(extent.flags, 0xf4f5f6f7, "extent: flags");
    wire_decode_extent(counting + 0xf0, true, &extent);
    ok(extent.len == 0xf0f1f2f3f4f5f6f7, "wide extent: length");
    ok(extent.flags == 0xf8f9fafbfcfdfeff, "wide extent: flags");
}

static void
test_encode_options(void)
{
    static char *queries[] = {"a", "bc", NULL};
    uint8_t bytes[64];

    wire_encode_option(bytes, WIRE_OPT_GO, 0x01020304);
    is_bytes(bytes, "IHAVEOPT\0\0\0\7\1\2\3\4", 16, "option");

    is_int(wire_info_request_size(2, 2), 12, "GO: length");
    wire_encode_info_request(bytes, "ab", 2,
                             (uint16_t[]){WIRE_INFO_NAME, WIRE_INFO_BLOCK_SIZE}, 2);
    is_bytes(bytes, "\0\0\0\2ab\0\2\0\1\0\3", 12, "GO");

    is_int(wire_context_request_size(2, queries), 21, "SET_META_CONTEXT: length");
    wire_encode_context_request(bytes, "xy", 2, queries);
    is_bytes(bytes, "\0\0\0\2xy\0\0\0\2\0\0\0\1a\0\0\0\2bc", 21, "SET_META_CONTEXT");
    is_int(wire_context_request_size(0, NULL), 8, "no queries: length");
    wire_encode_context_request(bytes, "", 0, NULL);
    is_bytes(bytes, "\0\0\0\0\0\0\0\0", 8, "no queries");
    is_int(wire_context_request_size((size_t)INT32_MAX, queries), 0,
           "more than the protocol takes");

    is_int(wire_filter_size(2), 16, "filter: length");
    wire_encode_filter(bytes, 0x0102030405060708, (uint32_t[]){1, 0xfffefdfc}, 2);
    is_bytes(bytes, "\1\2\3\4\5\6\7\x8\0\0\0\1\xff\xfe\xfd\xfc", 16, "filter");
}

static void
test_encode_requests(void)
{
    struct wire_request m = {
        .flags = WIRE_CMD_FLAG_FUA,
        .type = WIRE_CMD_WRITE_ZEROES,
        .cookie = 0x0102030405060708,
        .offset = 0x1112131415161718,
        .len = 0xf1f2f3f4,
    };
    uint8_t bytes[32];

    is_int(wire_encode_request(bytes, &m, false), 28, "request: length");
    is_bytes(bytes,
             "\x25\x60\x95\x13\0\1\0\6\1\2\3\4\5\6\7\x8\x11\x12\x13\x14\x15\x16\x17\x18"
             "\xf1\xf2\xf3\xf4",
             28, "request");
    m.len = 0x2122232425262728;
    is_int(wire_encode_request(bytes, &m, true), 32, "extended request: length");
    is_bytes(bytes,
             "\x21\xe4\x1c\x71\0\1\0\6\1\2\3\4\5\6\7\x8\x11\x12\x13\x14\x15\x16\x17\x18"
             "\x21\x22\x23\x24\x25\x26\x27\x28",
             32, "extended request");
}

static void
test_names(void)
{
    static const struct {
        uint32_t error;
        int number;
    } errors[] = {{0, 0},          {1, EPERM},    {5, EIO},
                  {12, ENOMEM},    {22, EINVAL},  {28, ENOSPC},
                  {75, EOVERFLOW}, {95, ENOTSUP}, {108, ESHUTDOWN}};

    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        is_int(wire_errno(errors[i].error), errors[i].number, "error %u from the wire",
               errors[i].error);
        is_int(wire_error(errors[i].number), errors[i].error, "error %u to the wire",
               errors[i].error);
    }
    is_int(wire_errno(4711), EINVAL, "an unknown error from the wire is EINVAL");
    is_int(wire_error(ECHILD), 22, "and to the wire");

    is_str(wire_option_name(7), "NBD_OPT_GO", "the name of an option");
    is_str(wire_option_name(4), "unknown", "an option that does not exist");
    is_str(wire_option_reply_name(1), "NBD_REP_ACK", "the name of an answer");
    is_str(wire_option_reply_name(0x80000006), "NBD_REP_ERR_UNKNOWN", "of an error");
    is_str(wire_option_reply_name(0x8000ffff), "unknown", "of an unknown error");
    is_str(wire_info_name(3), "NBD_INFO_BLOCK_SIZE", "the name of an info");
    is_str(wire_cmd_name(7), "NBD_CMD_BLOCK_STATUS", "the name of a command");
    is_str(wire_chunk_name(0x8002), "NBD_REPLY_TYPE_ERROR_OFFSET", "of a chunk");
    static const int numbers[] = {ENOTSUP, ENOTSUP, ENOTSUP, EINVAL,
                                  ENOTSUP, ENOTSUP, ENOENT,  ESHUTDOWN,
                                  EINVAL,  EINVAL,  ENOTSUP, ENOTSUP};
    for (uint32_t i = 0; i < 12; i++) {
        is_int(wire_option_errno(WIRE_REP_ERROR_BIT | i), numbers[i],
               "the errno of an option's error %u", i);
        ok(wire_option_error_text(WIRE_REP_ERROR_BIT | i)[0], "and a text");
    }
    is_int(wire_option_errno(WIRE_REP_ACK), ENOTSUP, "what is no error gets one too");
}

int
main(void)
{
    for (size_t i = 0; i < sizeof counting; i++)
        counting[i] = (uint8_t)i;
    test_decode_handshake();
    test_block_size();
    test_decode_replies();
    test_encode_options();
    test_encode_requests();
    test_names();
    done_testing();
}
