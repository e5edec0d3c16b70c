/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-ask.c - a request that waits for what a file is like, when its answer comes at
 * the same moment
 *
 * Whoever finds out that nothing is known of a file lets go of the lock before he
 * waits: meanwhile the answer to a question that was asked ahead may have come.
 */

#include "all-own.h"
#include "conn.h"
#include "options.h"
#include "tap.h"

#include <stdlib.h>

static struct all all;
static struct node folder = {.ino = FUSE_ROOT_ID}, file = {.is_file = true};
static unsigned resumed;
static int error_of_last;

static void
resume(struct all *of, struct pending *pending, int error)
{
    resumed += of == &all && pending->node == &file;
    error_of_last = error;
}

static void
wait_for_info(void)
{
    struct pending *pending = calloc(1, sizeof *pending);

    if (pending == NULL)
        abort();
    pending->node = &file;
    pending->resume = resume;
    error_of_last = -1;
    all_wait_for_info(&all, pending);
}

/* As the thread that asks does, with the answer. */
static void
answer(void)
{
    struct pending *waiting = file.for_info;

    file.for_info = NULL;
    file.asking = false;
    file.info_ms = conn_clock_ms();
    all.ask_first = all.ask_last = NULL;
    all.queued = 0;
    all_resume(&all, waiting, 0);
}

static void
unknown(void)
{
    wait_for_info();
    is_int(all.queued, 1, "a file of which nothing is known is asked about");
    is_int(resumed, 0, "and the request waits");
    wait_for_info();
    is_int(all.queued, 1, "one that is being asked about is not asked about again");
    answer();
    is_int(resumed, 2, "both get the answer");
    is_int(error_of_last, 0, "which is that it is there");
}

static void
known(void)
{
    resumed = 0;
    wait_for_info();
    is_int(all.queued, 0, "a file whose answer has come just now is not asked about");
    is_int(resumed, 1, "and the request goes on at once");
    is_int(error_of_last, 0, "with the answer that there is");
    ok(file.for_info == NULL && !file.asking, "nothing waits");
}

static void
known_for_long(void)
{
    resumed = 0;
    file.info_ms -= 3600 * 1000;
    wait_for_info();
    is_int(all.queued, 1, "what is known from an hour ago is asked for again");
    is_int(resumed, 0, "and awaited");
    answer();
    is_int(resumed, 1, "then the request goes on");
}

int
main(void)
{
    struct node *nodes[] = {&folder, &file};
    struct source source = {0};
    static const struct options options;

    pthread_mutex_init(&all.lock, NULL);
    pthread_cond_init(&all.changed, NULL);
    all.source = &source;
    all.options = &options;
    all.nodes = nodes;
    all.n_nodes = 2;
    file.ino = 2;
    file.parent = FUSE_ROOT_ID;
    unknown();
    known();
    known_for_long();
    done_testing();
}
