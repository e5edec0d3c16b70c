/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* value.h - numbers, variables and bytes as a .peer script writes them
 *
 * Knows no socket.  A mistake in a script ends the program: it is the test's bug.
 */
#ifndef PEER_VALUE_H
#define PEER_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    uint8_t *v;
    size_t n, room;
};

void bytes_add(struct bytes *b, const void *v, size_t n);
void bytes_be(struct bytes *b, uint64_t value, int width);
void bytes_zero(struct bytes *b, size_t n);
/* What `nbdkit pattern` has at offset: each aligned 8 bytes are their own offset. */
void bytes_pattern(struct bytes *b, uint64_t offset, size_t n);
void bytes_clear(struct bytes *b);
uint64_t get_be(const uint8_t *p, int width);

struct var {
    char name[24];
    uint64_t value;
};

struct vars {
    struct var v[64];
    size_t nr;
    const char *path; /* for messages */
    int line;
};

void vars_set(struct vars *vs, const char *prefix, const char *name, uint64_t value);
/* 0 where it was never set */
uint64_t vars_get(const struct vars *vs, const char *name);

/* NUMBER, NUMBER with K M G T P E, 2^63, $name, and sums: a+b-c*d, from the left. */
uint64_t evaluate(const struct vars *vs, const char *expression);
/* A name of the table, or an expression. */
struct name {
    const char *name;
    uint64_t value;
};
uint64_t evaluate_name(const struct vars *vs, const struct name *table, const char *s);
const char *name_of(const struct name *table, uint64_t value);
/* One atom: u8: be16: be32: be64: "text" hex: zero: fill:N:BYTE pattern:OFFSET:N. */
void add_atom(struct bytes *b, const struct vars *vs, const char *atom);
/* The text of a "quoted" or bare word, NUL added after it. */
void add_text(struct bytes *b, const struct vars *vs, const char *word);

/* The value of `key=...` among the words, or NULL; found words are left in place. */
const char *find_key(char *const *words, size_t nr, const char *key);

extern const struct name option_names[], reply_names[], info_names[];
extern const struct name command_names[], chunk_names[], error_names[];

__attribute__((noreturn, format(printf, 2, 3))) void script_error(const struct vars *vs,
                                                                  const char *fmt, ...);

#endif /* PEER_VALUE_H */
