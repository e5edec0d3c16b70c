/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-list-print.c - exports as a table for people, and as JSON */

#include "flags.h"
#include "json.h"
#include "terminal.h"
#include "text.h"
#include "tool-list-own.h"
#include "uri.h"

#include <stdlib.h>
#include <string.h>

/* ---- the table */

enum { NAME, SIZE, FLAGS, CONTEXTS, DESCRIPTION, COLUMNS };

struct cell {
    char *text; /* NULL: no memory for it */
    unsigned width;
};

static struct cell
make_cell(const char *text, bool utf8)
{
    struct cell cell;

    cell.text = text_show(text, utf8, &cell.width);
    return cell;
}

/* With commas between. */
static char *
join_contexts(const struct listing *contexts)
{
    char *all = malloc(contexts->bytes + contexts->n + 1), *p = all;

    if (all == NULL)
        return NULL;
    for (size_t i = 0; i < contexts->n; i++) {
        size_t len = strlen(contexts->row[i].name);
        if (i > 0)
            *p++ = ',';
        memcpy(p, contexts->row[i].name, len);
        p += len;
    }
    *p = '\0';
    return all;
}

static void
fill_row(struct cell *row, const struct found *found, bool utf8)
{
    char size[TEXT_SIZE_SIZE] = "-", flags[FLAGS_TEXT_SIZE] = "-";
    char *contexts = NULL;

    if (found->known) {
        text_size((uint64_t)found->info.size, size);
        if (found->info.flags != 0)
            flags_text(found->info.flags, flags);
        contexts = found->contexts.n > 0 ? join_contexts(&found->contexts) : NULL;
    }
    row[NAME] = make_cell(found->name, utf8);
    row[SIZE] = make_cell(size, utf8);
    row[FLAGS] = make_cell(flags, utf8);
    row[CONTEXTS] = make_cell(contexts != NULL ? contexts : "-", utf8);
    row[DESCRIPTION] =
        make_cell(found->description != NULL ? found->description : "-", utf8);
    free(contexts);
}

static void
print_row(FILE *out, const struct cell *row, const unsigned *widths)
{
    for (int i = 0; i < COLUMNS; i++) {
        const char *text = row[i].text != NULL ? row[i].text : "?";
        int pad = (int)(widths[i] - (row[i].text != NULL ? row[i].width : 1));
        if (i == SIZE) /* numbers stand at the right */
            fprintf(out, "%*s%s", pad, "", text);
        else
            fprintf(out, "%s%*s", text, i < COLUMNS - 1 ? pad : 0, "");
        fputs(i < COLUMNS - 1 ? "  " : "\n", out);
    }
}

void
tool_list_table(FILE *out, const struct found_list *list)
{
    static const char *const titles[] = {"NAME", "SIZE", "FLAGS", "CONTEXTS",
                                         "DESCRIPTION"};
    bool utf8 = terminal_is_utf8();
    size_t n = list->n + 1; /* with the titles */
    struct cell(*rows)[COLUMNS] = calloc(n, sizeof *rows);
    unsigned widths[COLUMNS] = {0};

    if (rows == NULL)
        return;
    for (int i = 0; i < COLUMNS; i++)
        rows[0][i] = make_cell(titles[i], utf8);
    for (size_t i = 0; i < list->n; i++)
        fill_row(rows[i + 1], &list->found[i], utf8);
    for (size_t i = 0; i < n; i++)
        for (int column = 0; column < COLUMNS; column++)
            if (rows[i][column].width > widths[column])
                widths[column] = rows[i][column].width;
    for (size_t i = 0; i < n; i++) {
        print_row(out, rows[i], widths);
        for (int column = 0; column < COLUMNS; column++)
            free(rows[i][column].text);
    }
    free(rows);
}

/* ---- JSON */

static void
write_info(struct json *json, const struct found *found)
{
    const struct conn_info *info = &found->info;
    const char *word;

    json_integer(json, "size", info->size);
    json_array(json, "flags");
    for (unsigned i = 0; (word = flags_word(i)) != NULL; i++)
        if (info->flags & UINT32_C(1) << i)
            json_text(json, NULL, word);
    json_end(json);
    if (info->says_sizes) {
        json_object(json, "block-size");
        json_unsigned(json, "minimum", info->minimum);
        json_unsigned(json, "preferred", info->preferred);
        json_unsigned(json, "maximum", info->maximum);
        json_end(json);
    }
    json_array(json, "contexts");
    for (size_t i = 0; i < found->contexts.n; i++)
        json_text(json, NULL, found->contexts.row[i].name);
    json_end(json);
}

static void
write_export(struct json *json, const struct source *source, const struct found *found)
{
    char *encoded = uri_with_export("", found->name); /* "/" and the name */

    json_object(json, NULL);
    json_text(json, "name", found->name);
    json_text(json, "encoded", encoded != NULL ? encoded + 1 : NULL);
    free(encoded);
    if (source->uri != NULL) {
        char *uri = uri_with_export(source->uri, found->name);
        char *shown = uri != NULL ? uri_to_show(uri) : NULL;
        json_text(json, "uri", shown);
        free(shown);
        free(uri);
    }
    json_text(json, "description", found->description);
    if (found->known)
        write_info(json, found);
    else
        json_text(json, "error", found->why);
    json_end(json);
}

void
tool_list_json(FILE *out, const struct found_list *list)
{
    struct json json = {.out = out};

    json_object(&json, NULL);
    json_text(&json, "source", list->source->text);
    json_bool(&json, "listed", list->listed);
    json_array(&json, "exports");
    for (size_t i = 0; i < list->n; i++)
        write_export(&json, list->source, &list->found[i]);
    json_end(&json);
    json_end(&json);
}
