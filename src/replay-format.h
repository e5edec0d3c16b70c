/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-format.h - the bytes of a replay log; pure: no file, no lock, no clock
 *
 * A head of one page says whose log it is.  Two segments of equal size follow, written
 * in turn: one is begun anew when nothing of what it had is needed any more.  A segment
 * has a head and then records, each behind the other.
 *
 * Numbers are little-endian.  Each unit has a checksum.  A record tells how much of its
 * segment was known to be on the disk when it was written.  So what a crash has torn,
 * which nobody was promised, differs from what was damaged afterwards: behind the
 * latter stands a record that says it had been whole.
 */

#ifndef NBDMOUNT_REPLAY_FORMAT_H
#define NBDMOUNT_REPLAY_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define REPLAY_HEAD         4096 /* bytes of the head */
#define REPLAY_SEGMENT_HEAD 64   /* of a segment's head */
#define REPLAY_RECORD       88   /* of a record, without its data */
#define REPLAY_SEGMENT_MIN  ((uint64_t)4 << 20)
#define REPLAY_SEGMENT_MAX  ((uint64_t)32 << 30)
#define REPLAY_TEXT_MAX     3072
#define REPLAY_NAME_MAX     255

struct replay_head {
    char text[REPLAY_TEXT_MAX + 1]; /* the source, as others may see it */
    char name[REPLAY_NAME_MAX + 1]; /* the export's */
    uint64_t size;                  /* the export's */
    uint64_t segment;               /* bytes of each segment; a multiple of 4096 */
};

void replay_head_encode(const struct replay_head *head, uint8_t bytes[REPLAY_HEAD]);

/* False: it is not one that can be used; *why says so, a constant. */
bool replay_head_decode(struct replay_head *head, const uint8_t bytes[REPLAY_HEAD],
                        const char **why);

/* The head of a segment. */
struct replay_segment {
    uint64_t salt;     /* the same in all of a log, and in no other */
    uint64_t turn;     /* 1, 2, ...: each one more than the other segment's */
    uint64_t base;     /* the first sequence number that it may have */
    uint64_t low;      /* what has a lower sequence number is not needed any more */
    uint64_t prev_end; /* where the other one's records end; 0: it has none */
};

void replay_segment_encode(const struct replay_segment *segment,
                           uint8_t bytes[REPLAY_SEGMENT_HEAD]);

enum replay_kind {
    REPLAY_WRITE = 1, /* with len bytes of data */
    REPLAY_ZEROS,     /* the same, all zeros and not there */
    REPLAY_ZERO,
    REPLAY_TRIM,
    REPLAY_VOID, /* what has this sequence number was not done */
    REPLAY_NOTE, /* nothing but low */
};

struct replay_record {
    uint64_t salt, turn; /* as in its segment's head */
    uint64_t at;         /* where it is in its segment */
    uint64_t seq;        /* rises with each, but for the last two kinds */
    uint64_t off, len;
    uint64_t synced; /* bytes of the segment that were on the disk before it */
    uint64_t low;
    enum replay_kind kind;
    uint32_t flags;
    const uint8_t *data; /* of REPLAY_WRITE */
};

/* Bytes that it takes, its data and what fills them up included. */
uint64_t replay_record_size(enum replay_kind kind, uint64_t len);

/* All but the data. */
void replay_record_encode(const struct replay_record *record,
                          uint8_t bytes[REPLAY_RECORD]);

/* What is to be sent again: in order, with data that points into the bytes. */
struct replay_records {
    struct replay_record *record;
    size_t n, room;
};

enum replay_verdict { REPLAY_FINE, REPLAY_DAMAGED, REPLAY_NO_MEMORY };

/* Reads two segments that lie one behind the other.  REPLAY_DAMAGED: *why says what is
 * wrong, a constant, and *where in bytes. */
enum replay_verdict replay_read(const uint8_t *bytes, uint64_t segment,
                                struct replay_records *records, const char **why,
                                uint64_t *where);
void replay_records_clear(struct replay_records *records);

#endif
