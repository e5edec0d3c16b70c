/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* play-handshake.c - the statements for the greeting and the options
 *
 * `handshake` is a good server; the others do what they are told, right or wrong.
 */

#include "player.h"

#include <stdlib.h>
#include <string.h>

#define OPTION_MAGIC UINT64_C(0x49484156454F5054) /* IHAVEOPT */
#define REPLY_MAGIC  UINT64_C(0x3e889045565a9)

enum { /* options */
       EXPORT_NAME = 1,
       ABORT = 2,
       LIST = 3,
       INFO = 6,
       GO = 7,
       STRUCTURED = 8,
       LIST_META = 9,
       SET_META = 10,
       EXTENDED = 11,
};

enum { REP_ACK = 1, REP_SERVER = 2, REP_INFO = 3, REP_META = 4 };
#define REP_UNSUP   0x80000001
#define REP_UNKNOWN 0x80000006

static uint64_t
key_or(struct player *p, char *const *words, size_t nr, const char *key, uint64_t value)
{
    const char *s = find_key(words, nr, key);
    return s ? evaluate(&p->vars, s) : value;
}

enum verdict
do_greeting(struct player *p, char *const *words, size_t nr)
{
    bytes_add(&p->out, "NBDMAGICIHAVEOPT", 16);
    bytes_be(&p->out, nr > 1 ? evaluate(&p->vars, words[1]) : 3, 2);
    return GO_ON;
}

/* oldstyle SIZE FLAGS */
enum verdict
do_oldstyle(struct player *p, char *const *words, size_t nr)
{
    if (nr != 3)
        script_error(&p->vars, "oldstyle SIZE FLAGS");
    bytes_add(&p->out, "NBDMAGIC", 8);
    bytes_be(&p->out, UINT64_C(0x420281861253), 8);
    bytes_be(&p->out, evaluate(&p->vars, words[1]), 8);
    bytes_be(&p->out, evaluate(&p->vars, words[2]), 4);
    bytes_zero(&p->out, 124);
    vars_set(&p->vars, "", "size", evaluate(&p->vars, words[1]));
    return GO_ON;
}

/* client-flags [EXPECTED] */
enum verdict
do_client_flags(struct player *p, char *const *words, size_t nr)
{
    uint8_t b[4];
    enum verdict v = receive(p, b, sizeof b, "the client's flags");
    if (v != GO_ON)
        return v;
    uint64_t flags = get_be(b, 4);
    vars_set(&p->vars, "", "client_flags", flags);
    if (nr > 1 && flags != evaluate(&p->vars, words[1]))
        return fail(p, "the client's flags are %#jx", (uintmax_t)flags);
    return GO_ON;
}

/* Where the option's data has an export name at its head. */
static void
note_export_name(struct player *p, uint32_t option)
{
    bool prefixed =
        option == INFO || option == GO || option == LIST_META || option == SET_META;
    uint64_t n = p->data.n;
    if (prefixed)
        n = p->data.n >= 4 ? get_be(p->data.v, 4) : 0;
    if (n > p->data.n - (prefixed ? 4 : 0))
        n = 0;
    vars_set(&p->vars, "", "namelen", n);
}

enum verdict
take_option(struct player *p)
{
    uint8_t b[16];
    enum verdict v = receive(p, b, sizeof b, "an option");
    if (v != GO_ON)
        return v;
    uint64_t option = get_be(b + 8, 4), n = get_be(b + 12, 4);
    if (get_be(b, 8) != OPTION_MAGIC)
        return fail(p, "an option has the magic number %#jx", (uintmax_t)get_be(b, 8));
    if (n > 1 << 20)
        return fail(p, "option %ju has %ju bytes of data", (uintmax_t)option,
                    (uintmax_t)n);
    bytes_clear(&p->data);
    bytes_zero(&p->data, n);
    v = receive(p, p->data.v, n, "an option's data");
    vars_set(&p->vars, "", "opt", option);
    vars_set(&p->vars, "", "optlen", n);
    note_export_name(p, (uint32_t)option);
    return v;
}

static enum verdict
check_option(struct player *p, char *const *words, size_t nr)
{
    uint64_t option = vars_get(&p->vars, "opt"), n = vars_get(&p->vars, "optlen");
    if (strcmp(words[1], "any") != 0 &&
        option != evaluate_name(&p->vars, option_names, words[1]))
        return fail(p, "the client asks for %s (%ju), expected %s",
                    name_of(option_names, option), (uintmax_t)option, words[1]);
    if (key_or(p, words, nr, "length", n) != n)
        return fail(p, "the option has %ju bytes of data", (uintmax_t)n);
    const char *name = find_key(words, nr, "name");
    if (!name)
        return GO_ON;
    struct bytes want = {0};
    add_text(&want, &p->vars, name);
    size_t at = option == EXPORT_NAME ? 0 : 4, len = vars_get(&p->vars, "namelen");
    bool same = want.n == len && (len == 0 || memcmp(want.v, p->data.v + at, len) == 0);
    bytes_clear(&want);
    return same ? GO_ON : fail(p, "the client asks for another export than %s", name);
}

/* option NAME|any [length=N] [name="..."] */
enum verdict
do_option(struct player *p, char *const *words, size_t nr)
{
    if (nr < 2)
        script_error(&p->vars, "option NAME [length=N] [name=EXPORT]");
    enum verdict v = take_option(p);
    return v == GO_ON ? check_option(p, words, nr) : v;
}

static void
add_reply_header(struct player *p, uint64_t magic, uint64_t option, uint64_t type,
                 uint64_t length)
{
    bytes_be(&p->out, magic, 8);
    bytes_be(&p->out, option, 4);
    bytes_be(&p->out, type, 4);
    bytes_be(&p->out, length, 4);
}

void
send_reply(struct player *p, uint32_t type, const void *data, size_t n)
{
    add_reply_header(p, REPLY_MAGIC, vars_get(&p->vars, "opt"), type, n);
    bytes_add(&p->out, data, n);
}

/* The reply's data is there; limit= cuts it, length=, option= and magic= lie. */
static void
send_reply_as_told(struct player *p, uint64_t type, struct bytes *data,
                   char *const *words, size_t nr)
{
    uint64_t limit = key_or(p, words, nr, "limit", data->n);
    size_t n = limit < data->n ? limit : data->n;
    add_reply_header(p, key_or(p, words, nr, "magic", REPLY_MAGIC),
                     key_or(p, words, nr, "option", vars_get(&p->vars, "opt")), type,
                     key_or(p, words, nr, "length", n));
    bytes_add(&p->out, data->v, n);
    bytes_clear(data);
}

/* Words that are atoms, not keys. */
static void
add_atoms(struct player *p, struct bytes *to, char *const *words, size_t nr)
{
    for (size_t i = 0; i < nr; i++)
        if (words[i][0] == '"' || !strchr(words[i], '='))
            add_atom(to, &p->vars, words[i]);
}

/* reply TYPE [ATOM...] [limit=N] [length=N] [option=N] [magic=N] */
enum verdict
do_reply(struct player *p, char *const *words, size_t nr)
{
    if (nr < 2)
        script_error(&p->vars, "reply TYPE [ATOM...]");
    struct bytes data = {0};
    add_atoms(p, &data, words + 2, nr - 2);
    send_reply_as_told(p, evaluate_name(&p->vars, reply_names, words[1]), &data, words,
                       nr);
    return GO_ON;
}

/* info export SIZE FLAGS | block-size MIN PREFERRED MAX | name TEXT | description TEXT
 * | NUMBER [ATOM...], with reply's keys */
enum verdict
do_info(struct player *p, char *const *words, size_t nr)
{
    static const int widths[4][3] = {{8, 2, 0}, {0}, {0}, {4, 4, 4}};
    if (nr < 2)
        script_error(&p->vars, "info TYPE...");
    uint64_t type = evaluate_name(&p->vars, info_names, words[1]);
    struct bytes data = {0};
    bytes_be(&data, type, 2);
    if (type == 0 || type == 3) {
        for (size_t i = 0; i < 3 && i + 2 < nr && widths[type][i]; i++)
            bytes_be(&data, evaluate(&p->vars, words[2 + i]), widths[type][i]);
    } else {
        add_atoms(p, &data, words + 2, nr - 2);
    }
    send_reply_as_told(p, REP_INFO, &data, words, nr);
    return GO_ON;
}

/* ---- a good server ---- */

static bool
is_listed(const char *list, const char *s, size_t n)
{
    while (list && *list) {
        size_t len = strcspn(list, ",");
        if (len == n && memcmp(list, s, n) == 0)
            return true;
        list += len + (list[len] == ',');
    }
    return false;
}

static void
grant(struct player *p, uint32_t id, const char *s, size_t n)
{
    struct bytes data = {0};
    bytes_be(&data, id, 4);
    bytes_add(&data, s, n);
    send_reply(p, REP_META, data.v, data.n);
    bytes_clear(&data);
}

/* Grants each context that is asked for and in the list, with ids 1, 2... */
static void
answer_meta(struct player *p, const char *contexts)
{
    size_t at = 4 + vars_get(&p->vars, "namelen");
    uint64_t queries = at + 4 <= p->data.n ? get_be(p->data.v + at, 4) : 0;
    uint32_t id = 0;
    at += 4;
    for (uint64_t i = 0; i < queries && at + 4 <= p->data.n; i++) {
        size_t n = get_be(p->data.v + at, 4);
        at += 4;
        if (n > p->data.n - at)
            break;
        if (is_listed(contexts, (char *)p->data.v + at, n))
            grant(p, ++id, (char *)p->data.v + at, n);
        at += n;
    }
    while (queries == 0 && contexts && *contexts) {
        size_t n = strcspn(contexts, ",");
        grant(p, ++id, contexts, n);
        contexts += n + (contexts[n] == ',');
    }
    send_reply(p, REP_ACK, NULL, 0);
}

static void
answer_info(struct player *p, char *const *words, size_t nr)
{
    struct bytes data = {0};
    bytes_be(&data, 0, 2);
    bytes_be(&data, vars_get(&p->vars, "size"), 8);
    bytes_be(&data, vars_get(&p->vars, "tflags"), 2);
    send_reply(p, REP_INFO, data.v, data.n);
    bytes_clear(&data);
    if (find_key(words, nr, "min")) {
        bytes_be(&data, 3, 2);
        bytes_be(&data, key_or(p, words, nr, "min", 1), 4);
        bytes_be(&data, key_or(p, words, nr, "pref", 4096), 4);
        bytes_be(&data, key_or(p, words, nr, "max", 32 << 20), 4);
        send_reply(p, REP_INFO, data.v, data.n);
        bytes_clear(&data);
    }
    send_reply(p, REP_ACK, NULL, 0);
}

static enum verdict
answer_export_name(struct player *p)
{
    bytes_be(&p->out, vars_get(&p->vars, "size"), 8);
    bytes_be(&p->out, vars_get(&p->vars, "tflags"), 2);
    if (!(vars_get(&p->vars, "client_flags") & 2))
        bytes_zero(&p->out, 124);
    return GO_ON;
}

/* OVER: transmission begins, or the client has said ABORT. */
static enum verdict
answer_option(struct player *p, char *const *words, size_t nr)
{
    uint32_t option = (uint32_t)vars_get(&p->vars, "opt");
    bool extended = option == EXTENDED && key_or(p, words, nr, "eh", 0);
    bool structured = option == STRUCTURED && key_or(p, words, nr, "sr", 1);
    switch (option) {
    case EXPORT_NAME:
        answer_export_name(p);
        return OVER;
    case GO:
    case INFO:
        answer_info(p, words, nr);
        return option == GO ? OVER : GO_ON;
    case LIST_META:
    case SET_META:
        answer_meta(p, find_key(words, nr, "contexts"));
        return GO_ON;
    case LIST:
        send_reply(p, REP_SERVER, "\0\0\0\0", 4);
        break;
    case ABORT:
        break;
    default:
        if (!extended && !structured) {
            send_reply(p, REP_UNSUP, NULL, 0);
            return GO_ON;
        }
        p->extended |= extended;
        p->structured = true;
    }
    send_reply(p, REP_ACK, NULL, 0);
    return GO_ON;
}

/* handshake [size=] [flags=] [greeting=] [sr=0|1] [eh=0|1] [contexts=A,B] [min= pref=
 * max=] [until=OPTION]: answers everything rightly, until GO or EXPORT_NAME is
 * answered; or until OPTION was asked, which it leaves to the script. */
enum verdict
do_handshake(struct player *p, char *const *words, size_t nr)
{
    const char *until = find_key(words, nr, "until");
    uint64_t stop = until ? evaluate_name(&p->vars, option_names, until) : 0;
    vars_set(&p->vars, "", "size", key_or(p, words, nr, "size", 1 << 20));
    vars_set(&p->vars, "", "tflags", key_or(p, words, nr, "flags", 0xded));
    bytes_add(&p->out, "NBDMAGICIHAVEOPT", 16);
    bytes_be(&p->out, key_or(p, words, nr, "greeting", 3), 2);
    enum verdict v = do_client_flags(p, words, 1);
    while (v == GO_ON) {
        v = take_option(p);
        if (v == GO_ON && vars_get(&p->vars, "opt") == stop)
            return GO_ON;
        if (v == GO_ON && answer_option(p, words, nr) == OVER)
            return GO_ON;
    }
    return v;
}
