/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-image.h - the two segments of a replay log, composed in memory */

#ifndef REPLAY_IMAGE_H
#define REPLAY_IMAGE_H

#include "replay-format.h"

#include <string.h>

#define IMAGE_SEGMENT 4096
#define IMAGE_SALT    UINT64_C(0x5a17)

struct image {
    uint8_t bytes[2 * IMAGE_SEGMENT];
    unsigned segment;
    uint64_t turn, pos, synced, seq, low;
};

/* Begins a segment; prev_end as in its head. */
static inline void
image_begin(struct image *image, unsigned segment, uint64_t turn, uint64_t prev_end)
{
    struct replay_segment head = {
        .salt = IMAGE_SALT,
        .turn = turn,
        .base = image->seq + 1,
        .low = image->low,
        .prev_end = prev_end,
    };

    image->segment = segment;
    image->turn = turn;
    image->pos = image->synced = REPLAY_SEGMENT_HEAD;
    replay_segment_encode(&head, image->bytes + segment * IMAGE_SEGMENT);
}

/* Adds a record, which has the next sequence number unless it is of those that name
 * one. data is NULL, or len bytes. */
static inline void
image_add(struct image *image, enum replay_kind kind, uint64_t off, uint64_t len,
          const void *data, uint64_t seq)
{
    uint8_t *to = image->bytes + image->segment * IMAGE_SEGMENT + image->pos;
    struct replay_record record = {
        .salt = IMAGE_SALT,
        .turn = image->turn,
        .at = image->pos,
        .seq = kind == REPLAY_VOID || kind == REPLAY_NOTE ? seq : ++image->seq,
        .off = off,
        .len = len,
        .synced = image->synced,
        .low = image->low,
        .kind = kind,
        .data = data,
    };

    replay_record_encode(&record, to);
    if (data != NULL)
        memcpy(to + REPLAY_RECORD, data, len);
    image->pos += replay_record_size(kind, len);
}

/* What was added is on the disk. */
static inline void
image_sync(struct image *image)
{
    image->synced = image->pos;
}

#endif
