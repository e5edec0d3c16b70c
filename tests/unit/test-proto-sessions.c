/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-proto-sessions.c - the engine plays all recorded sessions, in any pieces
 *
 *     test-proto-sessions [SEED]
 *     test-proto-sessions --corpus DIRECTORY     # write them for fuzz-proto
 */

#include <fnmatch.h>
#include <time.h>

#include "proto-table.h"
#include "tap.h"

#include "proto-steps.h"

static const char *const step_names[PROTO_STEPS] = {
#define STEP_NAME(step, phase, name) name,
    PROTO_UNIT_STEPS(STEP_NAME) PROTO_IDLE_STEPS(STEP_NAME)};
static bool step_seen[PROTO_STEPS];

static void
on_step(const char *name)
{
    for (size_t i = 0; i < PROTO_STEPS; i++)
        if (strcmp(step_names[i], name) == 0)
            step_seen[i] = true;
}

static void
test_session(const struct recorded *t, uint32_t seed)
{
    struct session s = {.title = t->title};

    t->build(&s, &s.server, t->v);
    char *whole = play(&s, CUT_WHOLE, NULL);
    if (!ok(fnmatch(t->log, whole, 0) == 0, "%s", t->title))
        diag("wanted:\n%s\ngot:\n%s", t->log, whole);

    size_t different = 0;
    for (size_t size = 0; size < 24; size++) {
        char *cut = play(&s, (struct cut){size, seed + (uint32_t)size, SIZE_MAX},
                         size == 1 ? on_step : NULL);
        if (strcmp(cut, whole) != 0 && different++ == 0)
            diag("whole:\n%s\ncut by %zu, seed %u:\n%s", whole, size, seed, cut);
        free(cut);
    }
    ok(different == 0, "%s: the same in any pieces", t->title);

    /* The server closes after each byte (CVE-2021-20286): the player sees to it that
     * there is an end, and that all commands are answered.  Of long sessions the
     * middle is left out. */
    size_t bad = 0;
    for (size_t n = 0; n < s.server.len; n++) {
        if (n == 400 && s.server.len > 1000)
            n = s.server.len - 300;
        char *log = play(&s, (struct cut){SIZE_MAX, seed, n}, NULL);
        bad += !strstr(log, "failed ") && !strstr(log, "end\n");
        free(log);
    }
    ok(bad == 0, "%s: cut off after each byte", t->title);
    free(whole);
    free(s.server.items);
}

/* ---- seeds for the fuzzer ---- */

/* The four bytes by which fuzz-proto.c knows a wish; false: it cannot say this one. */
static bool
put_wish(struct bytes *b, const struct wish *w)
{
    for (unsigned scale = 0; scale < 256; scale++) {
        unsigned wide =
            w->type != WIRE_CMD_READ && w->type != WIRE_CMD_WRITE && scale & 32 ? 32
                                                                                : 0;
        unsigned shift = (scale >> 6) * 2 + wide;
        uint64_t offset = w->offset >> (scale & 63), count = w->count >> shift;
        if (offset > 255 || offset << (scale & 63) != w->offset || count > 255 ||
            count << shift != w->count)
            continue;
        put_number(
            b, w->flags & 0x20 ? 0x80U | w->type : (unsigned)w->flags << 3 | w->type,
            1);
        put_number(b, scale, 1);
        put_number(b, offset, 1);
        put_number(b, count, 1);
        return true;
    }
    return false;
}

static void
write_seed(const struct recorded *t, const char *directory, size_t number)
{
    struct session s = {.title = t->title};
    struct bytes b = {0};
    char path[4096];
    bool can = true;

    t->build(&s, &s.server, t->v);
    const struct proto_config *c = &s.config;
    put_number(&b,
               c->handshake_flags | (unsigned)c->request_extended_headers << 2 |
                   (unsigned)c->request_structured_replies << 3 |
                   (unsigned)c->request_meta_context << 4 |
                   (unsigned)c->request_block_size << 5 |
                   (unsigned)c->request_full_info << 6 | (unsigned)c->opt_mode << 7,
               1);
    put_number(&b,
               s.abandon ? 0xf0U
                         : (unsigned)c->tls | (c->export_name ? 4U : 0) |
                               (unsigned)s.disconnect << 3 | (unsigned)s.window << 4,
               1);
    put_number(&b, s.nr_wishes | s.nr_asks << 4, 1);
    for (size_t i = 0; i < s.nr_asks; i++)
        put_number(&b, s.asks[i], 1);
    for (size_t i = 0; i < s.nr_wishes; i++)
        can = can && put_wish(&b, &s.wishes[i]);
    put(&b, s.server.items, s.server.len);

    snprintf(path, sizeof path, "%s/session-%03zu", directory, number);
    FILE *f = can && b.len < 2000 ? fopen(path, "wb") : NULL;
    if (f) {
        fwrite(b.items, 1, b.len, f);
        fclose(f);
    }
    free(b.items);
    free(s.server.items);
}

int
main(int argc, char **argv)
{
    uint32_t seed =
        argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : (uint32_t)time(NULL);

    if (argc == 3 && strcmp(argv[1], "--corpus") == 0) {
        for (size_t i = 0; i < NR_RECORDED; i++)
            write_seed(&recorded[i], argv[2], i);
        return 0;
    }

    diag("seed %u", seed);
    for (size_t i = 0; i < NR_RECORDED; i++)
        test_session(&recorded[i], seed);
    for (size_t i = 0; i < PROTO_STEPS; i++)
        if (i != STEP_greeting) /* the first: before any step was made */
            ok(step_seen[i], "the step %s is reached", step_names[i]);
    done_testing();
}
