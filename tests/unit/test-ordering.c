/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-ordering.c - changes that overlap start one after the other, others at once */

#include "ordering.h"
#include "tap.h"

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

int
main(void)
{
    ordering_init(&ordering);
    test_changes();
    test_flush();
    test_looks();
    test_nested();
    ordering_clear(&ordering);
    done_testing();
}
