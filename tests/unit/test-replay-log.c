/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-replay-log.c - a replay log in a file: whenever the file is copied, everything
 * that was said to be logged is in the copy
 *
 *     test-replay-log [SEED]
 */

#include "replay-log.h"
#include "tap.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CHANGES  400
#define DATA_MAX 200000

static char folder[] = "/tmp/test-replay-log.XXXXXX";
static char path[64], copy_path[64];
static const struct replay_log_export disk = {
    .text = "nbd://host/disk", .name = "disk", .size = 1 << 30, .minimum = 1};

static uint64_t seed;

static uint64_t
next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed >> 11;
}

/* ---- changes */

struct change {
    struct replay_group group;
    uint8_t *data;
    int error; /* -1: not yet; with the lock */
};

static struct change changes[CHANGES];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t answered = PTHREAD_COND_INITIALIZER;
static unsigned calls; /* of want_room */

static void
on_logged(struct replay_group *group, int error)
{
    pthread_mutex_lock(&lock);
    ((struct change *)group)->error = error;
    pthread_cond_signal(&answered);
    pthread_mutex_unlock(&lock);
}

static void
on_want_room(void *owner)
{
    (void)owner;
    pthread_mutex_lock(&lock);
    calls++;
    pthread_cond_signal(&answered);
    pthread_mutex_unlock(&lock);
}

/* The change that has this sequence number, and one more if pair. */
static struct change *
append(struct replay_log *log, uint64_t seq, uint32_t len, bool pair)
{
    struct change *change = &changes[seq];

    free(change->data);
    *change = (struct change){.error = -1, .data = malloc(len)};
    for (uint32_t i = 0; i < len; i++)
        change->data[i] = (uint8_t)(seq * 31 + i);
    change->group.logged = on_logged;
    change->group.n = pair ? 2 : 1;
    change->group.record[0] = (struct replay_record){
        .kind = REPLAY_WRITE, .off = seq, .len = len, .data = change->data, .seq = seq};
    change->group.record[1] = (struct replay_record){
        .kind = REPLAY_TRIM, .off = seq, .len = len, .seq = seq + 1};
    if (!replay_log_append(log, &change->group))
        change->error = ESHUTDOWN;
    return change;
}

static int
error_of(struct change *change)
{
    pthread_mutex_lock(&lock);
    while (change->error == -1)
        pthread_cond_wait(&answered, &lock);
    int error = change->error;
    pthread_mutex_unlock(&lock);
    return error;
}

/* ---- files */

static struct replay_log *
open_log(const char *at, const char *what)
{
    char *why = NULL;
    struct replay_log *log = replay_log_open(at, &why);

    if (log == NULL)
        diag("%s: %s", what, why);
    free(why);
    return log;
}

/* The log as after a crash at this moment. */
static struct replay_log *
open_copy(void)
{
    static uint8_t bytes[1 << 20];
    int from = open(path, O_RDONLY), to = open(copy_path, O_RDWR | O_CREAT, 0600);
    struct stat st;

    if (fstat(from, &st) == -1 || ftruncate(to, 0) == -1)
        bail_out("the copy cannot be made");
    for (off_t off = 0; off < st.st_size;) {
        ssize_t n = pread(from, bytes, sizeof bytes, off);
        if (n <= 0 || pwrite(to, bytes, (size_t)n, off) != n)
            bail_out("the copy cannot be made");
        off += n;
    }
    close(from);
    close(to);
    return open_log(copy_path, "the copy");
}

/* Whether record is what was appended. */
static bool
is_right(const struct replay_record *record)
{
    const struct change *change = &changes[record->seq];

    if (change->data == NULL) /* the second of a pair */
        return record->kind == REPLAY_TRIM && record->off == record->seq - 1;
    return record->kind == REPLAY_WRITE && record->off == record->seq &&
           record->len == change->group.record[0].len &&
           memcmp(record->data, change->data, record->len) == 0;
}

static bool
begin(struct replay_log *log, size_t limit)
{
    char *why = NULL;
    bool fine = replay_log_check(log, &disk, &why) &&
                replay_log_begin(log, &disk, limit, 1, on_want_room, NULL, &why);

    if (!fine)
        diag("%s", why);
    free(why);
    return fine;
}

/* Whether it cannot be opened, with a message that has this word. */
static bool
is_refused(const char *word)
{
    char *why = NULL;
    struct replay_log *log = replay_log_open(path, &why);
    bool refused = log == NULL && why != NULL && strstr(why, word) != NULL;

    diag("%s", why != NULL ? why : "it was opened");
    replay_log_close(log, false);
    free(why);
    return refused;
}

/* ---- tests */

static void
test_file(void)
{
    struct replay_log *log = open_log(path, "a new file");
    struct stat st;

    ok(log != NULL && begin(log, 1 << 20), "a new log begins");
    ok(stat(path, &st) == 0 && (st.st_mode & 07777) == 0600, "only its owner reads it");
    is_int(st.st_size, REPLAY_HEAD + 2 * REPLAY_SEGMENT_MIN,
           "its size is there from the beginning");
    ok(is_refused("another mount"), "it is locked");
    is_int(error_of(append(log, 1, 1000, false)), 0, "a change is logged");
    replay_log_close(log, false);
    log = open_log(path, "it");
    ok(log != NULL && replay_log_records(log)->n == 1 &&
           is_right(&replay_log_records(log)->record[0]),
       "and is there when it is opened again");
    replay_log_close(log, false);
    log = open_log(path, "it");
    ok(log != NULL && replay_log_records(log)->n == 1, "also for the second time");
    ok(begin(log, 1 << 20), "it begins anew when that was sent");
    replay_log_close(log, true);
    ok(stat(path, &st) == 0 && st.st_size == REPLAY_HEAD, "in the end it is empty");
}

/* Whether a log with a record at 1000 of 500 bytes is refused, and why. */
static void
check_refused(struct replay_log_export other, const char *what, const char *word)
{
    struct replay_log *log = open_log(path, "it");
    char *why = NULL;

    bool refused = !replay_log_check(log, &other, &why);
    ok(refused && why != NULL && strstr(why, word) != NULL, "%s", what);
    diag("%s", why != NULL ? why : "");
    free(why);
    replay_log_close(log, false);
}

static void
test_others(void)
{
    struct replay_log *log = open_log(path, "it");
    struct replay_log_export other = disk;
    char *why = NULL;

    if (!begin(log, 1 << 20) || error_of(append(log, 100, 500, false)) != 0)
        bail_out("no log");
    replay_log_close(log, false);
    other.name = "another";
    check_refused(other, "another export is refused", "'disk' of nbd://host/disk");
    other = disk;
    other.text = "nbd://elsewhere/disk";
    check_refused(other, "another server too", "belongs to");
    other = disk;
    other.size--;
    check_refused(other, "and one that is smaller", "bytes");
    other = disk;
    other.minimum = 512;
    check_refused(other, "and one whose blocks are too large", "blocks of 512");
    other = disk;
    other.size++;
    log = open_log(path, "it");
    ok(replay_log_check(log, &other, &why), "one that has grown is not");
    replay_log_close(log, false);

    if (truncate(path, REPLAY_HEAD + 70000) == -1)
        bail_out("truncate");
    ok(is_refused("damaged"), "a file that was cut is damaged");
    struct stat st;
    ok(stat(path, &st) == 0 && st.st_size == REPLAY_HEAD + 70000, "and left as it is");
    unlink(path);
}

static void
forget_changes(void)
{
    for (size_t i = 0; i < CHANGES; i++)
        free(changes[i].data);
    memset(changes, 0, sizeof changes);
}

/* Many changes through both segments again and again; copies in between. */
static void
test_copies(void)
{
    forget_changes(); /* those of other tests */
    struct replay_log *log = open_log(path, "it");
    uint64_t low = 1, wrong = 0, missing = 0, needless = 0, copies = 0;

    if (!begin(log, 1 << 20))
        bail_out("no log");
    for (uint64_t seq = 1; seq + 1 < CHANGES;) {
        bool pair = next_random() % 4 == 0;
        uint64_t before = seq, at_least = 0;
        /* some at once, of which some may not be written yet */
        for (int i = 0; i < 4 && seq + 1 < CHANGES; i++, seq += 1 + pair)
            append(log, seq, (uint32_t)(next_random() % DATA_MAX + 1), pair);
        bool copy_it = next_random() % 3 == 0;
        if (copy_it || next_random() % 3 > 0 || seq - low > 30)
            for (uint64_t s = before; s < seq; s++)
                if (changes[s].data != NULL && error_of(&changes[s]) != 0)
                    wrong++;
        for (uint64_t s = low; s < seq; s++) {
            pthread_mutex_lock(&lock);
            at_least += changes[s].data != NULL && changes[s].error == 0
                            ? changes[s].group.n
                            : 0;
            pthread_mutex_unlock(&lock);
        }
        if (copy_it) {
            struct replay_log *copy = open_copy();
            if (copy == NULL) {
                wrong++;
                break;
            }
            const struct replay_records *records = replay_log_records(copy);
            uint64_t found = 0;
            for (size_t i = 0; i < records->n; i++) {
                wrong += !is_right(&records->record[i]);
                found += records->record[i].seq >= low;
                needless += records->record[i].seq < low;
            }
            missing += found < at_least ? at_least - found : 0;
            copies++;
            replay_log_close(copy, false);
        }
        if (seq - low > 20) { /* a flush: but the last ones */
            low = seq - next_random() % 5;
            replay_log_set_low(log, low);
        }
    }
    is_int(wrong, 0, "no record in %" PRIu64 " copies is wrong", copies);
    is_int(missing, 0, "and none of those that were answered is missing");
    diag("%" PRIu64 " records were in copies that were not needed", needless);
    ok(copies > 5, "there were copies");
    replay_log_stop(log);
    is_int(append(log, 1, 1, false)->error, ESHUTDOWN, "when stopped it takes no more");
    replay_log_close(log, true);
    unlink(copy_path);
}

static void
test_voids(void)
{
    struct replay_log *log = open_log(path, "it");

    if (!begin(log, 1 << 20))
        bail_out("no log");
    for (uint64_t seq = 1; seq <= 3; seq++)
        error_of(append(log, seq, 100, false));
    replay_log_void(log, 2);
    error_of(append(log, 4, 100, false));
    replay_log_close(log, false);
    log = open_log(path, "it");
    const struct replay_records *records = replay_log_records(log);
    ok(records->n == 3 && records->record[0].seq == 1 && records->record[1].seq == 3,
       "what was not done is not there");
    replay_log_forget(log);
    begin(log, 1 << 20);
    replay_log_close(log, true);
}

static void
test_full(void)
{
    struct replay_log *log = open_log(path, "it");
    struct change *last = NULL;
    uint64_t seq = 1;

    if (!begin(log, 1 << 20))
        bail_out("no log");
    calls = 0;
    /* 8 MiB of room, in 190 KiB each */
    for (; seq < 60; seq++)
        last = append(log, seq, 190 << 10, false);
    pthread_mutex_lock(&lock);
    while (calls == 0)
        pthread_cond_wait(&answered, &lock);
    ok(last->error == -1, "without room a change waits, and room is asked for");
    pthread_mutex_unlock(&lock);
    is_int(error_of(&changes[30]), 0, "those before are logged");
    replay_log_set_low(log, 30);
    is_int(error_of(last), 0, "it goes on when there is room");
    for (; seq < 130; seq++)
        last = append(log, seq, 190 << 10, false);
    int error = -1;
    while (error == -1) { /* it may not have come to wait yet */
        replay_log_give_up(log, ENOTCONN);
        pthread_mutex_lock(&lock);
        error = last->error;
        pthread_mutex_unlock(&lock);
    }
    is_int(error, ENOTCONN, "or fails when there will be none");
    replay_log_set_low(log, seq);
    is_int(error_of(append(log, seq, 190 << 10, false)), 0, "and later ones do not");
    replay_log_close(log, false);
    log = open_log(path, "it");
    ok(log != NULL && replay_log_records(log)->n == 1 &&
           is_right(&replay_log_records(log)->record[0]),
       "only what is needed is in it then");
    replay_log_close(log, false);
}

static void
test_disk_error(void)
{
    struct rlimit limit = {REPLAY_HEAD + 200000, RLIM_INFINITY},
                  none = {RLIM_INFINITY, RLIM_INFINITY};

    unlink(path);
    struct replay_log *log = open_log(path, "it");
    if (!begin(log, 1 << 20))
        bail_out("no log");
    is_int(error_of(append(log, 1, 100000, false)), 0, "a change is logged");
    setrlimit(RLIMIT_FSIZE, &limit);
    is_int(error_of(append(log, 2, 150000, false)), EFBIG,
           "one that the disk refuses fails with its error");
    setrlimit(RLIMIT_FSIZE, &none);
    is_int(error_of(append(log, 3, 150000, false)), 0, "later ones do not");
    replay_log_close(log, false);
    log = open_log(path, "it");
    const struct replay_records *records = replay_log_records(log);
    ok(records->n == 2 && is_right(&records->record[0]) &&
           is_right(&records->record[1]) && records->record[1].seq == 3,
       "what was logged is there, before and after");
    replay_log_close(log, false);
    unlink(path);
}

int
main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : (uint64_t)time(NULL);
    diag("seed %" PRIu64, seed);
    seed = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15);
    if (mkdtemp(folder) == NULL)
        bail_out("no folder");
    snprintf(path, sizeof path, "%s/log", folder);
    snprintf(copy_path, sizeof copy_path, "%s/copy", folder);
    test_file();
    test_others();
    test_copies();
    test_voids();
    test_full();
    test_disk_error();
    forget_changes();
    rmdir(folder);
    done_testing();
}
