/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options-wait.h - the options that say how long to wait for a server, and how much to
 * remember for it: retry, timeout, replay, replay-file */

#ifndef NBDMOUNT_OPTIONS_WAIT_H
#define NBDMOUNT_OPTIONS_WAIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct wait_options {
    int64_t retry_ms;        /* INT64_MAX: forever */
    int64_t timeout_ms;      /* 0: none; -1: nothing was said */
    size_t replay;           /* bytes */
    const char *replay_file; /* a path, or NULL */
};

extern const struct wait_options wait_options_default;

/* Each sets one.  False: *why says what is wrong, for the caller to free. */
bool wait_options_retry(struct wait_options *options, const char *value, char **why);
bool wait_options_timeout(struct wait_options *options, const char *value, char **why);
bool wait_options_replay(struct wait_options *options, const char *value, char **why);

#endif
