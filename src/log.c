/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.c - see log.h
 *
 * Knows nothing of NBD or FUSE.  A line equal to the one before is held back and
 * counted; the count is told before the next other line, and each time it has reached
 * a power of two, so that a long silence is not taken for peace.
 */

#include "log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

static struct {
    pthread_mutex_t lock; /* a leaf: guards all below */
    const char *name;
    bool debug;
    bool syslog;
    bool journal; /* stderr is the system's journal, which knows a level by "<N>" */
    char last[1024];
    enum log_level last_level;
    unsigned repeated;
} logger = {.lock = PTHREAD_MUTEX_INITIALIZER, .name = "nbdmount"};

/* As systemd.exec(5) has it: JOURNAL_STREAM names what stderr was when it began. */
static bool
is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    struct stat st;
    char own[64];

    if (stream == NULL || fstat(STDERR_FILENO, &st) == -1)
        return false;
    snprintf(own, sizeof own, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
    return strcmp(own, stream) == 0;
}

void
log_open(const char *name, bool debug)
{
    pthread_mutex_lock(&logger.lock);
    logger.name = name;
    logger.debug = debug;
    logger.journal = is_journal();
    pthread_mutex_unlock(&logger.lock);
}

void
log_to_syslog(void)
{
    pthread_mutex_lock(&logger.lock);
    openlog(logger.name, LOG_PID, LOG_DAEMON);
    logger.syslog = true;
    pthread_mutex_unlock(&logger.lock);
}

/* Under the lock. */
static void
put(enum log_level level, const char *text)
{
    static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO, LOG_DEBUG};

    if (logger.syslog)
        syslog(priority[level], "%s", text);
    else if (logger.journal)
        fprintf(stderr, "<%d>%s\n", priority[level], text);
    else
        fprintf(stderr, "%s: %s\n", logger.name, text);
}

static void
put_repeated(void)
{
    char text[64];

    snprintf(text, sizeof text, "the last message came %u times more", logger.repeated);
    put(logger.last_level, text);
}

void
log_line(enum log_level level, const char *format, ...)
{
    char text[sizeof logger.last];
    va_list args;

    pthread_mutex_lock(&logger.lock);
    if (level == LOG_LEVEL_DEBUG && !logger.debug)
        goto out;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    for (char *p = text; *p != '\0'; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            *p = ' '; /* a server's text is not to write lines of its own */

    if (level == logger.last_level && strcmp(text, logger.last) == 0) {
        logger.repeated++;
        if ((logger.repeated & (logger.repeated - 1)) == 0 && logger.repeated >= 16)
            put_repeated();
        goto out;
    }
    if (logger.repeated > 0)
        put_repeated();
    logger.repeated = 0;
    logger.last_level = level;
    memcpy(logger.last, text, sizeof text);
    put(level, text);
out:
    pthread_mutex_unlock(&logger.lock);
}
