/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-map-picture.c - data and holes as rows of characters */

#include "tap.h"
#include "tool-map-picture.h"

static void
test_shades(void)
{
    is_str(picture_shade(0, 3000, false), ".", "a hole");
    is_str(picture_shade(1, 3000, false), "-", "a single byte of data is seen");
    is_str(picture_shade(999, 3000, false), "-", "less than a third");
    is_str(picture_shade(1000, 3000, false), "+", "a third");
    is_str(picture_shade(1999, 3000, false), "+", "less than two thirds");
    is_str(picture_shade(2000, 3000, false), "*", "two thirds");
    is_str(picture_shade(2999, 3000, false), "*", "a single byte of a hole is seen");
    is_str(picture_shade(3000, 3000, false), "#", "data");
    is_str(picture_shade(1, 1, false), "#", "the smallest part, data");
    is_str(picture_shade(0, 1, false), ".", "the smallest part, a hole");
    is_str(picture_shade(0, 2, true), "\xc2\xb7", "a hole in UTF-8");
    is_str(picture_shade(2, 2, true), "\xe2\x96\x88", "data in UTF-8");
}

static char *
printed(const struct picture *picture)
{
    char *all = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&all, &size);

    picture_print(picture, out, false);
    fclose(out);
    return all;
}

static void
test_rows(void)
{
    struct picture picture;

    /* 18 columns: 10 characters behind the offset. */
    ok(picture_init(&picture, 512 * 25 + 1, 18), "a small file");
    is_int(picture.cell, 512, "each character is as small as can be");
    picture_add(&picture, 512 * 9, 1024);
    picture_add(&picture, 512 * 20, 511);
    picture_add(&picture, 512 * 25, 1);
    char *text = printed(&picture);
    is_str(text,
           "      0 .........#\n"
           "     5K #.........\n"
           "    10K *....#\n",
           "its rows; the last character is of one byte");
    free(text);
    picture_clear(&picture);

    ok(picture_init(&picture, UINT64_C(1) << 40, 80), "one of 1 TiB");
    is_int(picture.cell, 1 << 30, "each character is 1 GiB");
    is_int(picture.n, 1024, "there are as many as it takes");
    picture_clear(&picture);

    ok(picture_init(&picture, INT64_MAX, 80), "the largest");
    ok(picture.n <= 16 * picture.width, "has no more than 16 rows");
    ok(picture.n > 8 * picture.width, "and no fewer than 8");
    picture_add(&picture, INT64_MAX - 10, 10);
    is_int(picture.data[picture.n - 1], 10, "and its last bytes are at the end");
    picture_clear(&picture);

    ok(picture_init(&picture, 512 * 16 * 10, 18), "as much as fits 16 rows");
    is_int(picture.cell, 512, "has the smallest characters");
    picture_clear(&picture);
    ok(picture_init(&picture, 512 * 16 * 10 + 1, 18), "a byte more");
    is_int(picture.cell, 1024, "has larger ones");
    picture_clear(&picture);
    ok(picture_init(&picture, 0, 1), "an empty file in one column");
    text = printed(&picture);
    is_str(text, "", "has no rows");
    free(text);
    picture_clear(&picture);
}

/* Whatever is added in pieces is all there. */
static void
test_sums(void)
{
    struct picture picture;
    uint64_t sum = 0, added = 0, off = 0;

    srand(7);
    if (!ok(picture_init(&picture, 10000019, 50), "any size"))
        return;
    while (off < picture.size) {
        uint64_t len = (uint64_t)(rand() % 30000) + 1;
        if (len > picture.size - off)
            len = picture.size - off;
        if (rand() % 2 == 0) {
            picture_add(&picture, off, len);
            added += len;
        }
        off += len;
    }
    bool fine = true;
    for (size_t i = 0; i < picture.n; i++) {
        sum += picture.data[i];
        fine &= picture.data[i] <= picture.cell;
    }
    is_int(sum, added, "what was added is there");
    ok(fine, "and nothing has more than fits");
    picture_clear(&picture);
}

int
main(void)
{
    test_shades();
    test_rows();
    test_sums();
    done_testing();
}
