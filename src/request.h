/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* request.h - one FUSE request, from its arrival to its one answer
 *
 * It is served by any number of parts in any number of steps.  The first error is the
 * one that counts.  Its memory stays until its last part has come back, also where it
 * was answered before.
 */

#ifndef NBDMOUNT_REQUEST_H
#define NBDMOUNT_REQUEST_H

#include "export.h"

#include <stdatomic.h>
#include <sys/uio.h>

struct fuse_req;
struct stat;

struct request {
    struct fuse_req *fuse;
    struct export *export;
    atomic_int answered;                   /* see request.c, as look_round */
    unsigned look_round;                   /* its own while it is LOOKING */
    int64_t close_ms;                      /* see request_is_close; 0: it is not */
    atomic_int error;                      /* an errno; the first one */
    atomic_uint parts;                     /* under way, and one for who submits them */
    void (*step)(struct request *request); /* all parts of the step have come back */
};

/* The request arrives.  The rest of *request is the caller's. */
void request_begin(struct request *request, struct export *export,
                   struct fuse_req *fuse);

/* After that, for a close: it may be that of a program that ends.  Such a one does not
 * wait for long, and if it was killed, not at all. */
void request_is_close(struct request *request);
/* Whether it is, now. */
bool request_is_exit(struct fuse_req *fuse);

/* A step: request_step, any number of request_submit, request_go.  next is called when
 * all have come back, by whoever sees that; at once if there is none. */
void request_step(struct request *request, void (*next)(struct request *));
void request_submit(struct request *request, struct command *cmd);
void request_go(struct request *request);

/* The answer is late: if who waits for it was killed, it is answered.  False: it was.
 * While the memory is there, any thread may call it.  Where thousands are late it does
 * not look at each of them each time, but at all in turn. */
bool request_look(struct request *request);

/* The errno that a program sees for what an NBD command ended with. */
int request_errno(int error);

/* Answers; a second answer is ignored. */
void request_answer_error(struct request *request, int error);
void request_answer_data(struct request *request, const void *data, size_t len);
void request_answer_pieces(struct request *request, const struct iovec *pieces, int n);
void request_answer_written(struct request *request, size_t len);
void request_answer_attr(struct request *request, const struct stat *attr);
void request_answer_offset(struct request *request, int64_t off);

/* True: the caller has request->fuse from now on, and answers it as something else.
 * False: it was answered. */
bool request_hand_over(struct request *request);

/* After the answer; the caller frees the memory then. */
void request_end(struct request *request);

#endif
