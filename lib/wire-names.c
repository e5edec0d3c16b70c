/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* wire-names.c - the protocol's numbers as names, and its errors as errno and back */

#include "wire.h"

#include <errno.h>

struct name {
    uint32_t number;
    const char *name;
};

static const char *
look_up(const struct name *names, size_t n, uint32_t number)
{
    for (size_t i = 0; i < n; i++)
        if (names[i].number == number)
            return names[i].name;
    return "unknown";
}
#define LOOK_UP(names, number) look_up(names, sizeof names / sizeof names[0], number)

const char *
wire_option_name(uint32_t option)
{
    static const struct name names[] = {
        {WIRE_OPT_EXPORT_NAME, "NBD_OPT_EXPORT_NAME"},
        {WIRE_OPT_ABORT, "NBD_OPT_ABORT"},
        {WIRE_OPT_LIST, "NBD_OPT_LIST"},
        {WIRE_OPT_STARTTLS, "NBD_OPT_STARTTLS"},
        {WIRE_OPT_INFO, "NBD_OPT_INFO"},
        {WIRE_OPT_GO, "NBD_OPT_GO"},
        {WIRE_OPT_STRUCTURED_REPLY, "NBD_OPT_STRUCTURED_REPLY"},
        {WIRE_OPT_LIST_META_CONTEXT, "NBD_OPT_LIST_META_CONTEXT"},
        {WIRE_OPT_SET_META_CONTEXT, "NBD_OPT_SET_META_CONTEXT"},
        {WIRE_OPT_EXTENDED_HEADERS, "NBD_OPT_EXTENDED_HEADERS"},
    };
    return LOOK_UP(names, option);
}

const char *
wire_info_name(uint16_t info)
{
    static const struct name names[] = {
        {WIRE_INFO_EXPORT, "NBD_INFO_EXPORT"},
        {WIRE_INFO_NAME, "NBD_INFO_NAME"},
        {WIRE_INFO_DESCRIPTION, "NBD_INFO_DESCRIPTION"},
        {WIRE_INFO_BLOCK_SIZE, "NBD_INFO_BLOCK_SIZE"},
    };
    return LOOK_UP(names, info);
}

const char *
wire_cmd_name(uint16_t cmd)
{
    static const struct name names[] = {
        {WIRE_CMD_READ, "NBD_CMD_READ"},
        {WIRE_CMD_WRITE, "NBD_CMD_WRITE"},
        {WIRE_CMD_DISC, "NBD_CMD_DISC"},
        {WIRE_CMD_FLUSH, "NBD_CMD_FLUSH"},
        {WIRE_CMD_TRIM, "NBD_CMD_TRIM"},
        {WIRE_CMD_CACHE, "NBD_CMD_CACHE"},
        {WIRE_CMD_WRITE_ZEROES, "NBD_CMD_WRITE_ZEROES"},
        {WIRE_CMD_BLOCK_STATUS, "NBD_CMD_BLOCK_STATUS"},
    };
    return LOOK_UP(names, cmd);
}

const char *
wire_chunk_name(uint16_t type)
{
    static const struct name names[] = {
        {WIRE_CHUNK_NONE, "NBD_REPLY_TYPE_NONE"},
        {WIRE_CHUNK_OFFSET_DATA, "NBD_REPLY_TYPE_OFFSET_DATA"},
        {WIRE_CHUNK_OFFSET_HOLE, "NBD_REPLY_TYPE_OFFSET_HOLE"},
        {WIRE_CHUNK_BLOCK_STATUS, "NBD_REPLY_TYPE_BLOCK_STATUS"},
        {WIRE_CHUNK_BLOCK_STATUS_EXT, "NBD_REPLY_TYPE_BLOCK_STATUS_EXT"},
        {WIRE_CHUNK_ERROR, "NBD_REPLY_TYPE_ERROR"},
        {WIRE_CHUNK_ERROR_OFFSET, "NBD_REPLY_TYPE_ERROR_OFFSET"},
    };
    return LOOK_UP(names, type);
}

/* ---- answers to options; the errnos are those that programs know from libnbd ---- */

static const struct option_reply {
    uint32_t type;
    int number;
    const char *name, *text;
} option_replies[] = {
    {WIRE_REP_ACK, 0, "NBD_REP_ACK", ""},
    {WIRE_REP_SERVER, 0, "NBD_REP_SERVER", ""},
    {WIRE_REP_INFO, 0, "NBD_REP_INFO", ""},
    {WIRE_REP_META_CONTEXT, 0, "NBD_REP_META_CONTEXT", ""},
    {WIRE_REP_ERR_UNSUP, ENOTSUP, "NBD_REP_ERR_UNSUP", "the server does not know it"},
    {WIRE_REP_ERR_POLICY, ENOTSUP, "NBD_REP_ERR_POLICY",
     "the server's policy forbids it"},
    {WIRE_REP_ERR_INVALID, EINVAL, "NBD_REP_ERR_INVALID",
     "the server considers it invalid"},
    {WIRE_REP_ERR_PLATFORM, ENOTSUP, "NBD_REP_ERR_PLATFORM",
     "the server's platform does not support it"},
    {WIRE_REP_ERR_TLS_REQD, ENOTSUP, "NBD_REP_ERR_TLS_REQD",
     "the server requires TLS first"},
    {WIRE_REP_ERR_UNKNOWN, ENOENT, "NBD_REP_ERR_UNKNOWN",
     "the server has no such export"},
    {WIRE_REP_ERR_SHUTDOWN, ESHUTDOWN, "NBD_REP_ERR_SHUTDOWN",
     "the server is shutting down"},
    {WIRE_REP_ERR_BLOCK_SIZE_REQD, EINVAL, "NBD_REP_ERR_BLOCK_SIZE_REQD",
     "the server requires that block sizes are asked for"},
    {WIRE_REP_ERR_TOO_BIG, EINVAL, "NBD_REP_ERR_TOO_BIG",
     "the server finds the request too large"},
    {WIRE_REP_ERR_EXT_HEADER_REQD, ENOTSUP, "NBD_REP_ERR_EXT_HEADER_REQD",
     "the server requires extended headers"},
};

static const struct option_reply *
find_option_reply(uint32_t type)
{
    static const struct option_reply unknown = {
        0, ENOTSUP, "unknown", "the server answers with an error unknown here"};

    for (size_t i = 0; i < sizeof option_replies / sizeof option_replies[0]; i++)
        if (option_replies[i].type == type)
            return &option_replies[i];
    return &unknown;
}

const char *
wire_option_reply_name(uint32_t type)
{
    return find_option_reply(type)->name;
}

const char *
wire_option_error_text(uint32_t type)
{
    return find_option_reply(type)->text;
}

int
wire_option_errno(uint32_t type)
{
    int number = find_option_reply(type)->number;

    return number ? number : ENOTSUP;
}

/* ---- errors of commands ---- */

/* The numbers on the wire are Linux's, but other systems count otherwise. */
static const struct {
    uint32_t error;
    int number;
} errors[] = {
    {1, EPERM},   {5, EIO},        {12, ENOMEM},  {22, EINVAL},
    {28, ENOSPC}, {75, EOVERFLOW}, {95, ENOTSUP}, {108, ESHUTDOWN},
};

int
wire_errno(uint32_t error)
{
    if (error == 0)
        return 0;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].error == error)
            return errors[i].number;
    return EINVAL;
}

uint32_t
wire_error(int number)
{
    if (number == 0)
        return 0;
    for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (errors[i].number == number)
            return errors[i].error;
    return 22;
}
