/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* play-command.c - the statements for requests and their replies
 *
 * `serve` is a good server; the others do what they are told, right or wrong.
 */

#include "player.h"

#include <stdlib.h>
#include <string.h>

#define REQUEST_MAGIC          0x25609513
#define EXTENDED_REQUEST_MAGIC 0x21e41c71
#define SIMPLE_MAGIC           0x67446698
#define STRUCTURED_MAGIC       0x668e33ef
#define EXTENDED_MAGIC         0x6e8a278c

#define FLAG_PAYLOAD_LEN       0x20
#define MAX_PAYLOAD            (64 << 20)

enum { READ, WRITE, DISC, FLUSH, TRIM, CACHE, WRITE_ZEROES, BLOCK_STATUS };

static uint64_t
key_or(struct player *p, char *const *words, size_t nr, const char *key, uint64_t value)
{
    const char *s = find_key(words, nr, key);
    return s ? evaluate(&p->vars, s) : value;
}

static void
set(struct player *p, const char *prefix, const char *name, uint64_t value)
{
    vars_set(&p->vars, "", name, value);
    if (*prefix)
        vars_set(&p->vars, prefix, name, value);
}

/* With BLOCK_STATUS and PAYLOAD_LEN: the length of the range and the ids. */
static enum verdict
take_status_payload(struct player *p, const char *prefix)
{
    if (p->data.n < 8 || (p->data.n - 8) % 4 != 0)
        return fail(p, "a BLOCK_STATUS payload of %zu bytes", p->data.n);
    set(p, prefix, "effect", get_be(p->data.v, 8));
    set(p, prefix, "ids", (p->data.n - 8) / 4);
    set(p, prefix, "id", p->data.n > 8 ? get_be(p->data.v + 8, 4) : 0);
    return GO_ON;
}

enum verdict
take_request(struct player *p, const char *prefix)
{
    uint8_t b[32];
    enum verdict v = receive(p, b, p->extended ? 32 : 28, "a request");
    if (v != GO_ON)
        return v;
    uint64_t magic = get_be(b, 4), flags = get_be(b + 4, 2), type = get_be(b + 6, 2);
    uint64_t length = get_be(b + 24, p->extended ? 8 : 4);
    if (magic != (p->extended ? EXTENDED_REQUEST_MAGIC : REQUEST_MAGIC))
        return fail(p, "a request has the magic number %#jx", (uintmax_t)magic);
    set(p, prefix, "flags", flags);
    set(p, prefix, "type", type);
    set(p, prefix, "cookie", get_be(b + 8, 8));
    set(p, prefix, "offset", get_be(b + 16, 8));
    set(p, prefix, "length", length);
    bool payload = p->extended ? flags & FLAG_PAYLOAD_LEN : type == WRITE;
    if (payload && length > MAX_PAYLOAD)
        return fail(p, "a request has %ju bytes of payload", (uintmax_t)length);
    bytes_clear(&p->data);
    if (!payload)
        return GO_ON;
    bytes_zero(&p->data, length);
    v = receive(p, p->data.v, length, "a request's payload");
    if (v == GO_ON && type == BLOCK_STATUS)
        v = take_status_payload(p, prefix);
    return v;
}

/* request TYPE|any [as PREFIX] [offset=N] [length=N] [flags=N] */
enum verdict
do_request(struct player *p, char *const *words, size_t nr)
{
    static const char *const keys[] = {"offset", "length", "flags"};
    if (nr < 2)
        script_error(&p->vars, "request TYPE...");
    bool named = nr > 3 && strcmp(words[2], "as") == 0;
    enum verdict v = take_request(p, named ? words[3] : "");
    if (v != GO_ON)
        return v;
    uint64_t type = vars_get(&p->vars, "type");
    if (strcmp(words[1], "any") != 0 &&
        type != evaluate_name(&p->vars, command_names, words[1]))
        return fail(p, "the client sends %s (%ju), expected %s",
                    name_of(command_names, type), (uintmax_t)type, words[1]);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        uint64_t value = vars_get(&p->vars, keys[i]);
        if (key_or(p, words, nr, keys[i], value) != value)
            return fail(p, "the request's %s is %ju", keys[i], (uintmax_t)value);
    }
    return GO_ON;
}

/* DISC, with nothing in it and nothing after it */
enum verdict
do_disc(struct player *p, char *const *words, size_t nr)
{
    (void)words;
    (void)nr;
    enum verdict v = take_request(p, "");
    if (v != GO_ON)
        return v;
    if (vars_get(&p->vars, "type") != DISC)
        return fail(p, "the client sends %s, expected disc",
                    name_of(command_names, vars_get(&p->vars, "type")));
    if (vars_get(&p->vars, "offset") || vars_get(&p->vars, "length"))
        return fail(p, "DISC has an offset or a length");
    return expect_eof(p);
}

static void
add_atoms(struct player *p, struct bytes *to, char *const *words, size_t nr)
{
    for (size_t i = 0; i < nr; i++)
        if (words[i][0] == '"' ||
            (!strchr(words[i], '=') && strcmp(words[i], "done") != 0))
            add_atom(to, &p->vars, words[i]);
}

static void
send_simple(struct player *p, uint64_t error, uint64_t cookie)
{
    bytes_be(&p->out, SIMPLE_MAGIC, 4);
    bytes_be(&p->out, error, 4);
    bytes_be(&p->out, cookie, 8);
}

/* simple [ERROR] [ATOM...] [cookie=N] */
enum verdict
do_simple(struct player *p, char *const *words, size_t nr)
{
    bool has_error = nr > 1 && words[1][0] != '"' && !strpbrk(words[1], ":=");
    send_simple(p, has_error ? evaluate_name(&p->vars, error_names, words[1]) : 0,
                key_or(p, words, nr, "cookie", vars_get(&p->vars, "cookie")));
    size_t first = has_error ? 2 : 1;
    add_atoms(p, &p->out, words + first, nr - first);
    return GO_ON;
}

struct chunk {
    bool extended;
    uint64_t magic, flags, type, cookie, offset, length;
};

static void
add_chunk_header(struct player *p, const struct chunk *c)
{
    bytes_be(&p->out, c->magic, 4);
    bytes_be(&p->out, c->flags, 2);
    bytes_be(&p->out, c->type, 2);
    bytes_be(&p->out, c->cookie, 8);
    if (c->extended)
        bytes_be(&p->out, c->offset, 8);
    bytes_be(&p->out, c->length, c->extended ? 8 : 4);
}

static struct chunk
chunk_here(struct player *p, uint64_t type, bool done)
{
    return (struct chunk){
        .extended = p->extended,
        .magic = p->extended ? EXTENDED_MAGIC : STRUCTURED_MAGIC,
        .flags = done,
        .type = type,
        .cookie = vars_get(&p->vars, "cookie"),
        .offset = vars_get(&p->vars, "offset"),
    };
}

/* chunk TYPE [done] [ATOM...] [cookie=N] [offset=N] [flags=N] [limit=N] [length=N]
 * [magic=N] [header=structured|extended] */
enum verdict
do_chunk(struct player *p, char *const *words, size_t nr)
{
    if (nr < 2)
        script_error(&p->vars, "chunk TYPE [done] [ATOM...]");
    bool done = false;
    for (size_t i = 2; i < nr; i++)
        done |= strcmp(words[i], "done") == 0;
    struct chunk c =
        chunk_here(p, evaluate_name(&p->vars, chunk_names, words[1]), done);
    const char *header = find_key(words, nr, "header");
    if (header) {
        c.extended = strcmp(header, "extended") == 0;
        c.magic = c.extended ? EXTENDED_MAGIC : STRUCTURED_MAGIC;
    }
    struct bytes data = {0};
    add_atoms(p, &data, words + 2, nr - 2);
    uint64_t limit = key_or(p, words, nr, "limit", data.n);
    size_t n = limit < data.n ? limit : data.n;
    c.magic = key_or(p, words, nr, "magic", c.magic);
    c.flags = key_or(p, words, nr, "flags", c.flags);
    c.cookie = key_or(p, words, nr, "cookie", c.cookie);
    c.offset = key_or(p, words, nr, "offset", c.offset);
    c.length = key_or(p, words, nr, "length", n);
    add_chunk_header(p, &c);
    bytes_add(&p->out, data.v, n);
    bytes_clear(&data);
    return GO_ON;
}

/* ---- a good server ---- */

static void
answer_read(struct player *p, uint64_t offset, uint64_t length)
{
    if (!p->structured) {
        send_simple(p, 0, vars_get(&p->vars, "cookie"));
    } else {
        struct chunk c = chunk_here(p, 1, true);
        c.length = 8 + length;
        add_chunk_header(p, &c);
        bytes_be(&p->out, offset, 8);
    }
    bytes_pattern(&p->out, offset, length);
}

/* One extent over the whole range, in context 1. */
static void
answer_status(struct player *p, uint64_t length)
{
    struct chunk c = chunk_here(p, p->extended ? 6 : 5, true);
    c.length = p->extended ? 24 : 12;
    add_chunk_header(p, &c);
    bytes_be(&p->out, 1, 4);
    if (p->extended)
        bytes_be(&p->out, 1, 4);
    bytes_be(&p->out, length, p->extended ? 8 : 4);
    bytes_be(&p->out, 0, p->extended ? 8 : 4);
}

static void
answer_done(struct player *p)
{
    if (!p->extended) {
        send_simple(p, 0, vars_get(&p->vars, "cookie"));
        return;
    }
    struct chunk c = chunk_here(p, 0, true);
    add_chunk_header(p, &c);
}

/* serve [TIMES]: answers requests rightly, until DISC or the end */
enum verdict
do_serve(struct player *p, char *const *words, size_t nr)
{
    uint64_t times = nr > 1 ? evaluate(&p->vars, words[1]) : UINT64_MAX;
    for (; times > 0; times--) {
        if (client_closed(p))
            return OVER;
        enum verdict v = take_request(p, "");
        if (v != GO_ON)
            return v;
        uint64_t offset = vars_get(&p->vars, "offset");
        uint64_t length = vars_get(&p->vars, "length");
        switch (vars_get(&p->vars, "type")) {
        case READ:
            answer_read(p, offset, length);
            break;
        case BLOCK_STATUS:
            answer_status(p, length);
            break;
        case DISC:
            return expect_eof(p);
        default:
            answer_done(p);
        }
    }
    return GO_ON;
}
