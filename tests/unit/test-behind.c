/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-behind.c - how much is answered before it is done, and who is told of what went
 * wrong with it */

#include "behind.h"
#include "late-errors.h"
#include "tap.h"

#include <errno.h>
#include <pthread.h>

#define THREADS 4
#define ROUNDS  100000

static void
test_limits(void)
{
    struct behind behind = {.limit = 1000};
    unsigned n;

    ok(!behind_any(&behind), "at first there is nothing");
    ok(behind_take(&behind, 600) && behind_take(&behind, 400), "all can be taken");
    ok(!behind_take(&behind, 1), "and not more");
    ok(behind_any(&behind), "there is something then");
    behind_give(&behind, 600);
    ok(behind_take(&behind, 500) && !behind_take(&behind, 101),
       "what was given back, too");
    behind_give(&behind, 400);
    behind_give(&behind, 500);
    ok(!behind_any(&behind) && behind.bytes == 0, "and nothing is left");
    ok(!behind_take(&behind, 1001) && !behind_take(&behind, SIZE_MAX),
       "what is larger than all of it never can");
    for (n = 0; behind_take(&behind, 1); n++)
        ;
    is_int(n, BEHIND_CHANGES_MAX, "there are so many and no more");
    behind.limit = 0;
    ok(!behind_take(&behind, 1), "a limit of 0 is none");
}

static struct behind shared = {.limit = 1000};
static atomic_bool too_much;
static atomic_size_t held;

static void *
take_and_give(void *user_data)
{
    (void)user_data;
    for (int i = 0; i < ROUNDS; i++) {
        size_t bytes = (size_t)(i % 900) + 1;
        if (!behind_take(&shared, bytes))
            continue;
        if (atomic_fetch_add(&held, bytes) + bytes > shared.limit)
            atomic_store(&too_much, true);
        atomic_fetch_sub(&held, bytes);
        behind_give(&shared, bytes);
    }
    return NULL;
}

static void
test_threads(void)
{
    pthread_t thread[THREADS];

    for (int i = 0; i < THREADS; i++)
        pthread_create(&thread[i], NULL, take_and_give, NULL);
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    ok(!too_much, "threads together never have too much");
    ok(!behind_any(&shared) && shared.bytes == 0, "and give all back");
}

static void
test_errors(void)
{
    static struct late_errors errors;
    atomic_uint a = late_errors_at_open(&errors), b = a, c;

    ok(!late_errors_since(&errors, &a) && late_errors_take(&errors, &a) == 0 &&
           late_errors_untold(&errors) == 0,
       "at first there is nothing to tell");
    ok(late_error(&errors, EIO), "the first error that nobody knows of");
    ok(!late_error(&errors, ENOSPC), "and another one");
    is_int(late_errors_untold(&errors), ENOSPC, "nobody was told");
    ok(late_errors_since(&errors, &a), "it is known that there is something");
    is_int(late_errors_tell(&errors, &a), ENOSPC, "the last one is told");
    is_int(late_errors_tell(&errors, &a), ENOSPC, "as often as it is asked for");
    is_int(late_errors_take(&errors, &a), ENOSPC, "until it is taken");
    is_int(late_errors_take(&errors, &a), 0, "which can be done once");
    is_int(late_errors_take(&errors, &b), ENOSPC, "by each file");
    is_int(late_errors_untold(&errors), 0, "somebody was told");
    c = late_errors_at_open(&errors);
    is_int(late_errors_take(&errors, &c), 0, "who opens it then is not");
    ok(late_error(&errors, EPERM), "the first one again");
    c = late_errors_at_open(&errors);
    is_int(late_errors_take(&errors, &c), EPERM, "who opens it now is told");
    is_int(late_errors_take(&errors, &a), EPERM, "who has it open, too");
    late_error(&errors, EIO);
    late_errors_all_told(&errors);
    is_int(late_errors_untold(&errors), 0, "somebody else has told it");
    is_int(late_errors_take(&errors, &b), EIO, "not to who has it open");
}

/* After four thousand million of them. */
static void
test_round(void)
{
    struct late_errors errors = {.last = (uint64_t)UINT32_MAX << 32 | EIO,
                                 .told = UINT32_MAX};
    atomic_uint seen = late_errors_at_open(&errors);

    ok(late_error(&errors, EIO), "the number may go round");
    is_int(late_errors_take(&errors, &seen), EIO, "it is told");
    is_int(late_errors_untold(&errors), 0, "once");
    is_int(late_errors_take(&errors, &seen), 0, "only");
}

int
main(void)
{
    test_limits();
    test_threads();
    test_errors();
    test_round();
    done_testing();
}
