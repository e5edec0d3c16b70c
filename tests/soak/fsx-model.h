/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fsx-model.h - what every byte must be, and what was done to it */

#ifndef SOAK_FSX_MODEL_H
#define SOAK_FSX_MODEL_H

#include <stdbool.h>
#include <stdint.h>

enum kind {
    OP_READ,
    OP_READ_DIRECT,
    OP_READ_ON, /* where the last one of these ended, for the read-ahead */
    OP_WRITE,
    OP_WRITE_DIRECT,
    OP_MAP_READ,
    OP_MAP_WRITE,
    OP_MAP_SYNC,
    OP_COPY,
    OP_PUNCH,
    OP_ZERO,
    OP_SYNC,
    OP_OPEN,
    OP_SEEK,
    OP_HINT,
    OP_TRUNCATE,
    OP_KINDS
};

struct kind_info {
    const char *name;
    unsigned weight; /* how often */
};
extern const struct kind_info kinds[OP_KINDS];

struct operation {
    enum kind kind;
    uint64_t off, len, from; /* from: where a copy takes it */
    bool changes;
};

extern uint8_t *model;

/* A place for the next operation in the log, which keeps some thousands. */
struct operation *model_next(void);
unsigned long model_count(void);

/* bytes NULL: zeros. */
void model_change(const struct operation *op, const uint8_t *bytes);
bool model_is_zero(uint64_t off, uint64_t len);

/* Ends the program where got is not what the model has. */
void model_compare(const uint8_t *got, uint64_t off, uint64_t len, const char *what);

/* Ends the program and prints what came before: the last operations, and of the others
 * those that changed the byte at that place. */
__attribute__((noreturn, format(printf, 2, 3))) void wrong(uint64_t at,
                                                           const char *format, ...);

#endif
