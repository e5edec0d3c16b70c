/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* conn-io.h - what conn.c and conn-io.c share; nobody else includes it */

#ifndef NBDMOUNT_CONN_IO_H
#define NBDMOUNT_CONN_IO_H

#include "conn.h"

#include <pthread.h>

struct conn_group;
struct nbd_handle;

/* command.error before the library has said anything */
#define CALLBACK_NOT_CALLED (-1)

/* Who receives and answers: see conn-lead.c.  What is "the reader's own" below belongs
 * to it, whichever thread that is. */
enum conn_reader { READER_IO, READER_NONE, READER_LEADER };

struct conn {
    const struct source *source; /* changes under lock, while there is no h */
    const struct conn_events *events;
    void *owner;
    unsigned index;
    struct conn_info info; /* what the server has to say again, and no less size */
    int64_t size_most;     /* nor more */
    bool silent;           /* the I/O thread's own: how the connection was lost */
    pthread_t thread;
    int wake; /* eventfd: the I/O thread is to look around */

    pthread_rwlock_t lock;
    struct nbd_handle *h; /* NULL while there is no connection; lock */
    unsigned made;        /* h's number, from 1; changes with it */
    char failure[192];    /* what went wrong last, "" while all is well; lock */

    atomic_bool live;     /* h takes commands; set under lock, without it only a hint */
    atomic_bool simple;   /* h has simple replies only; set as live is */
    atomic_bool renew;    /* h is to be closed */
    atomic_bool retire;   /* when nothing is in flight */
    atomic_bool asleep;   /* for long: who submits has to wake it */
    atomic_bool woken;    /* wake was written and not yet read */
    atomic_bool stopping; /* after deadline_ms was set */
    _Atomic int64_t deadline_ms;
    atomic_int reader;   /* an enum conn_reader */
    atomic_bool wanted;  /* the I/O thread waits for the role */
    atomic_uint leading; /* threads that look at this while they lead, or try to; or
                          * hand over what they gathered */
    atomic_bool offered; /* a group has it in its list: see conn-group.c */
    struct conn *offered_next;
    struct conn_group *asked;         /* the one; the I/O thread's own */
    struct conn_group *_Atomic group; /* that leads */
    struct conn *led_next;            /* the group's own, with: */
    short watched;                    /* what its socket is watched for; 0: it is not */
    bool is_ready;                    /* there was something */
    uint64_t token;                   /* by which that is told */
    atomic_uint in_flight;
    int64_t small_ns;        /* the reader's own: when a small read was answered last */
    _Atomic int64_t pace_ns; /* it writes this */
    atomic_uint losses;      /* connections that died */
    _Atomic int64_t changed_ms;         /* when h was made, or taken away */
    _Atomic uint64_t sent, received;    /* bytes, by handles that are gone */
    _Atomic(struct command *) finished; /* a stack; the reader takes all of it */

    _Atomic(struct command *) submitted; /* a stack; the reader moves it to: */
    struct command *late;                /* those in flight; the reader's own */
    int64_t looked_ms;                   /* when it last looked at them */
    int64_t busy_ms;                     /* when something last came */
    int64_t up_ms;                       /* when the handle was made */
    int delay_ms;                        /* before the next attempt */

    bool broken; /* the reader's own: the server takes no more commands */
    /* The reader's own, for one line for each reason: */
    const struct source *was_lost; /* the server to which; say so when it is back */
    unsigned told_refusal;         /* bits, by the servers' numbers */
    unsigned told_failure;
    char told_why[160]; /* the last one, if it is not longer */

    struct traffic traffic; /* the reader counts */
};

/* The connection whose reader this thread is, or NULL. */
extern _Thread_local struct conn *conn_io_of;

/* The thread's function; its argument is the conn. */
void *conn_io(void *user_data);

#define CONN_LOOK_MS 200 /* between two looks at what is late */

/* Of the I/O thread: waits until it is woken, at most that long; connects, again and
 * again until it works or the mount ends. */
void conn_nap(struct conn *conn, int timeout_ms);
void conn_reconnect(struct conn *conn);

/* A network that goes away without a word is to be noticed by TCP itself. */
void conn_keep_alive(struct nbd_handle *h);

/* Makes the I/O thread look around; it calls the other one when it has been woken. */
void conn_wake(struct conn *conn);
void conn_read_wake(struct conn *conn);

/* The connection is lost: one line, for the first reason. */
void conn_tell_loss(struct conn *conn, const char *why, int error);

/* Gives submitted commands to the library, in one piece; or fails them. */
void conn_hand_over(struct conn *conn, struct command *const *cmd, unsigned n);

/* True: this thread gathers, and conn_hand_over comes later. */
bool conn_gather_takes(struct conn *conn, struct command *cmd);

/* A command of any connection begins (awaited: somebody has nothing else to do), was
 * submitted, and ends. */
void conn_lead_begins(bool awaited);
void conn_lead_submitted(struct conn *conn);
void conn_lead_ends(void);

/* The I/O thread, before it waits: true if it has not got the role any more, but has to
 * take it back when it has waited. */
bool conn_lend_role(struct conn *conn);
void conn_take_role(struct conn *conn);

/* The same where there are groups.  True: one may have the role from now on, and
 * conn_group_want makes it give that back. */
bool conn_group_offer(struct conn *conn);
void conn_group_want(struct conn *conn);

/* Whether the calling thread's group has the role. */
bool conn_group_leads(const struct conn *conn);

/* Before the memory is freed. */
void conn_wait_for_leader(struct conn *conn);

/* For who looks: what went wrong, or NULL; and before the handle is taken away, with
 * the lock held for writing, what went through it. */
void conn_note_failure(struct conn *conn, const char *why);
void conn_note_end(struct conn *conn);

/* Calls done for all that are finished, and for what that finishes. */
void conn_answer_finished(struct conn *conn);

#endif
