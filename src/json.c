/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.c - see json.h */

#include "json.h"
#include "text.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>

static void
quote(FILE *out, const char *text)
{
    putc('"', out);
    while (*text != '\0') {
        uint32_t c;
        size_t n = utf8_length(text, &c);
        if (n == 0)
            fputs("\xef\xbf\xbd", out);
        else if (c == '"' || c == '\\')
            fprintf(out, "\\%c", (char)c);
        else if (c == '\n')
            fputs("\\n", out);
        else if (c < ' ' || (c >= 0x7f && c < 0xa0)) /* no terminal shall see these */
            fprintf(out, "\\u%04" PRIx32, c);
        else
            fwrite(text, 1, n, out);
        text += n > 0 ? n : 1;
    }
    putc('"', out);
}

static void
new_line(struct json *json)
{
    fprintf(json->out, "\n%*s", (int)(2 * json->depth), "");
}

/* What stands before a value. */
static void
begin_value(struct json *json, const char *key)
{
    if (json->depth == 0)
        return;
    assert((key == NULL) == json->is_array[json->depth - 1]);
    if (json->has_members[json->depth - 1])
        putc(',', json->out);
    json->has_members[json->depth - 1] = true;
    new_line(json);
    if (key != NULL) {
        quote(json->out, key);
        fputs(": ", json->out);
    }
}

static void
end_value(struct json *json)
{
    if (json->depth == 0)
        putc('\n', json->out);
}

static void
open_value(struct json *json, const char *key, bool is_array)
{
    begin_value(json, key);
    assert(json->depth < JSON_DEPTH);
    json->has_members[json->depth] = false;
    json->is_array[json->depth++] = is_array;
    putc(is_array ? '[' : '{', json->out);
}

void
json_object(struct json *json, const char *key)
{
    open_value(json, key, false);
}

void
json_array(struct json *json, const char *key)
{
    open_value(json, key, true);
}

void
json_end(struct json *json)
{
    assert(json->depth > 0);
    bool is_array = json->is_array[--json->depth];
    if (json->has_members[json->depth])
        new_line(json);
    putc(is_array ? ']' : '}', json->out);
    end_value(json);
}

void
json_text(struct json *json, const char *key, const char *text)
{
    begin_value(json, key);
    if (text != NULL)
        quote(json->out, text);
    else
        fputs("null", json->out);
    end_value(json);
}

void
json_integer(struct json *json, const char *key, int64_t number)
{
    begin_value(json, key);
    fprintf(json->out, "%" PRId64, number);
    end_value(json);
}

void
json_unsigned(struct json *json, const char *key, uint64_t number)
{
    begin_value(json, key);
    fprintf(json->out, "%" PRIu64, number);
    end_value(json);
}

void
json_number(struct json *json, const char *key, double number)
{
    begin_value(json, key);
    if (isfinite(number))
        fprintf(json->out, "%.15g", number);
    else
        fputs("null", json->out);
    end_value(json);
}

void
json_bool(struct json *json, const char *key, bool value)
{
    begin_value(json, key);
    fputs(value ? "true" : "false", json->out);
    end_value(json);
}
