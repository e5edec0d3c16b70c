/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-batch.c - SCHED_BATCH while there is a lot to do, and nobody's choice changed */

#include "batch.h"
#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>

#define CHANGES_MAX 1000 /* notes in a row that certainly are enough */

static _Thread_local bool errno_changed;

static void
note(bool many)
{
    errno = EPIPE;
    batch_note(many);
    errno_changed |= errno != EPIPE;
}

/* After how many notes in a row the policy is another one; 0: it stays. */
static int
changes_after(bool many)
{
    int before = sched_getscheduler(0);

    for (int i = 1; i <= CHANGES_MAX; i++) {
        note(many);
        if (sched_getscheduler(0) != before)
            return i;
    }
    return 0;
}

static void
set(int policy)
{
    struct sched_param param = {.sched_priority = 0};

    ok(sched_setscheduler(0, policy, &param) == 0, "the policy can be chosen");
}

/* The policy is a thread's own, and so is what is known of it. */
static void
in_a_thread(void *(*function)(void *), void *user_data)
{
    pthread_t thread;

    int error = pthread_create(&thread, NULL, function, user_data);
    if (error == 0)
        pthread_join(thread, NULL);
    is_int(error, 0, "in a thread of its own");
}

static void *
follow_load(void *user_data)
{
    is_int(changes_after(false), 0, "one at a time: nothing changes");
    int many = changes_after(true);
    ok(many > 8, "many, for some time: %d", many);
    is_int(sched_getscheduler(0), SCHED_BATCH, "SCHED_BATCH then");
    is_int(changes_after(true), 0, "and it stays");
    int few = changes_after(false);
    ok(few > 1 && few < many, "back after %d that come alone", few);
    is_int(sched_getscheduler(0), SCHED_OTHER, "SCHED_OTHER again");
    for (int i = 0; i < CHANGES_MAX; i++)
        note(i % 2 == 0);
    is_int(sched_getscheduler(0), SCHED_OTHER, "by turns: as it was");
    ok(changes_after(true) > 0, "many again");
    for (int i = 0; i < CHANGES_MAX; i++)
        note(i % 2 == 0);
    is_int(sched_getscheduler(0), SCHED_BATCH, "by turns: as it is");
    ok(!errno_changed, "errno is left alone");
    return user_data;
}

static void *
leave_choice_alone(void *user_data)
{
    int policy = *(int *)user_data;

    is_int(sched_getscheduler(0), policy, "a thread begins as the one that started it");
    is_int(changes_after(true) + changes_after(false), 0, "and what was chosen stays");
    return user_data;
}

static void *
leave_thread_alone(void *user_data)
{
    set(SCHED_IDLE);
    is_int(changes_after(true), 0, "what was chosen for a thread stays");
    return user_data;
}

static void *
come_back(void *user_data)
{
    is_int(sched_getscheduler(0), SCHED_BATCH,
           "a thread that one with SCHED_BATCH starts");
    ok(changes_after(false) > 0, "comes back too");
    is_int(sched_getscheduler(0), SCHED_OTHER, "to SCHED_OTHER");
    return user_data;
}

static void *
start_another(void *user_data)
{
    ok(changes_after(true) > 0, "many");
    in_a_thread(come_back, NULL);
    return user_data;
}

int
main(void)
{
    static int chosen[] = {SCHED_BATCH, SCHED_IDLE};

    if (sched_getscheduler(0) != SCHED_OTHER)
        skip_all("this is not run under SCHED_OTHER");
    in_a_thread(follow_load, NULL);
    is_int(sched_getscheduler(0), SCHED_OTHER, "the main thread has taken no part");
    in_a_thread(leave_thread_alone, NULL);
    in_a_thread(start_another, NULL);
    /* At the end: it takes privileges to come back from SCHED_IDLE. */
    for (size_t i = 0; i < sizeof chosen / sizeof *chosen; i++) {
        set(chosen[i]);
        in_a_thread(leave_choice_alone, &chosen[i]);
    }
    done_testing();
}
