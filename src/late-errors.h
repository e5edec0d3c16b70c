/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* late-errors.h - what went wrong after programs were told that it is done
 *
 * The next fsync of each file that was open then tells of it, once, and so does each
 * close before that.  What nobody has been told of, who opens the file next is.  Any
 * thread, without a lock.  Knows nothing of NBD or FUSE.
 */

#ifndef NBDMOUNT_LATE_ERRORS_H
#define NBDMOUNT_LATE_ERRORS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* All zero: nothing has happened. */
struct late_errors {
    _Atomic uint64_t last; /* how many there were << 32 | the errno of the last one */
    atomic_uint told;      /* how many of them somebody knows of */
};

/* An errno.  True: all before it were told. */
bool late_error(struct late_errors *errors, int error);

/* For a file that is opened: how many it need not be told of. */
unsigned late_errors_at_open(const struct late_errors *errors);

/* An errno, or 0: nothing has happened since *seen.  tell leaves it to be told again;
 * take does not. */
int late_errors_tell(struct late_errors *errors, const atomic_uint *seen);
int late_errors_take(struct late_errors *errors, atomic_uint *seen);

/* The same without telling. */
bool late_errors_since(const struct late_errors *errors, const atomic_uint *seen);

/* An errno, or 0: nobody was told of it yet. */
int late_errors_untold(const struct late_errors *errors);

/* Whoever is asked about it has been told by other means. */
void late_errors_all_told(struct late_errors *errors);

#endif
