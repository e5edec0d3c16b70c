/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proto-table.h - all recorded sessions and what must come of them */

#ifndef PROTO_TABLE_H
#define PROTO_TABLE_H

#include "proto-lies.h"
#include "proto-options.h"

#define ANY "ready*\n"

static const struct recorded recorded[] = {
    /* greetings */
    {"an oldstyle server", oldstyle, 0,
     "ready [oldstyle size 4096 flags 3 blocks 0 0 0 *\ndata 1: 0+4 *done 1: 0\nend\n"},
    {"oldstyle is plain text, so fails where TLS is required (CVE-2019-14842)",
     oldstyle, 2, "failed 95: TLS is required*oldstyle*\n"},
    {"oldstyle passes where TLS is allowed", oldstyle, 1, "ready*end\n"},
    {"the largest size", oldstyle_size, INT64_MAX, "ready*size 9223372036854775807*"},
    {"oldstyle: size 2^63 is refused (CVE-2023-5215)", oldstyle_size, UINT64_C(1) << 63,
     "failed 75: *9223372036854775808*\n"},
    {"something that is no NBD server", no_server, 0, "failed 71: *\n"},
    {"NBDMAGIC and then nonsense", no_server, 1, "failed 71: *\n"},
    {"newstyle that is not fixed", not_fixed, 0,
     "ready [newstyle size 1048576 flags 5 *done 1: 0\nend\n"},
    {"newstyle that is not fixed, without zeroes", not_fixed, 1,
     "ready [newstyle size 1048576 flags 5 *done 1: 0\nend\n"},
    {"not fixed fails where TLS is required", not_fixed, 4, "failed 95: TLS*\n"},
    {"not fixed passes where TLS is allowed", not_fixed, 2, "ready*end\n"},
    {"not fixed, by hand: only GO", not_fixed_by_hand, 0,
     "cannot ask 2: 95\noption done: 0*\nready*done 1: 0\nend\n"},
    {"not fixed, by hand: ABORT is just leaving", not_fixed_by_hand, 1,
     "cannot ask 2: 95\nend\n"},
    {"GO unknown: EXPORT_NAME", fall_back, 0,
     "ready [newstyle-fixed size 1048576 flags 5 *\nend\n"},
    {"EXPORT_NAME never comes after extended headers", fall_back, 1,
     "failed 95: export \"disk\": NBD_OPT_GO: *ERR_UNSUP*\n"},
    {"EXPORT_NAME: size 2^64-1 is refused", fall_back, 2, "failed 75: *\n"},

    /* refusals */
    {"an unknown export", go_refused, WIRE_REP_ERR_UNKNOWN,
     "failed 2: export \"disk\": *no such export (NBD_REP_ERR_UNKNOWN): "
     "no\\\\x0away\n"},
    {"a policy", go_refused, WIRE_REP_ERR_POLICY, "failed 95: *\n"},
    {"block sizes required", go_refused, WIRE_REP_ERR_BLOCK_SIZE_REQD,
     "failed 22: *\n"},
    {"an error that nobody knows", go_refused, 0x80001234, "failed 95: *\n"},
    {"TLS is required by the server", first_refused, WIRE_REP_ERR_TLS_REQD,
     "failed 95: *requires TLS*\n"},
    {"the server is shutting down", first_refused, WIRE_REP_ERR_SHUTDOWN,
     "failed 108: NBD_OPT_EXTENDED_HEADERS: *\n"},
    {"TLS is allowed and granted", tls, 2 + 1, "tls\nready [newstyle-fixed tls *end\n"},
    {"TLS is allowed and refused", tls, 2, "ready [newstyle-fixed structured *end\n"},
    {"TLS is required and granted", tls, 4 + 1,
     "tls\nready [newstyle-fixed tls *end\n"},
    {"TLS is required and refused (CVE-2019-14842)", tls, 4,
     "failed 95: NBD_OPT_STARTTLS: *not for you\n"},
    {"the largest size by GO", size, INT64_MAX, "ready*size 9223372036854775807*"},
    {"GO: size 2^63", size, UINT64_C(1) << 63, "failed 75: *\n"},
    {"GO: size 2^63+1", size, (UINT64_C(1) << 63) + 1, "failed 75: *\n"},
    {"GO: size 2^64-1", size, UINT64_MAX, "failed 75: *\n"},
    {"all kinds of information; flags without HAS_FLAGS mean read-only at most", infos,
     0,
     "ready*flags 2 blocks 512 65536 4294967295 name the very disk description  "
     "contexts*"},
    {"impossible block sizes are as good as none", infos, 1,
     "ready*blocks 0 0 0 name*"},

    /* lies in the handshake */
    {"a wrong magic number", lie, 0, "failed 71: NBD_OPT_GO: *magic*\n"},
    {"an answer for another option", lie, 1, "failed 71: *another option\n"},
    {"ACK with a payload", lie, 2, "failed 71: *\n"},
    {"an answer of a foreign type", lie, 3, "failed 71: *type*\n"},
    {"an info without a type", lie, 4, "failed 71: *length\n"},
    {"INFO_EXPORT of a wrong length", lie, 5, "failed 71: *length\n"},
    {"INFO_BLOCK_SIZE of a wrong length", lie, 6, "failed 71: *length\n"},
    {"a description that is too long", lie, 7, "failed 71: *length\n"},
    {"ACK without an export", lie, 8, "failed 71: *how large*\n"},
    {"a refusal of 70000 bytes is read to its end, and cut", lie, 9,
     "failed 95: *xxxxxxxx...\n"},
    {"a refusal of 2^32-1 bytes (CVE-2017-2630)", lie, 10, "failed 107: *\n"},
    {"an unknown info of 2^32-1 bytes", lie, 11, "failed 107: *\n"},
    {"a NUL in a context's name", context_lie, 0, "failed 71: *NUL*\n"},
    {"a context without an id", context_lie, 1, "failed 71: *length\n"},
    {"a context's name that is too long", context_lie, 2, "failed 71: *length\n"},
    {"too many contexts", context_lie, 3, "failed 71: *too many*\n"},

    /* options by hand */
    {"all options by hand; nothing from before TLS is kept", by_hand, 0,
     "export 'disk' 'the disk'\nexport '' ''\noption done: 0 '' *\n"
     "context 'base:allocation'\noption done: 0 *\n"
     "context 'base:allocation'\noption done: 0 * contexts base:allocation=3]\n"
     "option done: 0 * size 4096 * base:allocation=7 qemu:allocation-depth=*]\n"
     "option done: 22 in force 'again[?]' *\n"
     "tls\noption done: 0 in force '' [[]newstyle-fixed tls]\n"
     "option done: 0 in force '' [[]newstyle-fixed tls structured extended]\n"
     "option done: 0 '' *\nready [[]newstyle-fixed tls structured extended size "
     "*\nend\n"},
    {"a refused GO can be tried again, even by EXPORT_NAME", go_again, 0,
     "option done: 2 'not here' [[]newstyle-fixed structured]\n"
     "option done: 95 *]\noption done: 0 *\nready*\nend\n"},
    {"a refused GO can be tried again", go_again, 1,
     "option done: 2 *\noption done: 95 *\noption done: 0 *\nready*"},
    {"INFO without an export", info, 0, "option done: 71 *\nfailed 107: *\n"},
    {"INFO: size 2^64-1", info, UINT64_MAX, "option done: 75 *structured]\nfailed*\n"},
    {"INFO: a size", info, 512, "option done: 0 *size 512*\nfailed*\n"},
    {"ABORT, and the server closes", abort_by_hand, 0, "end\n"},
    {"ABORT is granted", abort_by_hand, 1, "end\n"},
    {"ABORT is refused", abort_by_hand, 2, "end\n"},
    {"LIST: the server is shutting down, and is left", list_shutdown, 0,
     "option done: 108 'night' *\nend\n"},
    {"GO: the server is shutting down, and is left", list_shutdown, 1,
     "option done: 108 'night' *\nend\n"},
    {"TLS once more is refused, and stays", tls_twice, 0,
     "tls\noption done: 0 in force*\noption done: 22 in force*\nfailed 107*\n"},
    {"TLS once more is granted", tls_twice, 1, "tls\n*\nfailed 71: *twice\n"},
    {"LIST: a name longer than its message", list, 0, "failed 71: *\n"},
    {"LIST: a name longer than allowed", list, 1, "failed 71: *\n"},
    {"LIST: a NUL in a name", list, 2, "failed 71: *\n"},
    {"LIST: the longest name and description", list, 3,
     "export 'nnn*n' 'ddd*d'\nexport 'x' ''\noption done: 0 *"},
    {"LIST: an item without a name", list, 4, "failed 71: *\n"},
    {"LIST: an item of 2^32-1 bytes (CVE-2017-2630)", list, 5, "failed 71: *\n"},
    {"LIST: a failure after an item", list, 6, "export 'disk' ''\noption done: 95 *"},
    {"a name that is too long is not sent", too_long_a_name, 0, "failed 36: *\n"},
    {"a name that is too long is not sent with contexts", too_long_a_name, 1,
     "failed 36: *\n"},
    {"a name that is too long is not sent by hand", too_long_a_name, 2,
     "cannot ask 1: 36\ncannot ask 7: 36\nfailed 107: *\n"},
    {"a context that is too long is not sent", too_long_a_context, 0, "failed 36: *\n"},

    /* simple replies */
    {"simple replies", simple_replies, 0,
     ANY "data 1: 0+8 *\ndone 1: 0\ndone 2: 28\ndone 3: 22\nend\n"},
    {"simple replies, one command after the other", simple_replies, 1,
     ANY "data 1: 0+8 *\ndone 1: 0\ndone 2: 28\ndone 3: 22\nend\n"},
    {"EPERM", simple_error, 1, ANY "done 1: 1\nend\n"},
    {"EIO", simple_error, 5, ANY "done 1: 5\nend\n"},
    {"ENOMEM", simple_error, 12, ANY "done 1: 12\nend\n"},
    {"EOVERFLOW", simple_error, 75, ANY "done 1: 75\nend\n"},
    {"ENOTSUP", simple_error, 95, ANY "done 1: 95\nend\n"},
    {"an unknown error is EINVAL", simple_error, UINT32_MAX, ANY "done 1: 22\nend\n"},
    {"4 GiB need extended headers; a READ of nothing", large, 0,
     ANY "refused 75\ndata 1: 0+0 *\ndone 1: 0\nend\n"},

    /* structured and extended replies */
    {"structured replies, mixed", structured_replies, 0,
     ANY "done 2: 0\ndata 1: 1536+1024 *\n"
         "extents 3: base:allocation 0: 4096/0 61440/3\nhole 1: 512+1024 *\n"
         "extents 3: qemu:allocation-depth 0: 4294967295/1\ndone 3: 0\ndone 4: 0\n"
         "data 1: 2560+2048 *\ndone 1: 0\ndata 5: 0+255 *\ndone 5: 5\nend\n"},
    {"extended replies; the last extent is cut at 2^63-1", extended_replies, 0,
     ANY "data 1: 512+512 *\nextents 2: base:allocation 4294967296: "
         "1099511627776/200000000 9223370933048180735/3\nhole 1: 1024+512 *\n"
         "done 1: 0\ndone 2: 0\nextents 3: *\ndone 3: 0\nend\n"},
    {"READ in one chunk", read_chunks, 0, ANY "data*done 1: 0\nend\n"},
    {"READ in two, backwards", read_chunks, 1, ANY "data*data*done 1: 0\nend\n"},
    {"READ in five, in disorder", read_chunks, 2,
     ANY "data*data*hole*data*data*done 1: 0\nend\n"},
    {"READ: the last byte is missing", read_chunks, 3, ANY "data*done 1: 71\nend\n"},
    {"READ: the first byte is missing", read_chunks, 4, ANY "data*done 1: 71\nend\n"},
    {"READ: overlap at the end", read_chunks, 5, ANY "data*+32 *\ndone 1: 71\nend\n"},
    {"READ: overlap with what is ahead", read_chunks, 6,
     ANY "data*+32 *\ndone 1: 71\nend\n"},
    {"READ: overlap of two ahead", read_chunks, 7,
     ANY "data 1: 1056*\ndata 1: 1024*\ndone 1: 71\nend\n"},
    {"READ: a piece of one ahead again", read_chunks, 8,
     ANY "data 1: 1040+16*\ndone 1: 71\nend\n"},
    {"READ: offset 2^64-1 (libnbd, October 2019)", read_chunks, 9,
     ANY "data 1: 1024+64 *\ndone 1: 71\nend\n"},
    {"READ: an offset that wraps", read_chunks, 10,
     ANY "data 1: 1024+64 *\ndone 1: 71\nend\n"},
    {"READ: just before the request", read_chunks, 11,
     ANY "data 1: 1024+64 *\ndone 1: 71\nend\n"},
    {"READ: just after the request", read_chunks, 12,
     ANY "data 1: 1024+64 *\ndone 1: 71\nend\n"},
    {"READ: past the end of the request", read_chunks, 13,
     ANY "data 1: 1024+64 *\ndone 1: 71\nend\n"},
    {"READ: an empty hole", read_chunks, 14, ANY "data 1: 1024*\ndone 1: 71\nend\n"},
    {"READ: too large a hole", read_chunks, 15, ANY "data 1: 1024*\ndone 1: 71\nend\n"},
    {"READ: twice the same", read_chunks, 16, ANY "data 1: 1030*\ndone 1: 71\nend\n"},
    {"READ: 1000 pieces out of order", scattered, 1000, ANY "*done 1: 0\nend\n"},
    {"READ: more pieces than anybody sends", scattered, 1100, ANY "*done 1: 71\nend\n"},

/* lies that end the connection; all commands are answered, with ENOTCONN */
#define VIOLATION(v)                                                                  \
    {                                                                                 \
        "violation " #v, violation, v, ANY "failed 71: *\ndone 1: 107\ndone 2: 107\n" \
    }
    VIOLATION(0),
    VIOLATION(1),
    VIOLATION(2),
    VIOLATION(3),
    VIOLATION(4),
    VIOLATION(5),
    VIOLATION(6),
    VIOLATION(7),
    VIOLATION(8),
    VIOLATION(9),
    VIOLATION(10),
    VIOLATION(11),
    VIOLATION(12),
    VIOLATION(13),
    VIOLATION(14),
    VIOLATION(15),
    VIOLATION(16),
    VIOLATION(17),
    VIOLATION(18),
    VIOLATION(100),
    VIOLATION(101),
    VIOLATION(102),
    VIOLATION(103),
    {"an answer to what is answered", violation, 104,
     ANY "done 2: 5\nfailed 71: *\ndone 1: 107\n"},
    {"structured, but not negotiated", wrong_form, 0, ANY "failed 71: *form*107\n"},
    {"simple, but extended is negotiated", wrong_form, 1, ANY "failed 71: *form*107\n"},
    {"extended, for another offset", wrong_form, 2, ANY "failed 71: *offset*107\n"},
    {"extended: an error of 4 GiB", wrong_form, 3, ANY "failed 71: *4294967296*107\n"},
    {"extended: no extents", wrong_form, 4, ANY "failed 71: *107\n"},
    {"extended: 2^60 extents", wrong_form, 5, ANY "failed 71: *107\n"},

    /* errors in chunks */
    {"an error and where it happened", chunk_errors, 0,
     ANY "data 1: *\nerror 1: 1030 5 'bad'\ndone 1: 5\ndone 2: 0\nend\n"},
    {"an error outside the request", chunk_errors, 1,
     ANY "done 1: 5\ndone 2: 0\nend\n"},
    {"an unknown kind of error, and another: the first one counts", chunk_errors, 2,
     ANY "done 1: 28\ndone 2: 0\nend\n"},
    {"an error's text is longer than its chunk", chunk_errors, 3,
     ANY "done 1: 5\ndone 2: 0\nend\n"},
    {"an error that is none", chunk_errors, 4, ANY "done 1: 71\ndone 2: 0\nend\n"},
    {"an error's text of 65535 bytes", chunk_errors, 5,
     ANY "error 1: 1024 75 'xxx*x...'\ndone 1: 75\ndone 2: 0\nend\n"},
    {"an error of 2^32-1 bytes", chunk_errors, 6, ANY "failed 107: *\ndone 1: 5\n*"},
    {"data after an error", chunk_errors, 7,
     ANY "data 1: 1024+32 *\ndone 1: 5\ndone 2: 0\nend\n"},

    /* BLOCK_STATUS */
    {"extents of an unknown context", status_lies, 0, ANY "done 1: 71\nend\n"},
    {"an extent without length", status_lies, 1, ANY "done 1: 71\nend\n"},
    {"success without extents", status_lies, 2, ANY "done 1: 71\nend\n"},
    {"two extents where one was asked for", status_lies, 3, ANY "done 1: 71\nend\n"},
    {"extents that sum past 2^64 (CVE-2025-47711)", status_lies, 4,
     ANY "done 1: 71\nend\n"},
    {"extents beyond 2^63", status_lies, 5, ANY "done 1: 71\nend\n"},
    {"another number of extents than there are", status_lies, 6,
     ANY "done 1: 71\nend\n"},
    {"a simple success", simple_status, 0, ANY "done 1: 71\nend\n"},
    {"a simple error", simple_status, 22, ANY "done 1: 22\nend\n"},

    /* ends */
    {"ESHUTDOWN: nothing more is sent, the rest is answered, then DISC", shutting_down,
     0, ANY "done 1: 108\ndone 2: 0\nend\n*"},
    {"ESHUTDOWN by a chunk", shutting_down, 1, ANY "done 1: 108\ndone 2: 0\nend\n*"},
    {"the server goes with commands in flight", leaving, 0,
     ANY "failed 107: *\ndone 1: 107\ndone 2: 107\n"},
    {"we go, and abandon what was not sent", leaving, 1,
     ANY "done 1: 107\ndone 2: 107\nend\n"},
    {"the server goes in the middle of a READ (CVE-2022-0485)", leaving, 2,
     ANY "data 1: 0+32 *\nfailed 107: *\ndone 1: 107\ndone 2: 107\n"},
    {"the server goes in the middle of a chunk", leaving, 3,
     ANY "failed 107: *\ndone 1: 107\ndone 2: 107\n"},
};

#define NR_RECORDED (sizeof recorded / sizeof recorded[0])

#endif /* PROTO_TABLE_H */
