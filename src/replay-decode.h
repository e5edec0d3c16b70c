/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay-decode.h - the units of a replay log, read one by one
 *
 * For replay-format.c and replay-read.c only.
 */

#ifndef NBDMOUNT_REPLAY_DECODE_H
#define NBDMOUNT_REPLAY_DECODE_H

#include "replay-format.h"

/* False: there is none at bytes, of which REPLAY_SEGMENT_HEAD can be read. */
bool replay_segment_decode(struct replay_segment *segment, const uint8_t *bytes);

/* The same for a record, with REPLAY_RECORD bytes; record->data points behind it, and
 * whether that can be read is not known yet.  Its numbers may be anything. */
bool replay_record_decode(struct replay_record *record, const uint8_t *bytes);

/* Whether the data of a REPLAY_WRITE is what was written; it must be readable. */
bool replay_record_has_its_data(const struct replay_record *record);

#endif
