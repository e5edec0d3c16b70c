/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* value.c - numbers, variables and bytes as a .peer script writes them
 *
 * Must not know about sockets or the order of the protocol, only its numbers.
 */

#include "value.h"

#include <ctype.h>
#include <err.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct name option_names[] = {
    {"EXPORT_NAME", 1}, {"ABORT", 2},     {"LIST", 3},       {"STARTTLS", 5},
    {"INFO", 6},        {"GO", 7},        {"STRUCTURED", 8}, {"LIST_META", 9},
    {"SET_META", 10},   {"EXTENDED", 11}, {NULL, 0},
};

const struct name reply_names[] = {
    {"ack", 1},
    {"server", 2},
    {"info", 3},
    {"meta", 4},
    {"unsup", 0x80000001},
    {"policy", 0x80000002},
    {"invalid", 0x80000003},
    {"platform", 0x80000004},
    {"tls-reqd", 0x80000005},
    {"unknown", 0x80000006},
    {"shutdown", 0x80000007},
    {"block-size-reqd", 0x80000008},
    {"too-big", 0x80000009},
    {"ext-header-reqd", 0x8000000a},
    {NULL, 0},
};

const struct name info_names[] = {
    {"export", 0}, {"name", 1}, {"description", 2}, {"block-size", 3}, {NULL, 0},
};

const struct name command_names[] = {
    {"read", 0},  {"write", 1}, {"disc", 2},   {"flush", 3}, {"trim", 4},
    {"cache", 5}, {"zero", 6},  {"status", 7}, {NULL, 0},
};

const struct name chunk_names[] = {
    {"none", 0},
    {"data", 1},
    {"hole", 2},
    {"status", 5},
    {"status-ext", 6},
    {"error", 32769},
    {"error-offset", 32770},
    {NULL, 0},
};

const struct name error_names[] = {
    {"EPERM", 1},    {"EIO", 5},         {"ENOMEM", 12},
    {"EINVAL", 22},  {"ENOSPC", 28},     {"EOVERFLOW", 75},
    {"ENOTSUP", 95}, {"ESHUTDOWN", 108}, {NULL, 0},
};

void
script_error(const struct vars *vs, const char *fmt, ...)
{
    va_list ap;
    fprintf(stderr, "%s:%d: ", vs->path, vs->line);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
    _exit(2);
}

void
bytes_add(struct bytes *b, const void *v, size_t n)
{
    if (n == 0)
        return;
    if (n > b->room - b->n) {
        b->room = b->n + n + (b->n + n) / 2;
        b->v = realloc(b->v, b->room);
        if (!b->v)
            err(2, "realloc");
    }
    memcpy(b->v + b->n, v, n);
    b->n += n;
}

void
bytes_be(struct bytes *b, uint64_t value, int width)
{
    uint8_t v[8];
    for (int i = 0; i < width; i++)
        v[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
    bytes_add(b, v, (size_t)width);
}

void
bytes_zero(struct bytes *b, size_t n)
{
    uint8_t *v = calloc(1, n ? n : 1);
    if (!v)
        err(2, "calloc");
    bytes_add(b, v, n);
    free(v);
}

void
bytes_pattern(struct bytes *b, uint64_t offset, size_t n)
{
    uint8_t *v = malloc(n ? n : 1);
    if (!v)
        err(2, "malloc");
    for (size_t i = 0; i < n; i++) {
        uint64_t at = offset + i;
        v[i] = (uint8_t)((at & ~UINT64_C(7)) >> (8 * (7 - (at & 7))));
    }
    bytes_add(b, v, n);
    free(v);
}

void
bytes_clear(struct bytes *b)
{
    free(b->v);
    *b = (struct bytes){0};
}

uint64_t
get_be(const uint8_t *p, int width)
{
    uint64_t r = 0;
    for (int i = 0; i < width; i++)
        r = r << 8 | p[i];
    return r;
}

void
vars_set(struct vars *vs, const char *prefix, const char *name, uint64_t value)
{
    char full[sizeof vs->v[0].name];
    snprintf(full, sizeof full, "%s%s%s", prefix, *prefix ? "." : "", name);
    size_t i = 0;
    while (i < vs->nr && strcmp(vs->v[i].name, full) != 0)
        i++;
    if (i == vs->nr) {
        if (vs->nr == sizeof vs->v / sizeof vs->v[0])
            script_error(vs, "too many variables");
        vs->nr++;
        memcpy(vs->v[i].name, full, sizeof full);
    }
    vs->v[i].value = value;
}

uint64_t
vars_get(const struct vars *vs, const char *name)
{
    for (size_t i = 0; i < vs->nr; i++)
        if (strcmp(vs->v[i].name, name) == 0)
            return vs->v[i].value;
    return 0;
}

static uint64_t
read_variable(const struct vars *vs, const char **s)
{
    char name[sizeof vs->v[0].name];
    size_t n = 0;
    for (; isalnum((unsigned char)**s) || **s == '.' || **s == '_'; ++*s)
        if (n + 1 < sizeof name)
            name[n++] = **s;
    name[n] = '\0';
    for (size_t i = 0; i < vs->nr; i++)
        if (strcmp(vs->v[i].name, name) == 0)
            return vs->v[i].value;
    script_error(vs, "$%s was never set", name);
}

static uint64_t
read_term(const struct vars *vs, const char **s)
{
    if (**s == '$') {
        ++*s;
        return read_variable(vs, s);
    }
    char *end;
    uint64_t value = strtoull(*s, &end, 0);
    if (end == *s)
        script_error(vs, "a number is wanted: %s", *s);
    *s = end;
    if (**s == '^') {
        ++*s;
        uint64_t power = strtoull(*s, &end, 0), base = value;
        *s = end;
        for (value = 1; power > 0; power--)
            value *= base;
        return value;
    }
    static const char suffixes[] = "KMGTPE";
    const char *suffix = **s ? strchr(suffixes, **s) : NULL;
    if (suffix) {
        ++*s;
        value <<= 10 * (suffix - suffixes + 1);
    }
    return value;
}

static uint64_t
read_sum(const struct vars *vs, const char **s)
{
    uint64_t value = read_term(vs, s);
    for (;;) {
        char sign = **s;
        if (sign != '+' && sign != '-' && sign != '*')
            return value;
        ++*s;
        uint64_t next = read_term(vs, s);
        value = sign == '+' ? value + next : sign == '-' ? value - next : value * next;
    }
}

uint64_t
evaluate(const struct vars *vs, const char *expression)
{
    const char *s = expression;
    uint64_t value = read_sum(vs, &s);
    if (*s)
        script_error(vs, "not understood: %s", expression);
    return value;
}

uint64_t
evaluate_name(const struct vars *vs, const struct name *table, const char *s)
{
    for (; table->name; table++)
        if (strcmp(table->name, s) == 0)
            return table->value;
    return evaluate(vs, s);
}

const char *
name_of(const struct name *table, uint64_t value)
{
    for (; table->name; table++)
        if (table->value == value)
            return table->name;
    return "?";
}

static int
hex_digit(const struct vars *vs, char c)
{
    if (!isxdigit((unsigned char)c))
        script_error(vs, "a hexadecimal digit is wanted: %c", c);
    return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static void
add_hex(struct bytes *b, const struct vars *vs, const char *s)
{
    for (; *s; s += 2) {
        int high = hex_digit(vs, s[0]);
        bytes_be(b, (uint64_t)(high << 4 | hex_digit(vs, s[1])), 1);
    }
}

void
add_text(struct bytes *b, const struct vars *vs, const char *word)
{
    if (*word == '"')
        word++;
    for (; *word && !(*word == '"' && !word[1]); word++) {
        char c = *word;
        if (c == '\\' && word[1]) {
            c = *++word;
            if (c == 'n')
                c = '\n';
            else if (c == '0')
                c = '\0';
            else if (c == 'x') {
                int high = hex_digit(vs, word[1]);
                c = (char)(high << 4 | hex_digit(vs, word[2]));
                word += 2;
            }
        }
        bytes_add(b, &c, 1);
    }
}

/* N:REST */
static uint64_t
first_part(const struct vars *vs, const char *s, const char **rest)
{
    uint64_t value = read_sum(vs, &s);
    if (*s != ':')
        script_error(vs, "a colon is wanted: %s", s);
    *rest = s + 1;
    return value;
}

void
add_atom(struct bytes *b, const struct vars *vs, const char *atom)
{
    static const struct name widths[] = {
        {"u8:", 1}, {"be16:", 2}, {"be32:", 4}, {"be64:", 8}, {NULL, 0},
    };
    const char *rest;
    for (const struct name *w = widths; w->name; w++)
        if (strncmp(atom, w->name, strlen(w->name)) == 0) {
            bytes_be(b, evaluate(vs, atom + strlen(w->name)), (int)w->value);
            return;
        }
    if (*atom == '"') {
        add_text(b, vs, atom);
    } else if (strncmp(atom, "hex:", 4) == 0) {
        add_hex(b, vs, atom + 4);
    } else if (strncmp(atom, "zero:", 5) == 0) {
        bytes_zero(b, evaluate(vs, atom + 5));
    } else if (strncmp(atom, "fill:", 5) == 0) {
        size_t at = b->n, n = first_part(vs, atom + 5, &rest);
        bytes_zero(b, n);
        memset(b->v + at, (int)evaluate(vs, rest), n);
    } else if (strncmp(atom, "pattern:", 8) == 0) {
        uint64_t offset = first_part(vs, atom + 8, &rest);
        bytes_pattern(b, offset, evaluate(vs, rest));
    } else {
        script_error(vs, "no such atom: %s", atom);
    }
}

const char *
find_key(char *const *words, size_t nr, const char *key)
{
    size_t n = strlen(key);
    for (size_t i = 0; i < nr; i++)
        if (strncmp(words[i], key, n) == 0 && words[i][n] == '=')
            return words[i] + n + 1;
    return NULL;
}
