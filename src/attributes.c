/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* attributes.c - see attributes.h */

#include "attributes.h"
#include "flags.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MAX 49152 /* of paths; with the last one it is still below the limit */

static const char *const names[] = {
    [ATTRIBUTE_URI] = "user.nbd.uri",
    [ATTRIBUTE_EXPORT] = "user.nbd.export",
    [ATTRIBUTE_DESCRIPTION] = "user.nbd.description",
    [ATTRIBUTE_SIZE] = "user.nbd.size",
    [ATTRIBUTE_FLAGS] = "user.nbd.flags",
    [ATTRIBUTE_BLOCK_SIZE] = "user.nbd.block-size",
    [ATTRIBUTE_STATUS] = ATTRIBUTE_NAME_STATUS,
    [ATTRIBUTE_MOUNT_JSON] = ATTRIBUTE_NAME_STATUS ".mount.json",
    [ATTRIBUTE_MOUNT_TEXT] = ATTRIBUTE_NAME_STATUS ".mount.text",
    [ATTRIBUTE_EXPORT_JSON] = ATTRIBUTE_NAME_STATUS ".export.json",
    [ATTRIBUTE_EXPORT_TEXT] = ATTRIBUTE_NAME_STATUS ".export.text",
};

enum attribute
attribute_of(const char *name, uint64_t *from)
{
    static const char open[] = ATTRIBUTE_NAME_OPEN;
    unsigned i = 0;

    *from = 0;
    if (strncmp(name, "user.nbd.", 9) != 0) /* most that are asked for */
        return ATTRIBUTE_NONE;
    while (i < ATTRIBUTE_OPEN && strcmp(name, names[i]) != 0)
        i++;
    if (i < ATTRIBUTE_OPEN)
        return (enum attribute)i;
    const char *number = name + sizeof open - 1;
    if (strncmp(name, open, sizeof open - 1) != 0 || *number == '\0' ||
        number[strspn(number, "0123456789")] != '\0')
        return ATTRIBUTE_NONE;
    *from = strtoull(number, NULL, 10);
    return ATTRIBUTE_OPEN;
}

bool
attribute_needs_info(enum attribute attribute)
{
    return attribute == ATTRIBUTE_SIZE || attribute == ATTRIBUTE_FLAGS ||
           attribute == ATTRIBUTE_BLOCK_SIZE;
}

static bool
has(const struct status_file *file, enum attribute attribute)
{
    switch (attribute) {
    case ATTRIBUTE_URI:
        return file->uri != NULL;
    case ATTRIBUTE_EXPORT:
        return file->name != NULL;
    case ATTRIBUTE_DESCRIPTION:
        return file->description != NULL && *file->description != '\0';
    default:
        return file->info != NULL || !attribute_needs_info(attribute);
    }
}

char *
attribute_names(const struct status_file *file, size_t *len)
{
    size_t room = 0;

    *len = 0;
    for (unsigned i = 0; i < ATTRIBUTES_LISTED; i++)
        room += strlen(names[i]) + 1;
    char *all = malloc(room);
    for (unsigned i = 0; all != NULL && file != NULL && i < ATTRIBUTES_LISTED; i++) {
        if (!attribute_needs_info(i) && !has(file, i))
            continue; /* but the server can be asked for the others */
        memcpy(all + *len, names[i], strlen(names[i]) + 1);
        *len += strlen(names[i]) + 1;
    }
    return all;
}

/* Without a newline: a value, not a line. */
static void
put_value(FILE *out, const struct status_file *file, enum attribute attribute)
{
    char flags[FLAGS_TEXT_SIZE];

    switch (attribute) {
    case ATTRIBUTE_URI:
        fputs(file->uri, out);
        break;
    case ATTRIBUTE_EXPORT:
        fputs(file->name, out);
        break;
    case ATTRIBUTE_DESCRIPTION:
        fputs(file->description, out);
        break;
    case ATTRIBUTE_SIZE:
        fprintf(out, "%" PRId64, file->info->size);
        break;
    case ATTRIBUTE_FLAGS:
        fputs(flags_text(file->info->flags, flags), out);
        break;
    default:
        fprintf(out, "%" PRIu32 ",%" PRIu32 ",%" PRIu32, file->info->minimum,
                file->info->preferred, file->info->maximum);
    }
}

static void
put_open_page(FILE *out, const struct attribute_subject *subject, uint64_t from)
{
    char *path;

    while (ftell(out) < PAGE_MAX &&
           (path = subject->next_open(subject->user_data, from, &from)) != NULL) {
        fprintf(out, "%" PRIu64 "%c%s%c", from, '\0', path, '\0');
        free(path);
    }
}

static void
put_open_list(struct json *json, const struct attribute_subject *subject)
{
    uint64_t from = 0;
    bool complete = false;

    json_array(json, "open");
    while (!complete && ftell(json->out) < PAGE_MAX) {
        char *path = subject->next_open(subject->user_data, from, &from);
        if (path != NULL)
            json_text(json, NULL, path);
        complete = path == NULL;
        free(path);
    }
    json_end(json);
    json_bool(json, "open_complete", complete);
}

static void
put_document(FILE *out, const struct attribute_subject *subject,
             const struct status *status)
{
    struct json json = {.out = out};

    json_object(&json, NULL);
    status_mount_json(&json, "mount", &subject->mount);
    if (subject->file != NULL) {
        json_array(&json, "exports");
        status_json(&json, NULL, subject->file, status);
        json_end(&json);
    } else {
        put_open_list(&json, subject);
    }
    json_end(&json);
}

static void
put(FILE *out, const struct attribute_subject *subject, enum attribute attribute,
    uint64_t from, const struct status *status)
{
    struct json json = {.out = out};

    switch (attribute) {
    case ATTRIBUTE_STATUS:
        put_document(out, subject, status);
        break;
    case ATTRIBUTE_MOUNT_JSON:
        status_mount_json(&json, NULL, &subject->mount);
        break;
    case ATTRIBUTE_MOUNT_TEXT:
        status_mount_text(out, &subject->mount);
        break;
    case ATTRIBUTE_EXPORT_JSON:
        status_json(&json, NULL, subject->file, status);
        break;
    case ATTRIBUTE_EXPORT_TEXT:
        status_text(out, subject->file, status);
        break;
    case ATTRIBUTE_OPEN:
        put_open_page(out, subject, from);
        break;
    default:
        put_value(out, subject->file, attribute);
    }
}

char *
attribute_value(const struct attribute_subject *subject, enum attribute attribute,
                uint64_t from, size_t *len)
{
    bool of_file = attribute < ATTRIBUTES_LISTED ||
                   attribute == ATTRIBUTE_EXPORT_JSON ||
                   attribute == ATTRIBUTE_EXPORT_TEXT;
    bool looks = attribute == ATTRIBUTE_STATUS || attribute == ATTRIBUTE_EXPORT_JSON ||
                 attribute == ATTRIBUTE_EXPORT_TEXT;
    struct status *status = NULL;
    char *value = NULL;

    *len = 0;
    if (attribute == ATTRIBUTE_NONE || (of_file && subject->file == NULL) ||
        (attribute < ATTRIBUTES_LISTED && !has(subject->file, attribute)))
        return NULL;
    if (looks && subject->export != NULL &&
        (status = status_take(subject->export)) == NULL)
        return NULL;
    FILE *out = open_memstream(&value, len);
    if (out != NULL) {
        put(out, subject, attribute, from, status);
        if (fclose(out) != 0) {
            free(value);
            value = NULL;
        }
    }
    free(status);
    return value;
}
