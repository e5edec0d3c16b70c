/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-replay-format.c - what a replay log has is read again, what a crash has torn is
 * ignored, and what was damaged is told */

#include "crc32c.h"
#include "replay-image.h"
#include "tap.h"

static struct replay_records records;
static const char *why;
static uint64_t where;

static enum replay_verdict
read_image(const struct image *image)
{
    replay_records_clear(&records);
    return replay_read(image->bytes, IMAGE_SEGMENT, &records, &why, &where);
}

/* The sequence numbers that are read, as text. */
static const char *
numbers(const struct image *image)
{
    static char text[256];
    size_t used = 0;

    switch (read_image(image)) {
    case REPLAY_DAMAGED:
        return "damaged";
    case REPLAY_NO_MEMORY:
        return "no memory";
    case REPLAY_FINE:
        break;
    }
    text[0] = '\0';
    for (size_t i = 0; i < records.n && used < sizeof text - 24; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%" PRIu64,
                                 i > 0 ? " " : "", records.record[i].seq);
    return text;
}

static void
test_checksum(void)
{
    uint8_t bytes[64];
    uint32_t one = 0;

    is_int(crc32c(0, "123456789", 9), 0xe3069283, "the checksum's known value");
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 37);
        one = crc32c(one, &bytes[i], 1);
    }
    is_int(crc32c(0, bytes, sizeof bytes), one, "in one piece or byte by byte");
    is_int(crc32c(crc32c(0, bytes, 13), bytes + 13, 51), one, "or cut anywhere");
}

static void
test_head(void)
{
    struct replay_head head = {.text = "nbd://host/disk",
                               .name = "disk",
                               .size = 1 << 20,
                               .segment = REPLAY_SEGMENT_MIN},
                       got;
    uint8_t bytes[REPLAY_HEAD];
    unsigned passed = 0;

    replay_head_encode(&head, bytes);
    ok(replay_head_decode(&got, bytes, &why) && memcmp(&head, &got, sizeof got) == 0,
       "a head is read as it was written");
    for (size_t i = 0; i < 8 * sizeof bytes; i++) {
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        passed += replay_head_decode(&got, bytes, &why);
        bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    is_int(passed, 0, "with any bit changed it is refused");
    bytes[8] = 9;
    ok(!replay_head_decode(&got, bytes, &why) && strstr(why, "version") != NULL,
       "another version is called so");
    memset(bytes, 'x', sizeof bytes);
    ok(!replay_head_decode(&got, bytes, &why) && strstr(why, "not a replay") != NULL,
       "what is no log too");
    memset(head.text, 'a', REPLAY_TEXT_MAX);
    memset(head.name, 'b', REPLAY_NAME_MAX);
    replay_head_encode(&head, bytes);
    ok(replay_head_decode(&got, bytes, &why) && memcmp(&head, &got, sizeof got) == 0,
       "names may be as long as they can be");
}

/* Three changes, two of them on the disk when the third was written. */
static void
three_changes(struct image *image)
{
    *image = (struct image){0};
    image_begin(image, 0, 1, 0);
    image_add(image, REPLAY_WRITE, 0, 5, "hello", 0);
    image_add(image, REPLAY_ZERO, 4096, 65536, NULL, 0);
    image_sync(image);
    image_add(image, REPLAY_WRITE, 512, 8, "abcdefgh", 0);
}

static void
test_records(void)
{
    struct image image = {0};

    is_str(numbers(&image), "", "a file that was only made is an empty log");
    image_begin(&image, 0, 1, 0);
    is_str(numbers(&image), "", "a segment without records too");
    three_changes(&image);
    is_str(numbers(&image), "1 2 3", "all records are read, in order");
    ok(records.record[0].kind == REPLAY_WRITE && records.record[0].off == 0 &&
           records.record[0].len == 5 &&
           memcmp(records.record[0].data, "hello", 5) == 0,
       "a write with its data");
    ok(records.record[1].kind == REPLAY_ZERO && records.record[1].off == 4096 &&
           records.record[1].len == 65536,
       "zeroes without");
    image_add(&image, REPLAY_VOID, 0, 0, NULL, 2);
    is_str(numbers(&image), "1 3", "what was not done is left out");
    image.low = 3;
    image_add(&image, REPLAY_NOTE, 0, 0, NULL, 0);
    is_str(numbers(&image), "3", "what is not needed too");
}

static void
test_torn(void)
{
    struct image image, torn;
    unsigned wrong = 0, found = 0;

    three_changes(&image);
    uint64_t begin = image.synced, end = image.pos;
    for (uint64_t cut = begin; cut < end; cut++) {
        torn = image;
        memset(torn.bytes + cut, 0, end - cut);
        wrong += strcmp(numbers(&torn), "1 2") != 0;
    }
    is_int(wrong, 0, "the last batch, torn at any byte, was never answered: ignored");
    for (uint64_t bit = begin * 8; bit < end * 8; bit++) {
        torn = image;
        torn.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        wrong += strcmp(numbers(&torn), "1 2") != 0;
    }
    is_int(wrong, 0, "the same with any bit of it not yet written");
    for (uint64_t bit = 0; bit < begin * 8; bit++) {
        torn = image;
        torn.bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
        bool damaged = strcmp(numbers(&torn), "damaged") == 0;
        /* what fills up "hello" means nothing */
        bool filling = bit / 8 >= REPLAY_SEGMENT_HEAD + REPLAY_RECORD + 5 &&
                       bit / 8 < REPLAY_SEGMENT_HEAD + REPLAY_RECORD + 8;
        wrong += damaged == filling;
        found += damaged;
    }
    is_int(wrong, 0, "any bit changed in what was on the disk is damage");
    ok(found > 1000, "%u times", found);
    torn = image;
    torn.bytes[REPLAY_SEGMENT_HEAD] ^= 1;
    ok(read_image(&torn) == REPLAY_DAMAGED && where == REPLAY_SEGMENT_HEAD,
       "it is told where that is");
}

/* The older segment has 1 and 2, the newer one 3 and 4. */
static void
two_segments(struct image *image, uint64_t low)
{
    *image = (struct image){0};
    image_begin(image, 0, 1, 0);
    image_add(image, REPLAY_WRITE, 0, 8, "abcdefgh", 0);
    image_sync(image);
    image_add(image, REPLAY_WRITE, 0, 8, "ijklmnop", 0);
    image_begin(image, 1, 2, image->pos);
    image_add(image, REPLAY_TRIM, 8192, 8, NULL, 0);
    image_sync(image);
    image->low = low;
    image_add(image, REPLAY_ZEROS, 0, 4096, NULL, 0);
}

static void
test_segments(void)
{
    struct image image;
    uint8_t *newer = image.bytes + IMAGE_SEGMENT;

    two_segments(&image, 0);
    is_str(numbers(&image), "1 2 3 4", "both segments are read, the older one first");
    image.bytes[REPLAY_SEGMENT_HEAD + 170] ^= 1;
    is_str(numbers(&image), "damaged", "the older one must be whole to its end");
    two_segments(&image, 3);
    is_str(numbers(&image), "3 4", "unless nothing in it is needed any more");
    image.bytes[REPLAY_SEGMENT_HEAD + 170] ^= 1;
    is_str(numbers(&image), "3 4", "then it may be anything");
    image.bytes[0] ^= 1;
    is_str(numbers(&image), "3 4", "as it is when it is begun anew");
    two_segments(&image, 0);
    image.bytes[0] ^= 1;
    is_str(numbers(&image), "damaged", "but not while it is needed");
    two_segments(&image, 0);
    newer[0] ^= 1;
    is_str(numbers(&image), "damaged", "nor the newer one when it has records");
    memset(newer + REPLAY_SEGMENT_HEAD, 0, IMAGE_SEGMENT - REPLAY_SEGMENT_HEAD);
    is_str(numbers(&image), "1 2", "without any, its head was torn by a crash");
    image_begin(&image, 0, 3, REPLAY_SEGMENT_HEAD);
    image_begin(&image, 1, 5, REPLAY_SEGMENT_HEAD);
    is_str(numbers(&image), "damaged", "segments of different times are damage");
    memset(&image, 'x', sizeof image);
    is_str(numbers(&image), "damaged", "and so is anything else");
}

/* A disk that has a replay log on it. */
static void
test_nested(void)
{
    struct image inner, image = {0};

    three_changes(&inner);
    image_begin(&image, 0, 1, 0);
    image_add(&image, REPLAY_WRITE, 0, inner.pos, inner.bytes, 0);
    uint64_t torn = image.pos - 8;
    memset(image.bytes + torn, 0, 8);
    is_str(numbers(&image), "", "records in the data of a torn record count nothing");
}

int
main(void)
{
    test_checksum();
    test_head();
    test_records();
    test_torn();
    test_segments();
    test_nested();
    replay_records_clear(&records);
    done_testing();
}
