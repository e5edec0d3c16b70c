/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handle-rules.c - what may be asked of the server, by the strict mode
 *
 * It knows commands as they are asked for, not how they live.
 */

#include "handle.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base-bytes.h"
#include "wire.h"

const struct command_rule command_rules[] = {
    [COMMAND_READ] = {"read", WIRE_CMD_READ, 0, 0, false, true, EINVAL},
    [COMMAND_READ_STRUCTURED] = {"read", WIRE_CMD_READ, LIBNBD_CMD_FLAG_DF, 0, false,
                                 true, EINVAL},
    [COMMAND_WRITE] = {"write", WIRE_CMD_WRITE,
                       LIBNBD_CMD_FLAG_FUA | LIBNBD_CMD_FLAG_PAYLOAD_LEN, 0, true, true,
                       ENOSPC},
    [COMMAND_FLUSH] = {"flush", WIRE_CMD_FLUSH, 0, WIRE_FLAG_SEND_FLUSH, false, false,
                       0},
    [COMMAND_TRIM] = {"trim", WIRE_CMD_TRIM, LIBNBD_CMD_FLAG_FUA, WIRE_FLAG_SEND_TRIM,
                      true, true, ENOSPC},
    [COMMAND_CACHE] = {"cache", WIRE_CMD_CACHE, 0, WIRE_FLAG_SEND_CACHE, false, true,
                       EINVAL},
    [COMMAND_ZERO] = {"zero", WIRE_CMD_WRITE_ZEROES,
                      LIBNBD_CMD_FLAG_FUA | LIBNBD_CMD_FLAG_NO_HOLE |
                          LIBNBD_CMD_FLAG_FAST_ZERO,
                      WIRE_FLAG_SEND_WRITE_ZEROES, true, true, ENOSPC},
    [COMMAND_BLOCK_STATUS] = {"block status", WIRE_CMD_BLOCK_STATUS,
                              LIBNBD_CMD_FLAG_REQ_ONE, 0, false, true, EINVAL},
    [COMMAND_BLOCK_STATUS_FILTER] = {"block status", WIRE_CMD_BLOCK_STATUS,
                                     LIBNBD_CMD_FLAG_REQ_ONE |
                                         LIBNBD_CMD_FLAG_PAYLOAD_LEN,
                                     0, false, true, EINVAL},
};

/* Flags of commands that need a flag of the export. */
static const struct {
    uint32_t flag;
    uint16_t needs;
    const char *name;
} flag_rules[] = {
    {LIBNBD_CMD_FLAG_FUA, WIRE_FLAG_SEND_FUA, "FUA"},
    {LIBNBD_CMD_FLAG_DF, WIRE_FLAG_SEND_DF, "DF"},
    {LIBNBD_CMD_FLAG_FAST_ZERO, WIRE_FLAG_SEND_FAST_ZERO, "FAST_ZERO"},
};

uint32_t
command_payload_maximum(const struct nbd_handle *h)
{
    const struct proto_export *export = proto_export(h->proto);
    uint32_t most = export->known ? export->block_max : 0;

    if (most == 0)
        return 32U << 20U; /* what any server takes, as the specification has it */
    if (most < 1U << 20U)
        return 1U << 20U;
    return most < LIMIT_PAYLOAD ? most : LIMIT_PAYLOAD;
}

bool
handle_find_context(const struct nbd_handle *h, const char *name, uint32_t *id)
{
    size_t n;
    const struct proto_context *contexts = proto_contexts(h->proto, &n);

    for (size_t i = 0; i < n; i++) {
        if (strcmp(contexts[i].name, name) == 0) {
            *id = contexts[i].id;
            return true;
        }
    }
    return false;
}

static int
check_flags(const struct nbd_handle *h, const struct command_rule *rule, uint32_t flags,
            struct error *e)
{
    uint32_t wrong = flags & ~rule->flags;

    if (!(h->strict & LIBNBD_STRICT_FLAGS))
        wrong = flags & ~0xffffU;
    if (wrong)
        return error_set(e, EINVAL, "flags 0x%" PRIx32 " do not go with a %s command",
                         wrong, rule->name);
    return 0;
}

/* What the server said that it can. */
static int
check_ability(const struct nbd_handle *h, const struct command_rule *rule,
              const struct command_request *request, struct error *e)
{
    uint16_t able = proto_export(h->proto)->flags;

    if (rule->needs && !(able & rule->needs))
        return error_set(e, EINVAL, "the server does not support %s commands",
                         rule->name);
    if (rule->writes && able & WIRE_FLAG_READ_ONLY)
        return error_set(e, EPERM, "the export is read-only");
    for (size_t i = 0; i < sizeof flag_rules / sizeof flag_rules[0]; i++)
        if (request->flags & rule->flags & flag_rules[i].flag &&
            !(able & flag_rules[i].needs))
            return error_set(e, EINVAL, "the server does not support the flag %s",
                             flag_rules[i].name);
    if (rule->type != WIRE_CMD_BLOCK_STATUS)
        return 0;

    size_t nr_contexts;
    proto_contexts(h->proto, &nr_contexts);
    if (!proto_structured_replies(h->proto))
        return error_set(e, ENOTSUP, "the server does not support structured replies");
    if (nr_contexts == 0)
        return error_set(e, ENOTSUP,
                         "no meta context was negotiated: nbd_add_meta_context was not "
                         "called before connecting, or the server has none of them");
    if (request->kind == COMMAND_BLOCK_STATUS_FILTER &&
        !(proto_extended_headers(h->proto) && able & WIRE_FLAG_BLOCK_STATUS_PAYLOAD))
        return error_set(e, ENOTSUP, "the server cannot filter block status replies");
    return 0;
}

static int
check_range(const struct nbd_handle *h, const struct command_rule *rule,
            const struct command_request *request, struct error *e)
{
    const struct proto_export *export = proto_export(h->proto);
    uint64_t count = request->count, offset = request->offset;

    if (!rule->ranged)
        return 0;
    if (h->strict & LIBNBD_STRICT_ZERO_SIZE && count == 0)
        return error_set(e, EINVAL, "count cannot be 0");
    if (h->strict & LIBNBD_STRICT_BOUNDS &&
        !range_is_inside(offset, count, export->size))
        return error_set(e, rule->bounds_errno,
                         "%" PRIu64 " bytes at offset %" PRIu64
                         " are not inside the export's %" PRIu64,
                         count, offset, export->size);
    if (h->strict & LIBNBD_STRICT_ALIGN && export->block_min > 1) {
        uint64_t mask = export->block_min - 1;
        bool tail = range_is_inside(offset, count, export->size) &&
                    offset + count == export->size;

        if (offset & mask || (count & mask && !tail))
            return error_set(e, EINVAL,
                             "offset or count is no multiple of the server's "
                             "minimum block size %" PRIu32,
                             export->block_min);
    }
    return 0;
}

static int
check_size(const struct nbd_handle *h, const struct command_rule *rule,
           const struct command_request *request, struct error *e)
{
    uint64_t most = proto_extended_headers(h->proto) ? UINT64_MAX : UINT32_MAX;

    if (rule->type == WIRE_CMD_READ)
        most = LIMIT_PAYLOAD;
    else if (rule->type == WIRE_CMD_WRITE)
        most = h->strict & LIBNBD_STRICT_PAYLOAD ? command_payload_maximum(h)
                                                 : LIMIT_PAYLOAD;
    if (request->count > most)
        return error_set(e, ERANGE,
                         "count %" PRIu64 " is too large, the most is %" PRIu64,
                         request->count, most);
    return 0;
}

int
command_check(const struct nbd_handle *h, const struct command_request *request,
              struct error *e)
{
    const struct command_rule *rule = &command_rules[request->kind];

    if (check_flags(h, rule, request->flags, e) == -1)
        return -1;
    if (proto_phase(h->proto) != PROTO_TRANSMISSION)
        return error_set(e, EINVAL, "no more commands after the disconnect");
    if (h->strict & LIBNBD_STRICT_COMMANDS && check_ability(h, rule, request, e) == -1)
        return -1;
    if (check_range(h, rule, request, e) == -1)
        return -1;
    return check_size(h, rule, request, e);
}
