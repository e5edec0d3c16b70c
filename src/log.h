/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.h - one line for the person who runs the daemon
 *
 * To stderr as long as somebody reads it, to the system's log afterwards.  A line that
 * repeats is counted, not repeated.  Any thread may log.
 */

#ifndef NBDMOUNT_LOG_H
#define NBDMOUNT_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* The name before each line, and whether debug lines are shown. */
void log_open(const char *name, bool debug);

/* From now on the system's log, for nobody reads stderr any more. */
void log_to_syslog(void);

void log_line(enum log_level level, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#define log_error(...)   log_line(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_line(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_line(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)   log_line(LOG_LEVEL_DEBUG, __VA_ARGS__)

#endif
