/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-json.c - what is written as JSON, and UTF-8 */

#include "json.h"
#include "tap.h"
#include "text.h"

#include <math.h>

/* One text as JSON writes it, without the newline behind it. */
static const char *
quoted(const char *text)
{
    static char got[256];
    char *all = NULL;
    size_t size = 0;
    struct json json = {.out = open_memstream(&all, &size)};

    json_text(&json, NULL, text);
    fclose(json.out);
    snprintf(got, sizeof got, "%.*s", (int)size - 1, all);
    free(all);
    return got;
}

static void
test_texts(void)
{
    is_str(quoted("plain"), "\"plain\"", "plain text");
    is_str(quoted(""), "\"\"", "none");
    is_str(quoted(NULL), "null", "NULL");
    is_str(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"", "quotes and backslashes");
    is_str(quoted("a\nb\tc\033\177"), "\"a\\nb\\u0009c\\u001b\\u007f\"",
           "control characters");
    is_str(quoted("\xc2\x9b"), "\"\\u009b\"", "those beyond ASCII too");
    is_str(quoted("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"),
           "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\"", "other characters as they are");
    is_str(quoted("x\xff\xc3"), "\"x\xef\xbf\xbd\xef\xbf\xbd\"",
           "bytes that are none, and one that is cut");
}

static void
test_structure(void)
{
    char *all = NULL;
    size_t size = 0;
    struct json json = {.out = open_memstream(&all, &size)};

    json_object(&json, NULL);
    json_integer(&json, "least", INT64_MIN);
    json_unsigned(&json, "most", UINT64_MAX);
    json_number(&json, "part", 0.25);
    json_number(&json, "none", NAN);
    json_bool(&json, "yes", true);
    json_array(&json, "empty");
    json_end(&json);
    json_array(&json, "two");
    json_integer(&json, NULL, 1);
    json_object(&json, NULL);
    json_end(&json);
    json_end(&json);
    json_end(&json);
    fclose(json.out);
    is_str(all,
           "{\n"
           "  \"least\": -9223372036854775808,\n"
           "  \"most\": 18446744073709551615,\n"
           "  \"part\": 0.25,\n"
           "  \"none\": null,\n"
           "  \"yes\": true,\n"
           "  \"empty\": [],\n"
           "  \"two\": [\n"
           "    1,\n"
           "    {}\n"
           "  ]\n"
           "}\n",
           "objects and arrays");
    free(all);
}

static void
test_utf8(void)
{
    static const char *const none[] = {"\x80",
                                       "\xc0\x80",
                                       "\xc1\xbf",
                                       "\xc3",
                                       "\xc3(",
                                       "\xe0\x9f\xbf",
                                       "\xed\xa0\x80",
                                       "\xe2\x82",
                                       "\xf0\x8f\xbf\xbf",
                                       "\xf4\x90\x80\x80",
                                       "\xf5\x80\x80\x80",
                                       "\xff"};
    static const struct {
        const char *text;
        uint32_t c;
    } fine[] = {
        {"a", 'a'},
        {"\xc2\x80", 0x80},
        {"\xdf\xbf", 0x7ff},
        {"\xe0\xa0\x80", 0x800},
        {"\xee\x80\x80", 0xe000},
        {"\xef\xbf\xbf", 0xffff},
        {"\xf0\x90\x80\x80", 0x10000},
        {"\xf4\x8f\xbf\xbf", 0x10ffff},
    };
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
        is_int(utf8_length(none[i], NULL), 0, "no character (%zu)", i);
    for (size_t i = 0; i < sizeof fine / sizeof fine[0]; i++) {
        uint32_t c = 0;
        is_int(utf8_length(fine[i].text, &c), (int)strlen(fine[i].text),
               "a character's bytes (%zu)", i);
        is_int(c, fine[i].c, "and which one it is (%zu)", i);
    }
}

int
main(void)
{
    test_texts();
    test_structure();
    test_utf8();
    done_testing();
}
