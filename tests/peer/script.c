/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* script.c - reads .peer files: lines into words, `define` expanded, cases collected
 *
 * Must not know what the statements mean; play.c does.
 */

#include "script.h"

#include <ctype.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *
grow(void *v, size_t nr, size_t size)
{
    if (nr & (nr - 1)) /* only full powers of two need more room */
        return v;
    v = realloc(v, (nr ? nr * 2 : 1) * size);
    if (!v)
        err(2, "realloc");
    return v;
}

static char *
copy(const char *s, size_t n)
{
    char *r = strndup(s, n);
    if (!r)
        err(2, "strndup");
    return r;
}

/* The end of the word at s: blanks inside double quotes belong to it. */
static const char *
word_end(const char *s)
{
    bool quoted = false;
    for (; *s && (quoted || !isspace((unsigned char)*s)); s++) {
        if (*s == '\\' && quoted && s[1])
            s++;
        else if (*s == '"')
            quoted = !quoted;
    }
    return s;
}

static void
add_word(struct line *l, const char *s, size_t n)
{
    l->words = grow(l->words, l->nr_words, sizeof *l->words);
    l->words[l->nr_words++] = copy(s, n);
}

static void
split(struct line *l, const char *s)
{
    for (;;) {
        while (isspace((unsigned char)*s))
            s++;
        if (!*s || *s == '#')
            return;
        const char *end = word_end(s);
        add_word(l, s, (size_t)(end - s));
        s = end;
    }
}

/* Takes over l's words. */
static void
add_line(struct lines *to, const struct line *l)
{
    to->v = grow(to->v, to->nr, sizeof *to->v);
    to->v[to->nr++] = *l;
}

static void
clear_line(struct line *l)
{
    for (size_t i = 0; i < l->nr_words; i++)
        free(l->words[i]);
    free(l->words);
    *l = (struct line){0};
}

static void
clear_lines(struct lines *ls)
{
    for (size_t i = 0; i < ls->nr; i++)
        clear_line(&ls->v[i]);
    free(ls->v);
    *ls = (struct lines){0};
}

struct define {
    char *name;
    struct lines body;
};

struct reader {
    struct script *s;
    struct define *defines;
    size_t nr_defines;
    struct define *open; /* being read */
    int depth;           /* of `repeat` inside it */
    int number;
};

static struct test_case *
current(struct reader *r)
{
    if (r->s->nr_cases == 0)
        errx(2, "%s:%d: no `case` before this line", r->s->path, r->number);
    return &r->s->cases[r->s->nr_cases - 1];
}

static void
expand(struct reader *r, const char *name)
{
    for (size_t i = 0; i < r->nr_defines; i++) {
        if (strcmp(r->defines[i].name, name) != 0)
            continue;
        const struct lines *body = &r->defines[i].body;
        for (size_t k = 0; k < body->nr; k++) {
            struct line l = {.number = body->v[k].number};
            for (size_t w = 0; w < body->v[k].nr_words; w++)
                add_word(&l, body->v[k].words[w], strlen(body->v[k].words[w]));
            add_line(r->open ? &r->open->body : &current(r)->server, &l);
        }
        return;
    }
    errx(2, "%s:%d: `call %s`, which is not defined", r->s->path, r->number, name);
}

static void
read_sweep(struct reader *r, const struct line *l)
{
    struct test_case *tc = current(r);
    if (l->nr_words != 4)
        errx(2, "%s:%d: sweep NAME FROM TO", r->s->path, r->number);
    tc->sweep = copy(l->words[1], strlen(l->words[1]));
    tc->sweep_from = strtoull(l->words[2], NULL, 0);
    tc->sweep_to = strtoull(l->words[3], NULL, 0);
}

/* Inside a `define`.  true: the line was used up. */
static bool
read_define_line(struct reader *r, struct line *l)
{
    if (!r->open)
        return false;
    const char *w = l->words[0];
    if (strcmp(w, "end") == 0 && r->depth == 0) {
        r->open = NULL;
        clear_line(l);
        return true;
    }
    if (strcmp(w, "repeat") == 0)
        r->depth++;
    else if (strcmp(w, "end") == 0)
        r->depth--;
    if (strcmp(w, "call") == 0 && l->nr_words == 2) {
        expand(r, l->words[1]);
        clear_line(l);
    } else {
        add_line(&r->open->body, l);
    }
    return true;
}

/* Lines about the case itself.  true: it was one. */
static bool
read_case_line(struct reader *r, struct line *l, const char *rest)
{
    const char *w = l->words[0];
    if (strcmp(w, "case") == 0) {
        r->s->cases = grow(r->s->cases, r->s->nr_cases, sizeof *r->s->cases);
        r->s->cases[r->s->nr_cases++] =
            (struct test_case){.name = copy(rest, strlen(rest))};
    } else if (strcmp(w, "define") == 0 && l->nr_words == 2) {
        r->defines = grow(r->defines, r->nr_defines, sizeof *r->defines);
        r->open = &r->defines[r->nr_defines++];
        *r->open = (struct define){.name = copy(l->words[1], strlen(l->words[1]))};
        r->depth = 0;
    } else if (strcmp(w, "want") == 0) {
        struct line want = {.number = r->number};
        add_word(&want, rest, strlen(rest));
        add_line(&current(r)->want, &want);
    } else if (strcmp(w, "sweep") == 0) {
        read_sweep(r, l);
    } else if (strcmp(w, "strict-cut") == 0) {
        current(r)->strict_cut = true;
    } else if (strcmp(w, "no-cut") == 0) {
        current(r)->no_cut = true;
    } else if (strcmp(w, "no-async") == 0) {
        current(r)->no_async = true;
    } else if (strcmp(w, "no-pieces") == 0) {
        current(r)->no_pieces = true;
    } else if (strcmp(w, "call") == 0 && l->nr_words == 2) {
        expand(r, l->words[1]);
    } else {
        return false;
    }
    return true;
}

static void
read_line(struct reader *r, const char *text)
{
    struct line l = {.number = r->number};
    split(&l, text);
    if (l.nr_words == 0)
        return;
    while (isspace((unsigned char)*text))
        text++;
    const char *rest = text + strlen(l.words[0]);
    while (isspace((unsigned char)*rest))
        rest++;
    if (read_define_line(r, &l))
        return;
    if (read_case_line(r, &l, rest)) {
        clear_line(&l);
    } else if (strcmp(l.words[0], "client") == 0) {
        if (l.nr_words < 2)
            errx(2, "%s:%d: client OPERATION...", r->s->path, r->number);
        free(l.words[0]);
        memmove(l.words, l.words + 1, --l.nr_words * sizeof *l.words);
        add_line(&current(r)->client, &l);
    } else {
        add_line(&current(r)->server, &l);
    }
}

void
script_read(struct script *s, const char *path)
{
    *s = (struct script){.path = copy(path, strlen(path))};
    FILE *f = fopen(path, "re");
    if (!f)
        err(2, "%s", path);
    struct reader r = {.s = s};
    char *text = NULL;
    size_t size = 0;
    ssize_t n;
    while ((n = getline(&text, &size, f)) >= 0) {
        while (n > 0 && isspace((unsigned char)text[n - 1]))
            text[--n] = '\0';
        r.number++;
        read_line(&r, text);
    }
    if (r.open)
        errx(2, "%s: `define %s` has no end", path, r.open->name);
    for (size_t i = 0; i < r.nr_defines; i++) {
        free(r.defines[i].name);
        clear_lines(&r.defines[i].body);
    }
    free(r.defines);
    free(text);
    fclose(f);
}

void
script_clear(struct script *s)
{
    for (size_t i = 0; i < s->nr_cases; i++) {
        struct test_case *tc = &s->cases[i];
        clear_lines(&tc->client);
        clear_lines(&tc->want);
        clear_lines(&tc->server);
        free(tc->name);
        free(tc->sweep);
    }
    free(s->cases);
    free(s->path);
    *s = (struct script){0};
}

static bool
is_boundary(const struct line *l)
{
    return strcmp(l->words[0], "connection") == 0;
}

size_t
script_sections(const struct test_case *tc)
{
    size_t nr = 1;
    for (size_t i = 0; i < tc->server.nr; i++)
        nr += is_boundary(&tc->server.v[i]);
    return nr;
}

void
script_section(const struct test_case *tc, size_t i, size_t *from, size_t *to)
{
    size_t line = 0;
    for (; i > 0 && line < tc->server.nr; line++)
        i -= is_boundary(&tc->server.v[line]);
    *from = line;
    while (line < tc->server.nr && !is_boundary(&tc->server.v[line]))
        line++;
    *to = line;
}
