/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options-wait.c - see options-wait.h */

#include "options-wait.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECONDS_MAX (UINT64_C(10) * 365 * 86400)
#define REPLAY_MAX  (UINT64_C(64) << 30)
#define REPLAY_MIN  (UINT64_C(1) << 20) /* less is not worth the flushes */

const struct wait_options wait_options_default = {
    .retry_ms = 60000,
    .timeout_ms = -1,
    .replay = (size_t)32 << 20,
};

static bool
refuse(char **why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(why, format, args) == -1)
        *why = NULL;
    va_end(args);
    return false;
}

/* A number, with K, M or G behind it if it is a size. */
static bool
parse_number(const char *text, bool size, uint64_t max, uint64_t *number)
{
    char *end;
    unsigned shift = 0;

    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 10);
    if (size && *end != '\0') {
        switch (*end++) {
        case 'k':
        case 'K':
            shift = 10;
            break;
        case 'm':
        case 'M':
            shift = 20;
            break;
        case 'g':
        case 'G':
            shift = 30;
            break;
        default:
            return false;
        }
    }
    if (errno != 0 || *end != '\0' || n > max >> shift)
        return false;
    *number = (uint64_t)n << shift;
    return true;
}

bool
wait_options_retry(struct wait_options *options, const char *value, char **why)
{
    uint64_t seconds;

    if (strcmp(value, "forever") == 0) {
        options->retry_ms = INT64_MAX;
        return true;
    }
    if (!parse_number(value, false, SECONDS_MAX, &seconds))
        return refuse(why, "retry: '%s' is not a number of seconds, nor forever",
                      value);
    options->retry_ms = (int64_t)seconds * 1000;
    return true;
}

bool
wait_options_timeout(struct wait_options *options, const char *value, char **why)
{
    uint64_t seconds;

    if (!parse_number(value, false, SECONDS_MAX, &seconds))
        return refuse(why, "timeout: '%s' is not a number of seconds", value);
    options->timeout_ms = (int64_t)seconds * 1000;
    return true;
}

bool
wait_options_replay(struct wait_options *options, const char *value, char **why)
{
    uint64_t bytes;

    if (!parse_number(value, true, REPLAY_MAX, &bytes) ||
        (bytes > 0 && bytes < REPLAY_MIN))
        return refuse(why, "replay: '%s' is neither 0 nor a size from 1M to 64G",
                      value);
    options->replay = (size_t)bytes;
    return true;
}
