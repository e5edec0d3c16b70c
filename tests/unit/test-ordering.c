/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-ordering.c - changes that overlap start one after the other, others at once, and
 * those that follow each other become one */

#include "ordering.h"
#include "tap.h"

#include <stdlib.h>

struct item {
    struct ordered ordered;
    int started; /* 0: not yet; otherwise its turn */
};

static struct ordering ordering;
static int turn;

static void
on_start(struct ordered *ordered)
{
    ((struct item *)ordered)->started = ++turn;
}

static void
enter(struct item *item, uint64_t off, uint64_t end)
{
    *item = (struct item){.ordered = {.off = off, .end = end, .start = on_start}};
    ordering_enter(&ordering, &item->ordered);
}

static void
enter_flush(struct item *item)
{
    *item = (struct item){.ordered = {.kind = ORDERED_FLUSH, .start = on_start}};
    ordering_enter(&ordering, &item->ordered);
}

static void
leave(struct item *item)
{
    ordering_leave(&ordering, &item->ordered);
}

static void
test_changes(void)
{
    struct item a, b, c, d;

    enter(&a, 0, 100);
    enter(&b, 100, 200);
    ok(a.started && b.started, "changes side by side start at once");
    enter(&c, 99, 101);
    ok(!c.started, "one that overlaps two of them waits");
    enter(&d, 100, 101);
    leave(&a);
    ok(!c.started, "for both");
    leave(&b);
    ok(c.started, "and starts when both have ended");
    ok(!d.started, "one that overlaps the waiting one waits for that");
    leave(&c);
    ok(d.started, "so that they stay in order");
    leave(&d);
}

static void
test_flush(void)
{
    struct item a, b, flush, second;

    enter(&a, 0, 10);
    enter_flush(&flush);
    enter(&b, 20, 30);
    ok(!flush.started, "a flush waits for a change before it");
    ok(b.started, "a change does not wait for a flush");
    leave(&a);
    ok(flush.started, "a flush does not wait for a change after it");
    enter_flush(&second);
    leave(&flush);
    ok(!second.started, "but that one is before the next flush");
    leave(&b);
    ok(second.started, "which waits for it");
    leave(&second);
    enter_flush(&flush);
    ok(flush.started, "with nothing under way a flush starts at once");
    leave(&flush);
}

static void
test_looks(void)
{
    struct item a, b, look, elsewhere, flush;

    enter(&a, 0, 10);
    ok(ordering_overlaps(&ordering, 9, 20) && !ordering_overlaps(&ordering, 10, 20),
       "a look has to wait where there is a change, and nowhere else");
    look = (struct item){
        .ordered = {.kind = ORDERED_LOOK, .off = 5, .end = 30, .start = on_start}};
    ordering_enter(&ordering, &look.ordered);
    elsewhere = (struct item){
        .ordered = {.kind = ORDERED_LOOK, .off = 10, .end = 30, .start = on_start}};
    ordering_enter(&ordering, &elsewhere.ordered);
    ok(!look.started && elsewhere.started, "so it does");
    enter(&b, 20, 30);
    ok(b.started, "a change does not wait for a look");
    leave(&a);
    ok(look.started, "nor a look for a change after it");
    leave(&b);
    enter_flush(&flush);
    ok(flush.started, "nor a flush for a look");
    ok(!ordering_overlaps(&ordering, 0, UINT64_MAX), "nor a look for either");
    leave(&flush);
    leave(&look);
    leave(&elsewhere);
}

/* A start that ends at once lets the next one start from inside it. */
static void
end_at_once(struct ordered *ordered)
{
    on_start(ordered);
    ordering_leave(&ordering, ordered);
}

static void
test_nested(void)
{
    struct item first, item[5];
    bool in_order = true;

    enter(&first, 0, 10);
    for (int i = 0; i < 5; i++) {
        item[i] = (struct item){.ordered = {.end = 10, .start = end_at_once}};
        ordering_enter(&ordering, &item[i].ordered);
    }
    turn = 0;
    leave(&first);
    for (int i = 0; i < 5; i++)
        in_order = in_order && item[i].started == i + 1;
    ok(in_order, "those that end in their start follow each other in order");
    ok(ordering.first == NULL && ordering.last == NULL, "and nothing is left");
}

/* ---- changes that follow each other */

#define GRAIN 512

/* A change of bytes with room for others: true, it is held. */
static bool
enter_bytes(struct item *item, uint64_t head, uint64_t tail, uint64_t tail_max)
{
    *item = (struct item){.ordered = {
                              .off = head / GRAIN * GRAIN,
                              .end = (tail + GRAIN - 1) / GRAIN * GRAIN,
                              .head = head,
                              .tail = tail,
                              .tail_max = tail_max,
                              .grain = GRAIN,
                              .start = on_start,
                          }};
    return ordering_enter(&ordering, &item->ordered);
}

/* The item that a change has joined, which is told so at once, or NULL. */
static struct item *
join(uint64_t head, uint64_t tail, unsigned *others)
{
    struct ordered *ordered = ordering_join(&ordering, head, tail, others);

    if (ordered != NULL)
        ordering_joined(&ordering, ordered);
    return (struct item *)ordered;
}

static struct item busy[8];

static void
make_busy(int n)
{
    for (int i = 0; i < n; i++)
        enter(&busy[i], 1000000 + (uint64_t)i * GRAIN,
              1000000 + (uint64_t)(i + 1) * GRAIN);
}

static void
end_busy(int from, int n)
{
    for (int i = from; i < n; i++)
        leave(&busy[i]);
}

/* With others under way: a change of [0, 1000), and one that follows it, held. */
static void
begin_two(struct item *first, struct item *held, uint64_t tail_max)
{
    make_busy(8);
    enter_bytes(first, 0, 1000, 1000);
    enter_bytes(held, 1000, 2000, tail_max);
}

static void
end_two(struct item *first, struct item *held)
{
    leave(first);
    leave(held);
    end_busy(0, 8);
    ok(ordering.first == NULL && ordering.under_way == 0, "and nothing is left");
}

static void
test_held(void)
{
    struct item a, b;
    unsigned others;

    make_busy(8);
    ok(!enter_bytes(&a, 0, 1024, 4096) && a.started,
       "a change that follows none is not held");
    ok(join(1024, 2048, &others) == NULL && others > 0,
       "one that follows it cannot join it");
    ok(join(1025, 2048, &others) == NULL && others == 0,
       "nor one that does not follow");
    ok(enter_bytes(&b, 1024, 2048, 4096), "but is held");
    ok(!b.started, "and does not start");
    ok(join(2048, 3000, &others) == &b, "what follows that joins it");
    ordering_joined(&ordering, &b.ordered);
    ok(b.ordered.tail == 3000 && b.ordered.end == 3072,
       "which reaches as far then, in whole grains");
    ok(!b.started, "and does not start either");
    leave(&a);
    ok(b.started, "before the first one has ended");
    ok(join(3000, 3500, &others) == NULL && others > 0,
       "nor can it be joined after that");
    leave(&b);
    end_busy(0, 8);
}

static void
test_not_held(void)
{
    struct item a, b;
    unsigned others;

    make_busy(1);
    enter_bytes(&a, 0, 1024, 1024);
    ok(join(1024, 2048, &others) == NULL && others == 0,
       "with little under way none is held");
    ok(!enter_bytes(&b, 1024, 2048, 4096) && b.started, "it starts");
    leave(&b);
    leave(&a);
    end_busy(0, 1);
    make_busy(8);
    enter_bytes(&a, 0, 1024, 1024);
    ok(!enter_bytes(&b, 1024, 2048, 2048) && b.started, "nor one without room");
    leave(&b);
    leave(&a);
    enter(&a, 0, 1024);
    ok(!enter_bytes(&b, 1024, 2048, 4096) && b.started, "nor where none may follow");
    leave(&b);
    leave(&a);
    enter_bytes(&a, 0, 1024, 1024);
    enter_bytes(&b, 1024, 2048, 4096);
    ordering_joined(&ordering, &b.ordered);
    end_busy(0, 5);
    ok(!b.started, "one that is held stays so while enough is under way");
    end_busy(5, 8);
    ok(b.started, "and no longer");
    leave(&a);
    leave(&b);
}

static void
test_full(void)
{
    struct item a, b, c;
    unsigned others;

    begin_two(&a, &b, 3000);
    ordering_joined(&ordering, &b.ordered);
    struct ordered *joined = ordering_join(&ordering, 2000, 3000, &others);
    ok(joined == &b.ordered && !b.started,
       "a full one does not start before it has all");
    ordering_joined(&ordering, joined);
    ok(!b.started, "nor while it waits for a grain that both change");
    leave(&a);
    ok(b.started, "but then");
    leave(&b);
    enter_bytes(&a, 0, 1024, 1024);
    enter_bytes(&b, 1024, 2048, 4096);
    ordering_joined(&ordering, &b.ordered);
    ok(join(2048, 4096, &others) == &b && b.started, "where there is none, at once");
    leave(&b);
    enter_bytes(&b, 1024, 2048, 4096);
    ordering_joined(&ordering, &b.ordered);
    ok(join(2048, 4097, &others) == NULL && others > 0,
       "what there is no room for cannot join");
    ok(b.started, "and what it would have joined is full");
    ok(enter_bytes(&c, 2048, 4097, 9000), "it is held itself");
    ordering_joined(&ordering, &c.ordered);
    leave(&b);
    ok(c.started, "behind that one");
    leave(&c);
    enter_bytes(&b, 1024, 2048, 4096);
    ordering_joined(&ordering, &b.ordered);
    enter_bytes(&c, 2048, 3000, 9000);
    ok(b.started && join(3000, 3100, &others) == &c,
       "who enters behind a held one lets that go, and may be joined at once");
    ordering_joined(&ordering, &c.ordered);
    leave(&b);
    ok(c.started, "it starts behind it");
    leave(&c);
    leave(&a);
    end_busy(0, 8);
}

static void
test_wanted(void)
{
    struct item a, b, c, flush, look;
    unsigned others;

    begin_two(&a, &b, 4096);
    ordering_joined(&ordering, &b.ordered);
    look = (struct item){
        .ordered = {.kind = ORDERED_LOOK, .off = 1536, .end = 2000, .start = on_start}};
    ordering_enter(&ordering, &look.ordered);
    ok(join(2000, 3000, &others) == NULL, "what a look waits for is not held");
    ok(!b.started && !look.started, "it waits for its first grain");
    leave(&a);
    ok(b.started && !look.started, "and starts");
    leave(&b);
    ok(look.started, "and the look after it");
    leave(&look);
    enter_bytes(&a, 0, 1024, 1024);
    enter_bytes(&b, 1024, 2000, 4096);
    enter_flush(&flush);
    ok(!b.started, "what a flush waits for has to be put in first");
    ordering_joined(&ordering, &b.ordered);
    ok(b.started && !flush.started, "and starts");
    enter(&c, 1024, 1536);
    ok(!c.started, "a change of the same waits");
    leave(&b);
    ok(c.started, "for its end");
    leave(&c);
    leave(&a);
    end_busy(0, 8);
    ok(flush.started, "the flush for all");
    leave(&flush);
}

static void
test_in_the_way(void)
{
    struct item a, b, c, look;
    unsigned others;

    begin_two(&a, &b, 9000);
    ordering_joined(&ordering, &b.ordered);
    enter(&c, 2048, 2560);
    ok(c.started, "a change behind a held one starts");
    ok(join(2000, 2040, &others) == &b, "up to it others may join");
    ok(join(2040, 2050, &others) == NULL && others > 0, "and not beyond");
    leave(&c);
    end_two(&a, &b);
    begin_two(&a, &b, 9000);
    ordering_joined(&ordering, &b.ordered);
    look = (struct item){
        .ordered = {.kind = ORDERED_LOOK, .off = 3000, .end = 9000, .start = on_start}};
    ordering_enter(&ordering, &look.ordered);
    ok(join(2000, 3500, &others) == NULL, "nor where somebody looks");
    leave(&look);
    end_two(&a, &b);
}

/* ---- at random: one that is joined is in order with all others */

#define N_ITEMS 32
#define BLOCKS  300

static struct item many[N_ITEMS];
static bool there[N_ITEMS];
/* Of a change, the last write of the block that is in it; of others, the last one that
 * they have to wait for; 0: none. */
static unsigned long arrived[N_ITEMS][BLOCKS];
static unsigned long latest[BLOCKS];  /* that has come */
static unsigned long written[BLOCKS]; /* that was done */
static unsigned long writes;
static unsigned wrong, joined_n, held_n;

static void
change_at_random(int i, uint64_t from, uint64_t n)
{
    unsigned others;
    uint64_t head = from * GRAIN, tail = (from + n) * GRAIN;
    struct ordered *to = ordering_join(&ordering, head, tail, &others);
    bool held = false;

    if (to != NULL) {
        i = (int)((struct item *)to - many);
        joined_n++;
    } else {
        there[i] = true;
        held = enter_bytes(&many[i], head, tail,
                           rand() % 8 == 0 ? 0
                           : others > 0    ? head + 9 * GRAIN
                                           : tail);
        held_n += held;
    }
    for (uint64_t b = from; b < from + n; b++)
        arrived[i][b] = latest[b] = ++writes;
    if (to != NULL || held)
        ordering_joined(&ordering, &many[i].ordered);
}

static void
enter_at_random(int i)
{
    uint64_t from = (uint64_t)(rand() % BLOCKS), n = 1 + (uint64_t)(rand() % 3);
    const struct item *other = &many[rand() % N_ITEMS];
    int what = rand() % 40;

    if (rand() % 2 > 0 && other->ordered.tail < BLOCKS * GRAIN)
        from = other->ordered.tail / GRAIN;
    if (what == 0)
        from = 0, n = BLOCKS;
    if (from + n > BLOCKS)
        n = BLOCKS - from;
    memset(arrived[i], 0, sizeof arrived[i]);
    if (what > 1) {
        change_at_random(i, from, n);
        return;
    }
    there[i] = true;
    memcpy(arrived[i] + from, latest + from, n * sizeof latest[0]);
    many[i] = (struct item){.ordered = {
                                .kind = what == 0 ? ORDERED_FLUSH : ORDERED_LOOK,
                                .off = what == 0 ? 0 : from * GRAIN,
                                .end = what == 0 ? 0 : (from + n) * GRAIN,
                                .start = on_start,
                            }};
    ordering_enter(&ordering, &many[i].ordered);
}

/* Of those that were started: what was written before is older. */
static void
leave_at_random(int i)
{
    bool change = many[i].ordered.kind == ORDERED_CHANGE;

    if (!there[i] || !many[i].started)
        return;
    for (int b = 0; b < BLOCKS; b++) {
        if (arrived[i][b] == 0)
            continue;
        wrong += change ? arrived[i][b] <= written[b] : arrived[i][b] > written[b];
        if (change)
            written[b] = arrived[i][b];
    }
    there[i] = false;
    leave(&many[i]);
}

static void
test_at_random(void)
{
    srand(2929);
    for (int round = 0; round < 200000; round++) {
        int i = rand() % N_ITEMS;
        if (!there[i] && rand() % 3 > 0)
            enter_at_random(i);
        else
            leave_at_random(i);
    }
    for (int round = 0; round < N_ITEMS && ordering.first != NULL; round++)
        for (int i = 0; i < N_ITEMS; i++)
            leave_at_random(i);
    ok(wrong == 0, "200000 times something at random: all is in order");
    ok(joined_n > 500 && held_n > 1000, "%u of them joined %u others", joined_n,
       held_n);
    ok(ordering.first == NULL && ordering.under_way == 0, "and all have ended");
}

int
main(void)
{
    ordering_init(&ordering);
    test_changes();
    test_flush();
    test_looks();
    test_nested();
    test_held();
    test_not_held();
    test_full();
    test_wanted();
    test_in_the_way();
    test_at_random();
    ordering_clear(&ordering);
    done_testing();
}
