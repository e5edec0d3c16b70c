/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* play.c - plays a section of a script: one statement after the other
 *
 * The statements that know NBD are in play-handshake.c and play-command.c.
 */

#include "player.h"

#include <string.h>
#include <sys/socket.h>

static enum verdict
do_send(struct player *p, char *const *words, size_t nr)
{
    for (size_t i = 1; i < nr; i++)
        add_atom(&p->out, &p->vars, words[i]);
    return GO_ON;
}

static enum verdict
do_set(struct player *p, char *const *words, size_t nr)
{
    if (nr != 3)
        script_error(&p->vars, "set NAME EXPRESSION");
    vars_set(&p->vars, "", words[1], evaluate(&p->vars, words[2]));
    return GO_ON;
}

/* check A B: the two are equal */
static enum verdict
do_check(struct player *p, char *const *words, size_t nr)
{
    if (nr != 3)
        script_error(&p->vars, "check EXPRESSION EXPRESSION");
    uint64_t a = evaluate(&p->vars, words[1]), b = evaluate(&p->vars, words[2]);
    if (a != b)
        return fail(p, "%s is %ju, expected %ju", words[1], (uintmax_t)a, (uintmax_t)b);
    return GO_ON;
}

/* check-data [ATOM...]: the data of the last option or command is just this */
static enum verdict
do_check_data(struct player *p, char *const *words, size_t nr)
{
    struct bytes want = {0};
    for (size_t i = 1; i < nr; i++)
        add_atom(&want, &p->vars, words[i]);
    bool same =
        want.n == p->data.n && (want.n == 0 || memcmp(want.v, p->data.v, want.n) == 0);
    bytes_clear(&want);
    return same ? GO_ON : fail(p, "the data (%zu bytes) are others", p->data.n);
}

static enum verdict
do_flush(struct player *p, char *const *words, size_t nr)
{
    (void)words;
    (void)nr;
    return flush_out(p);
}

static enum verdict
do_close(struct player *p, char *const *words, size_t nr)
{
    (void)words;
    (void)nr;
    enum verdict v = flush_out(p);
    if (v == GO_ON)
        shutdown(p->fd, SHUT_RDWR);
    return v == GO_ON ? OVER : v;
}

static enum verdict
do_half_close(struct player *p, char *const *words, size_t nr)
{
    (void)words;
    (void)nr;
    enum verdict v = flush_out(p);
    if (v == GO_ON)
        shutdown(p->fd, SHUT_WR);
    return v;
}

static enum verdict
do_drain(struct player *p, char *const *words, size_t nr)
{
    (void)words;
    (void)nr;
    enum verdict v = flush_out(p);
    return v == GO_ON ? drain(p) : v;
}

static enum verdict
do_eof(struct player *p, char *const *words, size_t nr)
{
    (void)words;
    (void)nr;
    enum verdict v = flush_out(p);
    return v == GO_ON ? expect_eof(p) : v;
}

static const struct {
    const char *name;
    statement *function;
} statements[] = {
    {"send", do_send},
    {"set", do_set},
    {"check", do_check},
    {"check-data", do_check_data},
    {"flush", do_flush},
    {"close", do_close},
    {"half-close", do_half_close},
    {"drain", do_drain},
    {"eof", do_eof},
    {"greeting", do_greeting},
    {"oldstyle", do_oldstyle},
    {"client-flags", do_client_flags},
    {"option", do_option},
    {"reply", do_reply},
    {"info", do_info},
    {"handshake", do_handshake},
    {"request", do_request},
    {"simple", do_simple},
    {"chunk", do_chunk},
    {"serve", do_serve},
    {"disc", do_disc},
};

static enum verdict
play_line(struct player *p, const struct line *l)
{
    p->vars.line = l->number;
    for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++)
        if (strcmp(statements[i].name, l->words[0]) == 0)
            return statements[i].function(p, l->words, l->nr_words);
    script_error(&p->vars, "no such statement: %s", l->words[0]);
}

/* The line with the `end` of the `repeat` at line i. */
static size_t
matching_end(const struct player *p, size_t i, size_t to)
{
    int depth = 0;
    for (; i < to; i++) {
        const char *w = p->tc->server.v[i].words[0];
        if (strcmp(w, "repeat") == 0)
            depth++;
        else if (strcmp(w, "end") == 0 && --depth == 0)
            return i;
    }
    script_error(&p->vars, "`repeat` without `end`");
}

static enum verdict
play_lines(struct player *p, size_t from, size_t to)
{
    enum verdict v = GO_ON;
    for (size_t i = from; v == GO_ON && i < to; i++) {
        const struct line *l = &p->tc->server.v[i];
        if (strcmp(l->words[0], "repeat") != 0) {
            v = play_line(p, l);
            continue;
        }
        p->vars.line = l->number;
        if (l->nr_words != 2)
            script_error(&p->vars, "repeat TIMES");
        uint64_t times = evaluate(&p->vars, l->words[1]);
        size_t end = matching_end(p, i, to);
        for (uint64_t k = 0; v == GO_ON && k < times; k++) {
            vars_set(&p->vars, "", "i", k);
            v = play_lines(p, i + 1, end);
        }
        i = end;
    }
    return v;
}

void
play(int fd, const struct script *s, const struct test_case *tc, size_t section,
     const struct play_options *options, struct play_result *result)
{
    struct player p = {.fd = fd, .tc = tc, .options = options, .result = result};
    p.vars.path = s->path;
    *result = (struct play_result){0};
    if (tc->sweep)
        vars_set(&p.vars, "", tc->sweep, options->sweep);
    size_t from, to;
    script_section(tc, section, &from, &to);
    enum verdict v = play_lines(&p, from, to);
    if (v == GO_ON)
        v = flush_out(&p);
    if (v == GO_ON)
        drain(&p);
    bytes_clear(&p.out);
    bytes_clear(&p.data);
}
