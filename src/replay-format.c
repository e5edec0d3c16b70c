/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-format.c - encoding and decoding: see replay-format.h */

#include "replay-format.h"
#include "crc32c.h"
#include "replay-decode.h"

#include <endian.h>
#include <string.h>

#define VERSION 1

static const char head_magic[8] = {'n', 'b', 'd', 'm', 'R', 'P', 'L', '\n'};
static const char segment_magic[4] = {'r', 'S', 'E', 'G'};
static const char record_magic[4] = {'r', 'R', 'E', 'C'};

static void
put32(uint8_t *p, uint32_t n)
{
    n = htole32(n);
    memcpy(p, &n, sizeof n);
}

static void
put64(uint8_t *p, uint64_t n)
{
    n = htole64(n);
    memcpy(p, &n, sizeof n);
}

static uint32_t
get32(const uint8_t *p)
{
    uint32_t n;

    memcpy(&n, p, sizeof n);
    return le32toh(n);
}

static uint64_t
get64(const uint8_t *p)
{
    uint64_t n;

    memcpy(&n, p, sizeof n);
    return le64toh(n);
}

/* ---- the head: magic, version, checksum of what follows, sizes, two texts */

void
replay_head_encode(const struct replay_head *head, uint8_t bytes[REPLAY_HEAD])
{
    size_t text_len = strlen(head->text), name_len = strlen(head->name);

    memset(bytes, 0, REPLAY_HEAD);
    memcpy(bytes, head_magic, sizeof head_magic);
    put32(bytes + 8, VERSION);
    put64(bytes + 16, head->segment);
    put64(bytes + 24, head->size);
    put32(bytes + 32, (uint32_t)text_len);
    put32(bytes + 36, (uint32_t)name_len);
    memcpy(bytes + 40, head->text, text_len);
    memcpy(bytes + 40 + text_len, head->name, name_len);
    put32(bytes + 12, crc32c(0, bytes + 16, REPLAY_HEAD - 16));
}

bool
replay_head_decode(struct replay_head *head, const uint8_t bytes[REPLAY_HEAD],
                   const char **why)
{
    uint32_t text_len = get32(bytes + 32), name_len = get32(bytes + 36);

    memset(head, 0, sizeof *head);
    if (memcmp(bytes, head_magic, sizeof head_magic) != 0) {
        *why = "this is not a replay log";
        return false;
    }
    if (get32(bytes + 8) != VERSION) {
        *why = "this is a replay log of a version that is not known here";
        return false;
    }
    head->segment = get64(bytes + 16);
    head->size = get64(bytes + 24);
    if (get32(bytes + 12) != crc32c(0, bytes + 16, REPLAY_HEAD - 16) ||
        text_len > REPLAY_TEXT_MAX || name_len > REPLAY_NAME_MAX ||
        head->segment < REPLAY_SEGMENT_MIN || head->segment > REPLAY_SEGMENT_MAX ||
        head->segment % 4096 != 0) {
        *why = "the replay log is damaged: its head";
        return false;
    }
    memcpy(head->text, bytes + 40, text_len);
    memcpy(head->name, bytes + 40 + text_len, name_len);
    return true;
}

/* ---- the head of a segment: magic, checksum of what follows, five numbers */

void
replay_segment_encode(const struct replay_segment *segment,
                      uint8_t bytes[REPLAY_SEGMENT_HEAD])
{
    memset(bytes, 0, REPLAY_SEGMENT_HEAD);
    memcpy(bytes, segment_magic, sizeof segment_magic);
    put64(bytes + 8, segment->salt);
    put64(bytes + 16, segment->turn);
    put64(bytes + 24, segment->base);
    put64(bytes + 32, segment->low);
    put64(bytes + 40, segment->prev_end);
    put32(bytes + 4, crc32c(0, bytes + 8, REPLAY_SEGMENT_HEAD - 8));
}

bool
replay_segment_decode(struct replay_segment *segment, const uint8_t *bytes)
{
    *segment = (struct replay_segment){
        .salt = get64(bytes + 8),
        .turn = get64(bytes + 16),
        .base = get64(bytes + 24),
        .low = get64(bytes + 32),
        .prev_end = get64(bytes + 40),
    };
    return memcmp(bytes, segment_magic, sizeof segment_magic) == 0 &&
           get32(bytes + 4) == crc32c(0, bytes + 8, REPLAY_SEGMENT_HEAD - 8);
}

/* ---- a record: magic, checksum of the rest of these bytes, one of the data */

uint64_t
replay_record_size(enum replay_kind kind, uint64_t len)
{
    return REPLAY_RECORD + (kind == REPLAY_WRITE ? (len + 7) / 8 * 8 : 0);
}

void
replay_record_encode(const struct replay_record *record, uint8_t bytes[REPLAY_RECORD])
{
    memcpy(bytes, record_magic, sizeof record_magic);
    put64(bytes + 8, record->salt);
    put64(bytes + 16, record->turn);
    put64(bytes + 24, record->at);
    put64(bytes + 32, record->seq);
    put64(bytes + 40, record->off);
    put64(bytes + 48, record->len);
    put64(bytes + 56, record->synced);
    put64(bytes + 64, record->low);
    put32(bytes + 72, record->kind);
    put32(bytes + 76, record->flags);
    put32(bytes + 80,
          record->kind == REPLAY_WRITE ? crc32c(0, record->data, record->len) : 0);
    put32(bytes + 84, 0);
    put32(bytes + 4, crc32c(0, bytes + 8, REPLAY_RECORD - 8));
}

bool
replay_record_decode(struct replay_record *record, const uint8_t *bytes)
{
    if (memcmp(bytes, record_magic, sizeof record_magic) != 0 ||
        get32(bytes + 4) != crc32c(0, bytes + 8, REPLAY_RECORD - 8))
        return false;
    *record = (struct replay_record){
        .salt = get64(bytes + 8),
        .turn = get64(bytes + 16),
        .at = get64(bytes + 24),
        .seq = get64(bytes + 32),
        .off = get64(bytes + 40),
        .len = get64(bytes + 48),
        .synced = get64(bytes + 56),
        .low = get64(bytes + 64),
        .kind = (enum replay_kind)get32(bytes + 72),
        .flags = get32(bytes + 76),
        .data = bytes + REPLAY_RECORD,
    };
    return true;
}

bool
replay_record_has_its_data(const struct replay_record *record)
{
    /* its data lies behind it */
    return get32(record->data - REPLAY_RECORD + 80) ==
           crc32c(0, record->data, record->len);
}
