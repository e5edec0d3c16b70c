/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* script.h - what is in a .peer file: cases, each with a client's part and a server's
 *
 * README.md in this folder documents the language.  This part cuts a file into words;
 * it knows neither sockets nor the client library.
 */
#ifndef PEER_SCRIPT_H
#define PEER_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line {
    int number; /* in the file, from 1 */
    char **words;
    size_t nr_words;
};

struct lines {
    struct line *v;
    size_t nr;
};

struct test_case {
    char *name;
    struct lines client; /* one operation each */
    struct lines want;   /* words[0] is the whole rest of the line: a pattern */
    struct lines server; /* statements, `define`s expanded */
    char *sweep;         /* a variable, or NULL */
    uint64_t sweep_from, sweep_to;
    bool strict_cut; /* cut short anywhere, at least one operation fails */
    bool no_cut, no_async, no_pieces;
};

struct script {
    char *path;
    struct test_case *cases;
    size_t nr_cases;
};

/* Ends the program with a message where the file cannot be read or understood. */
void script_read(struct script *s, const char *path);
void script_clear(struct script *s);

/* Sections of the server's part: what is between two `connection` lines. */
size_t script_sections(const struct test_case *tc);
/* The lines of section i are [*from, *to). */
void script_section(const struct test_case *tc, size_t i, size_t *from, size_t *to);

#endif /* PEER_SCRIPT_H */
