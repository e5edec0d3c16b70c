/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fsx-model.c - see fsx-model.h */

#include "fsx-model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOG_MAX   4096 /* operations that are remembered */
#define LOG_SHOWN 40

const struct kind_info kinds[OP_KINDS] = {
    [OP_READ] = {"read", 14},
    [OP_READ_DIRECT] = {"read-direct", 8},
    [OP_READ_ON] = {"read-on", 14},
    [OP_WRITE] = {"write", 14},
    [OP_WRITE_DIRECT] = {"write-direct", 8},
    [OP_MAP_READ] = {"map-read", 8},
    [OP_MAP_WRITE] = {"map-write", 10},
    [OP_MAP_SYNC] = {"msync", 2},
    [OP_COPY] = {"copy", 3},
    [OP_PUNCH] = {"punch", 5},
    [OP_ZERO] = {"zero", 4},
    [OP_SYNC] = {"fsync", 2},
    [OP_OPEN] = {"open", 2},
    [OP_SEEK] = {"seek", 4},
    [OP_HINT] = {"hint", 2},
    [OP_TRUNCATE] = {"truncate", 1},
};

uint8_t *model;

static struct operation done[LOG_MAX];
static unsigned long count;

struct operation *
model_next(void)
{
    return &done[count++ % LOG_MAX];
}

unsigned long
model_count(void)
{
    return count;
}

static void
print_operation(unsigned long number, uint64_t at)
{
    const struct operation *op = &done[number % LOG_MAX];
    bool touches = op->changes && op->off <= at && at < op->off + op->len;

    printf("%s%8lu %-12s %8llu +%llu", touches ? "*" : " ", number,
           kinds[op->kind].name, (unsigned long long)op->off,
           (unsigned long long)op->len);
    if (op->kind == OP_COPY)
        printf(" from %llu", (unsigned long long)op->from);
    printf("\n");
}

static void
print_log(uint64_t at)
{
    unsigned long first = count > LOG_MAX ? count - LOG_MAX : 0;

    for (unsigned long i = first; i < count; i++) {
        const struct operation *op = &done[i % LOG_MAX];
        if (count - i <= LOG_SHOWN ||
            (op->changes && op->off <= at && at < op->off + op->len))
            print_operation(i, at);
    }
}

void
wrong(uint64_t at, const char *format, ...)
{
    int error = errno;
    va_list args;

    printf("WRONG in operation %lu: ", count - 1);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf(" (%s)\n", strerror(error));
    print_log(at);
    fflush(stdout);
    _exit(1);
}

void
model_compare(const uint8_t *got, uint64_t off, uint64_t len, const char *what)
{
    uint64_t n = 0, first = 0;

    if (memcmp(got, model + off, len) == 0)
        return;
    for (uint64_t i = len; i-- > 0;)
        if (got[i] != model[off + i]) {
            first = i;
            n++;
        }
    errno = 0;
    wrong(off + first, "%s: byte %llu is %02x, not %02x; %llu bytes differ", what,
          (unsigned long long)(off + first), got[first], model[off + first],
          (unsigned long long)n);
}

bool
model_is_zero(uint64_t off, uint64_t len)
{
    return len == 0 || (model[off] == 0 &&
                        memcmp(model + off, model + off + 1, (size_t)len - 1) == 0);
}

void
model_change(const struct operation *op, const uint8_t *bytes)
{
    if (bytes != NULL)
        memmove(model + op->off, bytes, op->len);
    else
        memset(model + op->off, 0, op->len);
}
