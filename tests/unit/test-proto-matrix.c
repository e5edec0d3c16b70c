/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-proto-matrix.c - each kind of answer to each option and command, told in each
 * wrong way
 *
 * Right, truncated at each byte, with the length 0 and 2^32 - 1, for another option or
 * cookie, at another offset, repeated, and out of order.
 */

#include <stdarg.h>

#include "proto-sessions.h"
#include "tap.h"

/* An answer's payload. */
struct unit {
    const char *name;
    uint32_t type; /* WIRE_REP_* or WIRE_CHUNK_* */
    struct bytes payload;
    size_t least; /* a shorter payload is wrong */
};

enum lie {
    RIGHT,
    TRUNCATED, /* the length too: so many bytes are there, and said to be there */
    ENDLESS,   /* the length alone: 2^32 - 1 */
    FOREIGN,   /* of another option, for another cookie */
    TWICE,
    LATE,    /* after what ends the answer */
    SWAPPED, /* after the answer to a later command */
};

/* Numbers as pairs of value and bytes. */
static struct bytes
numbers(size_t n, ...)
{
    struct bytes b = {0};
    va_list args;

    va_start(args, n);
    for (size_t i = 0; i < n; i++) {
        uint64_t value = va_arg(args, uint64_t);
        put_number(&b, value, va_arg(args, size_t));
    }
    va_end(args);
    return b;
}
#define N(value, len) (uint64_t)(value), (size_t)(len)

/* Whole and byte by byte, which must be the same: the log. */
static char *
play_both(const struct session *s)
{
    char *whole = play(s, CUT_WHOLE, NULL);
    char *cut = play(s, (struct cut){1, 0, SIZE_MAX}, NULL);

    if (strcmp(whole, cut) != 0)
        fail("%s: the same byte by byte\n%s\n%s", s->title, whole, cut);
    free(cut);
    return whole;
}

/* Plays it and frees it.  The log must have what is in has, and nothing of has_not. */
static bool
leads_to(struct session *s, const char *has, const char *has_not)
{
    char *log = play_both(s);
    bool well = strstr(log, has) && !(has_not && strstr(log, has_not));

    if (!well)
        diag("wanted \"%s\", not \"%s\"; got:\n%s", has, has_not ? has_not : "", log);
    free(log);
    free(s->server.items);
    return well;
}

/* ---- options ---- */

static const struct option {
    const char *name;
    enum proto_option asked;
    uint32_t number;
} options[] = {
    {"LIST", PROTO_OPT_LIST, WIRE_OPT_LIST},
    {"INFO", PROTO_OPT_INFO, WIRE_OPT_INFO},
    {"GO", PROTO_OPT_GO, WIRE_OPT_GO},
    {"LIST_META_CONTEXT", PROTO_OPT_LIST_META_CONTEXT, WIRE_OPT_LIST_META_CONTEXT},
    {"SET_META_CONTEXT", PROTO_OPT_SET_META_CONTEXT, WIRE_OPT_SET_META_CONTEXT},
    {"STRUCTURED_REPLY", PROTO_OPT_STRUCTURED_REPLY, WIRE_OPT_STRUCTURED_REPLY},
    {"EXTENDED_HEADERS", PROTO_OPT_EXTENDED_HEADERS, WIRE_OPT_EXTENDED_HEADERS},
    {"STARTTLS", PROTO_OPT_STARTTLS, WIRE_OPT_STARTTLS},
    {"ABORT", PROTO_OPT_ABORT, WIRE_OPT_ABORT},
};

static bool
is_final(uint32_t type)
{
    return type == WIRE_REP_ACK || type & WIRE_REP_ERROR_BIT;
}

/* The option that is asked for after it. */
static uint32_t
next_option(const struct option *o)
{
    return o->asked == PROTO_OPT_LIST ? WIRE_OPT_LIST_META_CONTEXT : WIRE_OPT_LIST;
}

static void
put_unit(struct bytes *b, const struct option *o, const struct unit *u, enum lie lie,
         size_t len)
{
    put_option_reply(b, lie == FOREIGN ? next_option(o) : o->number, u->type,
                     lie == ENDLESS ? UINT32_MAX : (uint32_t)len);
    put(b, u->payload.items, len);
    if (lie == ENDLESS)
        put_fill(b, 0, 70000);
}

static struct session
option_session(const struct option *o, const struct unit *u, enum lie lie, size_t len)
{
    struct session s = {.title = o->name};
    struct bytes *b = &s.server;
    bool sized = o->asked == PROTO_OPT_GO || o->asked == PROTO_OPT_INFO;
    bool is_size = u->type == WIRE_REP_INFO && u->payload.items[1] == WIRE_INFO_EXPORT;

    all_wanted(&s);
    s.config.request_structured_replies = false;
    s.config.request_meta_context = false;
    put_newstyle(b, 3);
    ask(&s, o->asked);
    ask(&s, o->asked == PROTO_OPT_LIST ? PROTO_OPT_LIST_META_CONTEXT : PROTO_OPT_LIST);
    if (sized && !is_size)
        put_info_export(b, o->number, 1 << 20, 1);
    if (lie == LATE)
        put_ack(b, o->number);
    put_unit(b, o, u, lie, len);
    if (lie == TWICE)
        put_unit(b, o, u, lie, len);
    if (lie == ENDLESS)
        return s;
    if (!is_final(u->type) && lie != LATE)
        put_ack(b, o->number);
    /* After GO nothing is asked. */
    if (o->asked != PROTO_OPT_GO || u->type & WIRE_REP_ERROR_BIT)
        put_ack(b, next_option(o));
    return s;
}

/* What the log has after an answer that is as it should be. */
static const char *
good_end(const struct option *o, const struct unit *u)
{
    if (o->asked == PROTO_OPT_ABORT)
        return "end\n";
    return u->type & WIRE_REP_ERROR_BIT ? "option done: 2 " : "option done: 0 ";
}

static bool
option_leads_to(const struct option *o, const struct unit *u, enum lie lie, size_t len,
                const char *has, const char *has_not)
{
    struct session s = option_session(o, u, lie, len);

    return leads_to(&s, has, has_not);
}

static void
test_option(const struct option *o, const struct unit *u)
{
    const char *good = good_end(o, u);
    bool abort = o->asked == PROTO_OPT_ABORT, final = is_final(u->type);
    bool error = u->type & WIRE_REP_ERROR_BIT;
    size_t len = u->payload.len, bad = 0;

    ok(option_leads_to(o, u, RIGHT, len, good, NULL), "%s: %s", o->name, u->name);
    for (size_t n = 0; n < len; n++)
        bad += !option_leads_to(o, u, TRUNCATED, n, n < u->least ? "failed 71" : good,
                                n < u->least ? "option done: 0" : "failed 71");
    ok(bad == 0, "%s: %s truncated at each byte", o->name, u->name);
    /* An error's text is thrown away until the server closes. */
    ok(option_leads_to(o, u, ENDLESS, len, abort && error ? "end\n" : "failed ",
                       "option done: 0"),
       "%s: %s of 2^32-1 bytes", o->name, u->name);
    ok(option_leads_to(o, u, FOREIGN, len, "failed 71", "option done: 0"),
       "%s: %s to another option", o->name, u->name);
    ok(option_leads_to(o, u, TWICE, len, final && !abort ? "failed 71" : good,
                       final && !abort ? NULL : "failed 71"),
       "%s: %s twice", o->name, u->name);
    if (!abort)
        ok(option_leads_to(o, u, LATE, len, "failed 71", NULL), "%s: %s after its end",
           o->name, u->name);
}

static void
test_options(void)
{
    struct unit ack = {"ACK", WIRE_REP_ACK, {0}, 0};
    struct unit error = {"an error", WIRE_REP_ERR_UNKNOWN, numbers(1, N(0x6e6f, 2)), 0};
    struct unit server = {"SERVER", WIRE_REP_SERVER,
                          numbers(3, N(2, 4), N(0x6464, 2), N(0x6c6f6e67, 4)), 6};
    struct unit context = {"META_CONTEXT", WIRE_REP_META_CONTEXT,
                           numbers(2, N(1, 4), N(0x626173653a78, 6)), 4};
    struct unit infos[] = {
        {"INFO_EXPORT", WIRE_REP_INFO, numbers(3, N(0, 2), N(4096, 8), N(1, 2)), 12},
        {"INFO_NAME", WIRE_REP_INFO, numbers(2, N(1, 2), N(0x6469736b, 4)), 2},
        {"INFO_DESCRIPTION", WIRE_REP_INFO, numbers(2, N(2, 2), N(0x746865, 3)), 2},
        {"INFO_BLOCK_SIZE", WIRE_REP_INFO,
         numbers(4, N(3, 2), N(1, 4), N(4096, 4), N(1 << 20, 4)), 14},
        {"an unknown INFO", WIRE_REP_INFO, numbers(2, N(0x1234, 2), N(0, 8)), 2},
    };
    size_t nr_infos = sizeof infos / sizeof infos[0];

    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        const struct option *o = &options[i];

        test_option(o, &ack);
        test_option(o, &error);
        if (o->asked == PROTO_OPT_LIST)
            test_option(o, &server);
        if (o->number == WIRE_OPT_LIST_META_CONTEXT ||
            o->number == WIRE_OPT_SET_META_CONTEXT)
            test_option(o, &context);
        for (size_t k = 0; k < nr_infos; k++)
            if (o->asked == PROTO_OPT_GO || o->asked == PROTO_OPT_INFO)
                test_option(o, &infos[k]);
    }
    free(error.payload.items);
    free(server.payload.items);
    free(context.payload.items);
    for (size_t k = 0; k < nr_infos; k++)
        free(infos[k].payload.items);
}

/* ---- commands: the one that is asked for is number 1; number 2 is a FLUSH ---- */

#define OFFSET 1024U
#define COUNT  64U

struct told {
    bool extended;
    uint16_t command;
    const struct unit *unit;
    uint64_t cookie, header_offset, max_len; /* max_len 0: the true length */
};

static void
put_told(struct bytes *b, const struct told *t, uint16_t flags, size_t len)
{
    uint16_t type = (uint16_t)t->unit->type;
    uint64_t said = t->max_len ? t->max_len : len;

    if (t->extended)
        put_extended(b, flags, type, t->cookie, t->header_offset, said);
    else
        put_chunk(b, flags, type, t->cookie, (uint32_t)said);
    put(b, t->unit->payload.items, len);
}

static void
put_none(struct bytes *b, const struct told *t, uint64_t cookie)
{
    if (t->extended)
        put_extended(b, DONE, WIRE_CHUNK_NONE, cookie, cookie == 1 ? OFFSET : 0, 0);
    else
        put_chunk(b, DONE, WIRE_CHUNK_NONE, cookie, 0);
}

static struct session
command_session(const struct told *told, enum lie lie, size_t len)
{
    struct session s = {.title = told->unit->name};
    struct bytes *b = &s.server;
    bool none = told->unit->type == WIRE_CHUNK_NONE;

    if (told->extended)
        extended(&s, b);
    else
        structured(&s, b);
    wish(&s, told->command, OFFSET, COUNT);
    wish(&s, WIRE_CMD_FLUSH, 0, 0);
    if (lie == SWAPPED)
        put_none(b, told, 2);
    if (lie == LATE)
        put_none(b, told, 1);
    put_told(b, told, none ? DONE : 0, len);
    if (lie == TWICE)
        put_told(b, told, none ? DONE : 0, len);
    if (lie == ENDLESS) {
        put_fill(b, 0, 70000);
        return s;
    }
    if (!none && lie != LATE)
        put_none(b, told, 1);
    if (lie != SWAPPED)
        put_none(b, told, 2);
    return s;
}

static bool
told_leads_to(const struct told *told, enum lie lie, size_t len, const char *has,
              const char *has_not)
{
    struct session s = command_session(told, lie, len);

    return leads_to(&s, has, has_not);
}

/* The offset within the payload, where there is one. */
static void
test_offsets(const struct told *told, const char *label)
{
    static const uint64_t wrong[] = {0,
                                     OFFSET - 1,
                                     OFFSET + COUNT,
                                     UINT64_MAX,
                                     UINT64_MAX - COUNT + 1,
                                     (UINT64_C(1) << 63) + OFFSET,
                                     (UINT64_C(1) << 32) + OFFSET};
    struct bytes *payload = (struct bytes *)&told->unit->payload;
    bool error = told->unit->type & WIRE_CHUNK_ERROR_BIT;
    size_t at = error ? payload->len - 8 : 0, bad = 0;

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        for (size_t k = 0; k < 8; k++)
            payload->items[at + k] = (uint8_t)(wrong[i] >> (56 - 8 * k));
        bad += !told_leads_to(told, RIGHT, payload->len,
                              error ? "done 1: 5\ndone 2: 0" : "done 1: 71\ndone 2: 0",
                              error ? "error 1" : "+64 ");
    }
    for (size_t k = 0; k < 8; k++)
        payload->items[at + k] = (uint8_t)((uint64_t)OFFSET >> (56 - 8 * k));
    ok(bad == 0, "%s at other offsets", label);
}

static void
test_command(const char *command_name, struct told told)
{
    const struct unit *u = told.unit;
    bool error = u->type & WIRE_CHUNK_ERROR_BIT, none = u->type == WIRE_CHUNK_NONE;
    bool content =
        u->type == WIRE_CHUNK_OFFSET_DATA || u->type == WIRE_CHUNK_OFFSET_HOLE;
    const char *good = error ? "done 1: 5\ndone 2: 0" : "done 1: 0\ndone 2: 0";
    size_t len = u->payload.len, bad = 0;
    char label[100];

    snprintf(label, sizeof label, "%s, %s: %s",
             told.extended ? "extended" : "structured", command_name, u->name);
    ok(told_leads_to(&told, RIGHT, len, good, "failed"), "%s", label);
    for (size_t n = 0; n < len; n++)
        bad += !told_leads_to(&told, TRUNCATED, n,
                              n < u->least ? "failed 71" : "done 1: ", "done 1: 0");
    ok(bad == 0, "%s truncated at each byte", label);
    told.max_len = UINT32_MAX;
    ok(told_leads_to(&told, ENDLESS, len, "failed ", "done 1: 0"), "%s of 2^32-1 bytes",
       label);
    if (told.extended) {
        told.max_len = UINT64_MAX;
        ok(told_leads_to(&told, ENDLESS, len, "failed 71", "done 1: 0"),
           "%s of 2^64-1 bytes", label);
    }
    told.max_len = 0;
    told.cookie = 3;
    ok(told_leads_to(&told, FOREIGN, len, "failed 71", "done 1: 0"),
       "%s for another cookie", label);
    told.cookie = 1;
    if (told.extended) {
        told.header_offset = OFFSET + 1;
        ok(told_leads_to(&told, RIGHT, len, "failed 71", "done 1: 0"),
           "%s with another offset in its header", label);
        told.header_offset = OFFSET;
    }
    /* Extents that are told twice are the user's affair, as with libnbd. */
    ok(told_leads_to(&told, TWICE, len,
                     none      ? "failed 71"
                     : content ? "done 1: 71\ndone 2: 0"
                               : good,
                     none ? NULL : "failed"),
       "%s twice", label);
    ok(told_leads_to(&told, LATE, len, "failed 71", NULL), "%s after the end", label);
    ok(told_leads_to(&told, SWAPPED, len, error ? "done 1: 5\nend" : "done 1: 0\nend",
                     "failed"),
       "%s after the answer to a later command", label);
    if (content || u->type == WIRE_CHUNK_ERROR_OFFSET)
        test_offsets(&told, label);
}

static void
test_commands(bool extended)
{
    static const struct {
        uint16_t number;
        const char *name;
    } others[] = {{WIRE_CMD_WRITE, "WRITE"},
                  {WIRE_CMD_TRIM, "TRIM"},
                  {WIRE_CMD_CACHE, "CACHE"},
                  {WIRE_CMD_WRITE_ZEROES, "WRITE_ZEROES"}};
    struct unit data = {"DATA", WIRE_CHUNK_OFFSET_DATA, numbers(1, N(OFFSET, 8)), 9};
    struct unit hole = {"HOLE", WIRE_CHUNK_OFFSET_HOLE,
                        numbers(2, N(OFFSET, 8), N(COUNT, 4)), 12};
    struct unit status = {"BLOCK_STATUS", WIRE_CHUNK_BLOCK_STATUS,
                          numbers(3, N(7, 4), N(COUNT, 4), N(3, 4)), 12};
    struct unit wide = {"BLOCK_STATUS_EXT", WIRE_CHUNK_BLOCK_STATUS_EXT,
                        numbers(4, N(7, 4), N(1, 4), N(COUNT, 8), N(3, 8)), 24};
    struct unit error = {"ERROR", WIRE_CHUNK_ERROR,
                         numbers(3, N(5, 4), N(2, 2), N(0x6e6f, 2)), 6};
    struct unit error_offset = {
        "ERROR_OFFSET", WIRE_CHUNK_ERROR_OFFSET,
        numbers(4, N(5, 4), N(2, 2), N(0x6e6f, 2), N(OFFSET, 8)), 14};
    struct unit unknown = {"an unknown error", 0x8abc,
                           numbers(3, N(5, 4), N(2, 2), N(0x6e6f, 2)), 6};
    struct unit none = {"NONE", WIRE_CHUNK_NONE, {0}, 0};
    struct unit *units[] = {&data, &hole, &error, &error_offset, &unknown};
    struct told told = {extended, WIRE_CMD_READ, NULL, 1, OFFSET, 0};

    put_fill(&data.payload, 'x', COUNT);
    for (size_t i = 0; i < 5; i++) {
        told.unit = units[i];
        test_command("READ", told);
    }
    told.command = WIRE_CMD_BLOCK_STATUS;
    told.unit = extended ? &wide : &status;
    test_command("BLOCK_STATUS", told);
    for (size_t i = 2; i < 5; i++) {
        told.unit = units[i];
        if (units[i] != &error_offset)
            test_command("BLOCK_STATUS", told);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        told.command = others[i].number;
        told.unit = &none;
        test_command(others[i].name, told);
        told.unit = &error;
        test_command(others[i].name, told);
    }
    free(data.payload.items);
    free(hole.payload.items);
    free(status.payload.items);
    free(wide.payload.items);
    free(error.payload.items);
    free(error_offset.payload.items);
    free(unknown.payload.items);
}

int
main(void)
{
    test_options();
    test_commands(false);
    test_commands(true);
    done_testing();
}
