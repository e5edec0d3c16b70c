/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-replay-log.c - a replay log is composed, spoilt, and read
 *
 * Three bytes are one step: a record of some kind, what is on the disk, the other
 * segment, or a lie: a number in a unit whose checksum is right all the same, or a byte
 * that is changed.  As long as nothing was spoilt but what was not on the disk yet, all
 * that was there must be read, and nothing may be called damage.  Whatever was done,
 * what is read must be in order and inside the log.
 */

#undef NDEBUG /* the assertions are the test */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "crc32c.h"
#include "unit/replay-image.h"

#define CHANGES_MAX 512

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct model {
    bool synced[CHANGES_MAX]; /* by sequence number: it has to be read */
    bool void_[CHANGES_MAX];
    uint64_t prev_last; /* the last number in the other segment */
    bool spoilt;        /* what was on the disk was changed, or something lied */
    bool torn;          /* what was not on the disk yet was changed */
    uint64_t voids[64]; /* not on the disk yet */
    unsigned n_voids;
};

static const uint8_t payload[256] = "what is written";

/* A number in a unit of the segment, under a right checksum. */
static void
lie(struct image *image, struct model *model, unsigned which, uint8_t value)
{
    uint8_t *segment = image->bytes + image->segment * IMAGE_SEGMENT;
    bool head = which & 0x80;
    uint8_t *unit = head ? segment : segment + image->synced;
    size_t len = head ? REPLAY_SEGMENT_HEAD : REPLAY_RECORD;

    if (!head && image->pos < image->synced + REPLAY_RECORD)
        return;
    uint64_t number = value < 128 ? value : UINT64_MAX - value;
    memcpy(unit + 8 + which % (len / 8 - 1) * 8, &number, sizeof number);
    uint32_t crc = crc32c(0, unit + 8, len - 8);
    memcpy(unit + 4, &crc, sizeof crc); /* of this machine's order: it may be wrong */
    model->spoilt = true;
}

static void
sync_all(struct image *image, struct model *model)
{
    for (uint64_t seq = 1; seq <= image->seq && seq < CHANGES_MAX; seq++)
        model->synced[seq] = true;
    for (unsigned i = 0; i < model->n_voids; i++)
        model->void_[model->voids[i]] = true;
    model->n_voids = 0;
    image_sync(image);
}

static void
change_byte(struct image *image, struct model *model, unsigned at, uint8_t value)
{
    uint64_t pos = at % (2 * IMAGE_SEGMENT);

    if (value == 0)
        return;
    if (pos / IMAGE_SEGMENT == image->segment && pos % IMAGE_SEGMENT >= image->synced)
        model->torn = true;
    else
        model->spoilt = true;
    image->bytes[pos] ^= value;
}

/* The other segment is begun anew if nothing in it is needed. */
static void
switch_segment(struct image *image, struct model *model)
{
    if (image->turn > 1 && image->low <= model->prev_last)
        return;
    image_add(image, REPLAY_NOTE, 0, 0, NULL, 0);
    sync_all(image, model);
    model->prev_last = image->seq;
    image_begin(image, !image->segment, image->turn + 1, image->pos);
}

static void
step(struct image *image, struct model *model, uint8_t what, uint8_t a, uint8_t b)
{
    static const enum replay_kind kinds[] = {REPLAY_WRITE, REPLAY_ZEROS, REPLAY_ZERO,
                                             REPLAY_TRIM};
    bool room = image->pos + 2 * REPLAY_RECORD + sizeof payload <= IMAGE_SEGMENT &&
                image->seq + 1 < CHANGES_MAX;

    if (model->torn && (what % 8 < 6 || what % 8 == 7))
        return; /* after a crash nothing is written */
    switch (what % 8) {
    case 0:
    case 1:
        if (room)
            image_add(image, kinds[b % 4], a, b + 1U,
                      kinds[b % 4] == REPLAY_WRITE ? payload : NULL, 0);
        break;
    case 2:
        if (room && image->seq > 0 && model->n_voids < 64) {
            model->voids[model->n_voids] = a % image->seq + 1;
            image_add(image, REPLAY_VOID, 0, 0, NULL, model->voids[model->n_voids++]);
        }
        break;
    case 3:
        sync_all(image, model);
        break;
    case 4:
        image->low += a % (image->seq + 2 - image->low);
        break;
    case 5:
        switch_segment(image, model);
        break;
    case 6:
        change_byte(image, model, a * 256U + b, what | 1);
        break;
    default:
        lie(image, model, a, b);
    }
}

static bool
is_pending_void(const struct model *model, uint64_t seq)
{
    for (unsigned i = 0; i < model->n_voids; i++)
        if (model->voids[i] == seq)
            return true;
    return false;
}

static void
check(const struct image *image, const struct model *model)
{
    struct replay_records records;
    const char *why;
    uint64_t where, last = 0;
    bool read[CHANGES_MAX] = {false};
    enum replay_verdict verdict =
        replay_read(image->bytes, IMAGE_SEGMENT, &records, &why, &where);

    assert(verdict != REPLAY_DAMAGED || (why != NULL && where < sizeof image->bytes));
    for (size_t i = 0; i < records.n; i++) {
        const struct replay_record *record = &records.record[i];
        assert(record->seq > last && record->len > 0);
        last = record->seq;
        if (record->kind == REPLAY_WRITE)
            assert(record->data > image->bytes &&
                   record->len <=
                       (size_t)(image->bytes + sizeof image->bytes - record->data));
        if (last < CHANGES_MAX)
            read[last] = true;
    }
    assert(verdict == REPLAY_FINE || records.n == 0);
    if (!model->spoilt) {
        assert(verdict == REPLAY_FINE);
        for (uint64_t seq = image->low; seq < CHANGES_MAX; seq++)
            assert(!model->synced[seq] || model->void_[seq] || read[seq] ||
                   is_pending_void(model, seq));
    }
    replay_records_clear(&records);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct image image = {.low = 1};
    struct model model = {0};

    image_begin(&image, 0, 1, 0);
    for (size_t i = 0; i + 3 <= size; i += 3)
        step(&image, &model, data[i], data[i + 1], data[i + 2]);
    check(&image, &model);
    return 0;
}
