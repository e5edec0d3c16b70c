/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-log.c - a replay log's life: see replay-log.h
 *
 * A file as long as its head has nothing in it; that is how a clean end leaves it.  One
 * with segments is never written to before all that is in it was flushed by the server.
 */

#include "replay-log.h"
#include "replay-log-own.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

__attribute__((format(printf, 3, 4))) static bool
refuse(const struct replay_log *log, char **why, const char *format, ...)
{
    va_list args;
    char *text = NULL;

    va_start(args, format);
    if (vasprintf(&text, format, args) == -1)
        text = NULL;
    va_end(args);
    if (text == NULL || asprintf(why, "replay-file %s: %s", log->path, text) == -1)
        *why = NULL;
    free(text);
    return false;
}

/* ---- opening and reading */

static bool
read_all(const struct replay_log *log, uint8_t *bytes, size_t len, uint64_t off,
         char **why)
{
    while (len > 0) {
        ssize_t n = pread(log->fd, bytes, len, (off_t)off);
        if (n == -1 && errno == EINTR)
            continue;
        if (n <= 0)
            return refuse(log, why, "%s",
                          n == 0 ? "it ends too early" : strerror(errno));
        bytes += n;
        len -= (size_t)n;
        off += (uint64_t)n;
    }
    return true;
}

static bool
read_segments(struct replay_log *log, uint64_t file_size, char **why)
{
    const char *what;
    uint64_t where;
    uint64_t size = 2 * log->head.segment;

    if (file_size != REPLAY_HEAD + size)
        return refuse(log, why,
                      "the replay log is damaged: it has %" PRIu64
                      " bytes and must have %" PRIu64 "; it was left as it is",
                      file_size, REPLAY_HEAD + size);
    log->bytes = malloc(size);
    if (log->bytes == NULL)
        return refuse(log, why, "no memory for its %" PRIu64 " bytes", size);
    if (!read_all(log, log->bytes, size, REPLAY_HEAD, why))
        return false;
    switch (replay_read(log->bytes, log->head.segment, &log->records, &what, &where)) {
    case REPLAY_FINE:
        return true;
    case REPLAY_DAMAGED:
        return refuse(log, why,
                      "the replay log is damaged: %s, at byte %" PRIu64
                      "; it was left as it is",
                      what, REPLAY_HEAD + where);
    case REPLAY_NO_MEMORY:
        break;
    }
    return refuse(log, why, "out of memory");
}

static bool
read_file(struct replay_log *log, char **why)
{
    uint8_t bytes[REPLAY_HEAD];
    const char *what;
    struct stat st;

    if (fstat(log->fd, &st) == -1)
        return refuse(log, why, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return refuse(log, why, "it is not a regular file");
    if (st.st_size == 0)
        return true;
    if (st.st_size < REPLAY_HEAD)
        return refuse(log, why, "this is not a replay log; it was left as it is");
    if (!read_all(log, bytes, sizeof bytes, 0, why))
        return false;
    if (!replay_head_decode(&log->head, bytes, &what))
        return refuse(log, why, "%s; it was left as it is", what);
    log->has_head = true;
    return st.st_size == REPLAY_HEAD || read_segments(log, (uint64_t)st.st_size, why);
}

static bool
open_and_lock(struct replay_log *log, char **why)
{
    log->fd = open(log->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
    if (log->fd == -1)
        return refuse(log, why, "%s", strerror(errno));
    if (flock(log->fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    return refuse(log, why, "%s",
                  errno == EWOULDBLOCK ? "another mount uses it" : strerror(errno));
}

struct replay_log *
replay_log_open(const char *path, char **why)
{
    struct replay_log *log = calloc(1, sizeof *log);

    *why = NULL;
    if (log == NULL)
        return NULL;
    log->fd = -1;
    log->tail = &log->queue;
    pthread_mutex_init(&log->lock, NULL);
    pthread_cond_init(&log->change, NULL);
    log->path = strdup(path);
    if (log->path != NULL && open_and_lock(log, why) && read_file(log, why))
        return log;
    replay_log_close(log, false);
    return NULL;
}

const char *
replay_log_path(const struct replay_log *log)
{
    return log->path;
}

/* ---- whose it is */

/* The records have to fit where they are sent. */
static bool
check_records(const struct replay_log *log, const struct replay_log_export *export,
              char **why)
{
    for (size_t i = 0; i < log->records.n; i++) {
        const struct replay_record *record = &log->records.record[i];
        uint64_t end = record->off + record->len;
        if (end > export->size)
            return refuse(log, why,
                          "a change in it reaches to %" PRIu64
                          ", and the export has %" PRIu64
                          " bytes now; it was left as it is",
                          end, export->size);
        if (record->off % export->minimum != 0 ||
            (end % export->minimum != 0 && end != export->size))
            return refuse(log, why,
                          "the export has blocks of %" PRIu32
                          " bytes now, for which a change in it does not fit; it was "
                          "left as it is",
                          export->minimum);
    }
    return true;
}

bool
replay_log_check(struct replay_log *log, const struct replay_log_export *export,
                 char **why)
{
    const struct replay_head *head = &log->head;

    if (strlen(export->text) > REPLAY_TEXT_MAX ||
        strlen(export->name) > REPLAY_NAME_MAX)
        return refuse(log, why, "the source's name is too long for it");
    if (!log->has_head)
        return true;
    if (strcmp(head->text, export->text) != 0 || strcmp(head->name, export->name) != 0)
        return refuse(
            log, why,
            "it belongs to the export '%s' of %s (changes in it: %zu); mount that one, "
            "or use another file",
            head->name, head->text, log->records.n);
    if (head->size > export->size)
        return refuse(log, why,
                      "it belongs to an export of %" PRIu64
                      " bytes, and this one has %" PRIu64 "; it was left as it is",
                      head->size, export->size);
    return check_records(log, export, why);
}

const struct replay_records *
replay_log_records(const struct replay_log *log)
{
    return &log->records;
}

void
replay_log_forget(struct replay_log *log)
{
    replay_records_clear(&log->records);
    free(log->bytes);
    log->bytes = NULL;
}

/* ---- beginning anew */

int
replay_log_write(struct replay_log *log, struct iovec *iov, int n, uint64_t off)
{
    while (n > 0) {
        ssize_t done = pwritev(log->fd, iov, n, (off_t)off);
        if (done == -1 && errno == EINTR)
            continue;
        if (done <= 0)
            return done == -1 ? errno : EIO;
        off += (uint64_t)done;
        for (; n > 0 && (size_t)done >= iov->iov_len; iov++, n--)
            done -= (ssize_t)iov->iov_len;
        if (n > 0) {
            iov->iov_base = (char *)iov->iov_base + done;
            iov->iov_len -= (size_t)done;
        }
    }
    return fdatasync(log->fd) == 0 ? 0 : errno;
}

/* The file's name is on the disk too. */
static int
sync_folder(const struct replay_log *log)
{
    char *copy = strdup(log->path);
    int fd =
        copy != NULL ? open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    int error = fd == -1 ? errno : 0;

    if (error == 0 && fsync(fd) == -1)
        error = errno;
    if (fd != -1)
        close(fd);
    free(copy);
    return error == EINVAL || error == EACCES ? 0 : error; /* it has none to sync */
}

static int
write_head(struct replay_log *log, const struct replay_log_export *export,
           uint64_t segment)
{
    uint8_t bytes[REPLAY_HEAD];
    struct iovec iov = {bytes, sizeof bytes};

    if (log->has_head && log->head.segment == segment)
        return 0;
    if (ftruncate(log->fd, 0) == -1)
        return errno;
    log->has_head = false;
    log->head = (struct replay_head){.size = export->size, .segment = segment};
    memcpy(log->head.text, export->text, strlen(export->text));
    memcpy(log->head.name, export->name, strlen(export->name));
    replay_head_encode(&log->head, bytes);
    int error = replay_log_write(log, &iov, 1, 0);
    log->has_head = error == 0;
    return error;
}

/* From a file without segments to one with an empty one. */
static int
make_segments(struct replay_log *log, uint64_t seq)
{
    uint8_t bytes[REPLAY_SEGMENT_HEAD];
    struct iovec iov = {bytes, sizeof bytes};
    int error =
        posix_fallocate(log->fd, 0, (off_t)(REPLAY_HEAD + 2 * log->head.segment));

    if (error != 0)
        return error;
    log->now = (struct replay_segment){.turn = 1, .base = seq, .low = seq};
    if (getrandom(&log->now.salt, sizeof log->now.salt, 0) !=
        (ssize_t)sizeof log->now.salt)
        return EIO;
    log->segment = 0;
    log->pos = REPLAY_SEGMENT_HEAD;
    log->low = seq;
    log->last = seq - 1;
    replay_segment_encode(&log->now, bytes);
    error = replay_log_write(log, &iov, 1, replay_log_segment_off(log, 0));
    return error != 0 ? error : fsync(log->fd) == -1 ? errno : sync_folder(log);
}

static int
start_thread(struct replay_log *log)
{
    sigset_t all, old;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    int error = pthread_create(&log->thread, NULL, replay_log_thread, log);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    log->running = error == 0;
    return error;
}

bool
replay_log_begin(struct replay_log *log, const struct replay_log_export *export,
                 size_t limit, uint64_t seq, void (*want_room)(void *owner),
                 void *owner, char **why)
{
    uint64_t segment = ((uint64_t)limit / 2 + 4095) / 4096 * 4096;

    if (segment < REPLAY_SEGMENT_MIN)
        segment = REPLAY_SEGMENT_MIN;
    signal(SIGXFSZ, SIG_IGN); /* a limit on the size of files is an error like others */
    replay_log_forget(log);
    log->want_room = want_room;
    log->owner = owner;
    int error = 0;
    if (log->has_head &&
        (ftruncate(log->fd, REPLAY_HEAD) == -1 || fsync(log->fd) == -1))
        error = errno;
    if (error == 0)
        error = write_head(log, export, segment);
    if (error == 0)
        error = make_segments(log, seq);
    if (error == 0)
        error = start_thread(log);
    if (error == 0)
        return true;
    /* Where this fails too: what is there without a segment's head is empty. */
    int kept = ftruncate(log->fd, log->has_head ? REPLAY_HEAD : 0);
    (void)kept;
    return refuse(log, why, "%" PRIu64 " bytes are needed for it: %s",
                  REPLAY_HEAD + 2 * segment, strerror(error));
}

/* ---- the end */

void
replay_log_stop(struct replay_log *log)
{
    if (!log->running)
        return;
    pthread_mutex_lock(&log->lock);
    log->stopping = true;
    pthread_cond_signal(&log->change);
    pthread_mutex_unlock(&log->lock);
    pthread_join(log->thread, NULL);
    log->running = false;
}

void
replay_log_close(struct replay_log *log, bool empty)
{
    if (log == NULL)
        return;
    replay_log_stop(log);
    replay_log_forget(log);
    /* Where this fails the next mount sends what the server has already: no harm. */
    if (empty && log->has_head && ftruncate(log->fd, REPLAY_HEAD) == 0)
        fsync(log->fd);
    if (log->fd != -1)
        close(log->fd);
    pthread_cond_destroy(&log->change);
    pthread_mutex_destroy(&log->lock);
    free(log->voids);
    free(log->path);
    free(log);
}
