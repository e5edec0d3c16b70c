/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* json.h - writing JSON to a stream
 *
 * Indented, one member on a line.  Text may be any bytes: what is not UTF-8 becomes
 * U+FFFD, for JSON has no other bytes; whoever has to have them back writes them
 * percent-encoded too.  Whether the stream took it all is for its owner to see.
 */

#ifndef NBDMOUNT_JSON_H
#define NBDMOUNT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 16

/* Set out and nothing else before the first value. */
struct json {
    FILE *out;
    unsigned depth;
    bool has_members[JSON_DEPTH];
    bool is_array[JSON_DEPTH];
};

/* Each writes one value: key is NULL in an array, and for the one at the top.  After
 * the one at the top comes a newline. */
void json_object(struct json *json, const char *key);
void json_array(struct json *json, const char *key);
void json_end(struct json *json); /* of the last object or array that has none yet */

/* NULL for text: null. */
void json_text(struct json *json, const char *key, const char *text);
void json_integer(struct json *json, const char *key, int64_t number);
void json_unsigned(struct json *json, const char *key, uint64_t number);
void json_number(struct json *json, const char *key,
                 double number); /* inf, nan: null */
void json_bool(struct json *json, const char *key, bool value);

#endif
