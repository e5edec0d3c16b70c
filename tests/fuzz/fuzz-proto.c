/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-proto.c - the protocol engine against any server
 *
 * The input is a few bytes that choose settings and what the user does, and then what
 * the server says.  The session is played whole, byte by byte and in pieces cut at
 * random; the logs must be the same, and the player's promises kept.
 */

#include "unit/proto-session.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const uint8_t *at;
    size_t left;
};

static uint8_t
take(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

/* The prefix; "test-proto-sessions --corpus DIRECTORY" writes the same. */
static void
take_session(struct input *in, struct session *s)
{
    static char *contexts[] = {"base:allocation", "qemu:allocation-depth", NULL};
    uint8_t settings = take(in), more = take(in), counts = take(in);

    s->config = (struct proto_config){
        .handshake_flags = settings & 3,
        .request_extended_headers = settings & 4,
        .request_structured_replies = settings & 8,
        .request_meta_context = settings & 16,
        .request_block_size = settings & 32,
        .request_full_info = settings & 64,
        .opt_mode = settings & 128,
        .tls = (more & 3) % 3,
        .export_name = more & 4 ? "disk" : NULL,
        .contexts = contexts,
    };
    s->disconnect = more & 8;
    s->abandon = (more & 0xf0) == 0xf0;
    s->window = (more >> 4) & 7;
    s->nr_wishes = counts & 15;
    s->nr_asks = (counts >> 4) & 7;
    for (size_t i = 0; i < s->nr_asks; i++)
        s->asks[i] = (enum proto_option)(take(in) % (PROTO_OPT_SET_META_CONTEXT + 1));
    for (size_t i = 0; i < s->nr_wishes; i++) {
        struct wish *w = &s->wishes[i];
        uint8_t what = take(in), scale = take(in);
        /* Any command but DISC, which is not for users. */
        w->type = (what & 7) == WIRE_CMD_DISC ? WIRE_CMD_READ : what & 7;
        w->flags = what >> 3;
        if (what & 0x80)
            w->flags = WIRE_CMD_FLAG_PAYLOAD_LEN;
        w->offset = (uint64_t)take(in) << (scale & 63);
        w->count = (uint64_t)take(in) << ((scale >> 6) * 2);
        if (w->type != WIRE_CMD_READ && w->type != WIRE_CMD_WRITE && scale & 32)
            w->count <<= 32;
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct session s = {.title = "fuzz"};

    take_session(&in, &s);
    s.server.items = (uint8_t *)(uintptr_t)in.at;
    s.server.len = in.left;

    char *whole = play(&s, CUT_WHOLE, NULL);
    char *single = play(&s, (struct cut){1, 0, SIZE_MAX}, NULL);
    char *random = play(&s, (struct cut){0, (uint32_t)size, SIZE_MAX}, NULL);
    PROMISE(whole && single && random);
    if (strcmp(whole, single) != 0 || strcmp(whole, random) != 0) {
        fprintf(stderr, "whole:\n%s\nbyte by byte:\n%s\nat random:\n%s\n", whole,
                single, random);
        abort();
    }
    free(whole);
    free(single);
    free(random);
    return 0;
}
