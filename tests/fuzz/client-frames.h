/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-frames.h - what a server said, cut into messages and spoilt */

#ifndef FUZZ_CLIENT_FRAMES_H
#define FUZZ_CLIENT_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAMES_MAX     200
#define MUTATION_BYTES 5

struct frame {
    uint8_t *bytes;
    size_t len;
};

struct frames {
    struct frame v[FRAMES_MAX];
    size_t n;
};

/* Cuts a stream into messages, as their magic numbers and lengths say; what is none is
 * a frame as it is. */
void frames_split(struct frames *frames, const uint8_t *stream, size_t len);

/* Changes one message or the order of them: a length, a type, a cookie, a flag, a cut,
 * a second copy...  All zeros: nothing. */
void frames_mutate(struct frames *frames, const uint8_t mutation[MUTATION_BYTES]);

void frames_clear(struct frames *frames);

#endif
