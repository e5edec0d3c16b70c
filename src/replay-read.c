/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-read.c - what a replay log has to say: see replay-format.h
 *
 * The segment with the higher turn is the newer one.  Its records end at the first that
 * is not whole.  That is where a crash has torn it, unless something behind says that
 * it was on the disk before: then it is damage.  The older one counts as long as the
 * newer one does not say that nothing below its own first sequence number is needed,
 * and then has to be whole up to its end, which the newer one's head tells.
 */

#include "replay-decode.h"

#include <stdlib.h>
#include <string.h>

struct reading {
    const uint8_t *bytes;
    uint64_t size; /* of a segment */
    struct replay_records *records;
    uint64_t low;      /* the highest that was seen */
    uint64_t last_seq; /* of records in the walk under way */
    uint64_t *voids;   /* sequence numbers */
    size_t n_voids, voids_room;
    const char *why;
    uint64_t where;
};

static enum replay_verdict
damaged(struct reading *reading, const char *why, const uint8_t *at)
{
    reading->why = why;
    reading->where = (uint64_t)(at - reading->bytes);
    return REPLAY_DAMAGED;
}

/* Whether one more fits; makes the array larger. */
static bool
make_room(void **array, size_t n, size_t *room, size_t element)
{
    if (n < *room)
        return true;
    size_t more = *room > 0 ? *room * 2 : 64;
    void *larger = reallocarray(*array, more, element);
    if (larger == NULL)
        return false;
    *array = larger;
    *room = more;
    return true;
}

/* A record that is whole, at pos of the segment, and ends before limit. */
static bool
record_at(const struct reading *reading, const uint8_t *bytes,
          const struct replay_segment *segment, uint64_t pos, uint64_t limit,
          struct replay_record *record)
{
    if (limit - pos < REPLAY_RECORD || !replay_record_decode(record, bytes + pos) ||
        record->salt != segment->salt || record->turn != segment->turn ||
        record->at != pos)
        return false;
    bool change = false;
    switch (record->kind) {
    case REPLAY_WRITE:
        if (record->len > limit - pos - REPLAY_RECORD ||
            !replay_record_has_its_data(record))
            return false;
        change = true;
        break;
    case REPLAY_ZEROS:
    case REPLAY_ZERO:
    case REPLAY_TRIM:
        change = true;
        break;
    case REPLAY_VOID:
    case REPLAY_NOTE:
        break;
    default:
        return false;
    }
    return !change || (record->seq > reading->last_seq && record->len > 0 &&
                       record->off <= INT64_MAX && record->len <= INT64_MAX);
}

/* False: no memory. */
static bool
keep(struct reading *reading, const struct replay_record *record)
{
    struct replay_records *records = reading->records;

    if (record->low > reading->low)
        reading->low = record->low;
    if (record->kind == REPLAY_NOTE)
        return true;
    if (record->kind == REPLAY_VOID) {
        if (!make_room((void **)&reading->voids, reading->n_voids, &reading->voids_room,
                       sizeof reading->voids[0]))
            return false;
        reading->voids[reading->n_voids++] = record->seq;
        return true;
    }
    reading->last_seq = record->seq;
    if (!make_room((void **)&records->record, records->n, &records->room,
                   sizeof records->record[0]))
        return false;
    records->record[records->n++] = *record;
    return true;
}

/* Whether something behind pos says that pos was on the disk before. */
static bool
was_whole(const struct reading *reading, const uint8_t *bytes,
          const struct replay_segment *segment, uint64_t pos)
{
    struct replay_record record;

    for (uint64_t p = pos; p + REPLAY_RECORD <= reading->size; p += 8)
        if (replay_record_decode(&record, bytes + p) && record.salt == segment->salt &&
            record.turn == segment->turn && record.at == p && record.synced > pos)
            return true;
    return false;
}

/* Keeps a segment's records from its head up to limit at most; *end is where that
 * was. */
static enum replay_verdict
walk(struct reading *reading, const uint8_t *bytes,
     const struct replay_segment *segment, uint64_t limit, uint64_t *end)
{
    struct replay_record record;
    uint64_t pos = REPLAY_SEGMENT_HEAD;

    if (segment->low > reading->low)
        reading->low = segment->low;
    reading->last_seq = segment->base > 0 ? segment->base - 1 : 0;
    while (record_at(reading, bytes, segment, pos, limit, &record)) {
        if (!keep(reading, &record))
            return REPLAY_NO_MEMORY;
        uint64_t size = replay_record_size(record.kind, record.len);
        pos = size < limit - pos ? pos + size : limit;
    }
    *end = pos;
    return REPLAY_FINE;
}

/* The other segment has no head, or one that is torn.  It may have nothing that counts
 * for more than this one's. */
static enum replay_verdict
check_headless(struct reading *reading, const uint8_t *other,
               const struct replay_segment *segment)
{
    struct replay_record record;

    for (uint64_t p = REPLAY_SEGMENT_HEAD; p + REPLAY_RECORD <= reading->size; p += 8)
        if (replay_record_decode(&record, other + p) && record.salt == segment->salt &&
            record.turn > segment->turn && record.at == p)
            return damaged(reading, "the head of a segment", other);
    return REPLAY_FINE;
}

/* There is no head at all: an empty log, if nothing else is there either. */
static enum replay_verdict
check_empty(struct reading *reading)
{
    for (uint64_t p = 0; p < 2 * reading->size; p++)
        if (reading->bytes[p] != 0)
            return damaged(reading, "the heads of both segments", reading->bytes);
    return REPLAY_FINE;
}

/* newer is read, at last; older_segment is NULL if the older one has no head. */
static enum replay_verdict
read_both(struct reading *reading, const uint8_t *newer,
          const struct replay_segment *newer_segment, const uint8_t *older,
          const struct replay_segment *older_segment)
{
    struct replay_records *records = reading->records;
    uint64_t end;
    enum replay_verdict verdict =
        walk(reading, newer, newer_segment, reading->size, &end);

    if (verdict == REPLAY_FINE && was_whole(reading, newer, newer_segment, end))
        verdict = damaged(reading, "a record that had been written", newer + end);
    if (verdict == REPLAY_FINE && older_segment == NULL)
        verdict = check_headless(reading, older, newer_segment);
    if (verdict != REPLAY_FINE || newer_segment->prev_end == 0 ||
        reading->low >= newer_segment->base)
        return verdict;

    if (older_segment == NULL)
        return damaged(reading, "the head of a segment", older);
    if (newer_segment->prev_end < REPLAY_SEGMENT_HEAD ||
        newer_segment->prev_end > reading->size)
        return damaged(reading, "the head of a segment", newer);
    struct replay_records later = *records;
    *records = (struct replay_records){0};
    verdict = walk(reading, older, older_segment, newer_segment->prev_end, &end);
    if (verdict == REPLAY_FINE && end != newer_segment->prev_end)
        verdict = damaged(reading, "a record that had been written", older + end);
    if (verdict == REPLAY_FINE && records->n > 0 &&
        records->record[records->n - 1].seq >= newer_segment->base)
        verdict = damaged(reading, "the order of its records", older);
    for (size_t i = 0; i < later.n && verdict == REPLAY_FINE; i++)
        if (!keep(reading, &later.record[i]))
            verdict = REPLAY_NO_MEMORY;
    replay_records_clear(&later);
    return verdict;
}

static enum replay_verdict
read_segments(struct reading *reading)
{
    const uint8_t *bytes[2] = {reading->bytes, reading->bytes + reading->size};
    struct replay_segment segment[2];
    bool there[2];

    for (int i = 0; i < 2; i++)
        there[i] = replay_segment_decode(&segment[i], bytes[i]);
    if (!there[0] && !there[1])
        return check_empty(reading);
    int newer = !there[0] || (there[1] && segment[1].turn > segment[0].turn);
    if (there[0] && there[1] &&
        (segment[0].salt != segment[1].salt ||
         segment[newer].turn - segment[!newer].turn != 1))
        return damaged(reading, "its segments do not belong together", bytes[!newer]);
    return read_both(reading, bytes[newer], &segment[newer], bytes[!newer],
                     there[!newer] ? &segment[!newer] : NULL);
}

static int
compare_seq(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Takes out what is not needed, and what was not done. */
static void
drop_done(struct reading *reading)
{
    struct replay_records *records = reading->records;
    size_t kept = 0;

    if (reading->n_voids > 0)
        qsort(reading->voids, reading->n_voids, sizeof reading->voids[0], compare_seq);
    for (size_t i = 0; i < records->n; i++) {
        uint64_t seq = records->record[i].seq;
        bool void_ = reading->n_voids > 0 &&
                     bsearch(&seq, reading->voids, reading->n_voids,
                             sizeof reading->voids[0], compare_seq) != NULL;
        if (seq >= reading->low && !void_)
            records->record[kept++] = records->record[i];
    }
    records->n = kept;
}

enum replay_verdict
replay_read(const uint8_t *bytes, uint64_t segment, struct replay_records *records,
            const char **why, uint64_t *where)
{
    struct reading reading = {.bytes = bytes, .size = segment, .records = records};

    *records = (struct replay_records){0};
    enum replay_verdict verdict = read_segments(&reading);
    if (verdict == REPLAY_FINE)
        drop_done(&reading);
    else
        replay_records_clear(records);
    free(reading.voids);
    *why = reading.why;
    *where = reading.where;
    return verdict;
}

void
replay_records_clear(struct replay_records *records)
{
    free(records->record);
    *records = (struct replay_records){0};
}
