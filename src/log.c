/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* log.c - see log.h
 *
 * Knows nothing of NBD or FUSE.  A line equal to the one before is held back and
 * counted; the count is told before the next other line, and each time it has reached
 * a power of two, so that a long silence is not taken for peace.  The same goes for
 * lines that come by turns, such as of a connection that is lost and made again all
 * the time, after each has come a few times.
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
#include <time.h>
#include <unistd.h>

#define KNOWN_MAX 64     /* lines that are remembered */
#define FEW       4      /* times that a line comes before it is only counted */
#define TOLD_FROM 16     /* the first count that is told */
#define QUIET_MS  600000 /* after so long it is news again */

/* A line that has come. */
struct known {
    uint64_t hash; /* 0: none */
    int64_t came_ms;
    unsigned n;
    unsigned untold; /* of these */
};

static struct {
    pthread_mutex_t lock; /* a leaf: guards all below */
    const char *name;
    bool debug;
    bool syslog;
    bool journal; /* stderr is the system's journal, which knows a level by "<N>" */
    char last[1024];
    enum log_level last_level;
    unsigned repeated;
    struct known known[KNOWN_MAX];
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

static uint64_t
hash_of(enum log_level level, const char *text)
{
    uint64_t h = UINT64_C(14695981039346656037) ^ (uint64_t)level;

    for (; *text != '\0'; text++)
        h = (h ^ (unsigned char)*text) * UINT64_C(1099511628211);
    return h != 0 ? h : 1;
}

/* The line's own, or that of the line that has not come for longest. */
static struct known *
find(uint64_t hash)
{
    struct known *oldest = &logger.known[0];

    for (unsigned i = 0; i < KNOWN_MAX; i++) {
        struct known *known = &logger.known[i];
        if (known->hash == hash)
            return known;
        if (known->came_ms < oldest->came_ms)
            oldest = known;
    }
    *oldest = (struct known){.hash = hash};
    return oldest;
}

static bool
is_told(unsigned count)
{
    return count >= TOLD_FROM && (count & (count - 1)) == 0;
}

/* Whether a line that was not the last one is to be written.  *more is how often it
 * came without. */
static bool
is_news(enum log_level level, const char *text, unsigned *more)
{
    struct known *known = find(hash_of(level, text));
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    int64_t now_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    bool quiet = now_ms - known->came_ms > QUIET_MS;
    known->came_ms = now_ms;
    known->n = quiet ? 1 : known->n + 1;
    if (known->n > FEW && !is_told(known->n) && !logger.debug) {
        known->untold++;
        return false;
    }
    *more = known->untold;
    known->untold = 0;
    return true;
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
        if (is_told(++logger.repeated))
            put_repeated();
        goto out;
    }
    if (logger.repeated > 0)
        put_repeated();
    logger.repeated = 0;
    logger.last[0] = '\0';
    unsigned more = 0;
    if (!is_news(level, text, &more))
        goto out;
    logger.last_level = level;
    memcpy(logger.last, text, sizeof text);
    put(level, text);
    if (more > 0) {
        snprintf(text, sizeof text, "this message came %u times more meanwhile", more);
        put(level, text);
    }
out:
    pthread_mutex_unlock(&logger.lock);
}
