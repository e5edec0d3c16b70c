/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export-path.c - see export-path.h */

#include "export-path.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct path {
    char text[NAME_MAX + 1]; /* the part so far */
    size_t used;
    export_path_part *part;
    void *user_data;
};

/* Adds one character, or three that belong together. */
static void
add(struct path *path, const char *text, size_t len)
{
    if (path->used + len > NAME_MAX - 1) { /* room for the '%' */
        memcpy(path->text + path->used, "%", 2);
        path->part(path->user_data, path->text, false);
        path->used = 0;
    }
    memcpy(path->text + path->used, text, len);
    path->used += len;
    path->text[path->used] = '\0';
}

static void
add_escaped(struct path *path, char c)
{
    char text[4];

    snprintf(text, sizeof text, "%%%02X", (unsigned char)c);
    add(path, text, 3);
}

/* Whether the part that begins here is "." or "..". */
static bool
is_dots(const char *name)
{
    size_t n = strspn(name, ".");

    return (n == 1 || n == 2) && (name[n] == '/' || name[n] == '\0');
}

bool
export_path(const char *name, export_path_part *part, void *user_data)
{
    struct path *path = calloc(1, sizeof *path);
    bool dots = is_dots(name);

    if (path == NULL)
        return false;
    path->part = part;
    path->user_data = user_data;
    for (; *name != '\0'; name++) {
        bool divides = *name == '/' && path->used > 0 && name[1] != '\0';
        if (divides && part(user_data, path->text, false)) {
            path->used = 0;
            dots = is_dots(name + 1);
            continue;
        }
        if (*name == '/' || *name == '%' || (unsigned char)*name < ' ' ||
            *name == 0x7f || (dots && *name == '.'))
            add_escaped(path, *name);
        else
            add(path, name, 1);
    }
    part(user_data, path->text, true);
    free(path);
    return true;
}

/* Of a hexadecimal digit as add_escaped writes it; -1: it is none. */
static int
digit(char c)
{
    static const char digits[] = "0123456789ABCDEF";
    const char *p = c != '\0' ? strchr(digits, c) : NULL;

    return p != NULL ? (int)(p - digits) : -1;
}

char *
export_path_name(const char *path)
{
    char *name = malloc(strlen(path) + 1), *p = name;
    if (name == NULL)
        return NULL;
    while (*path != '\0') {
        if (path[0] == '%' && (path[1] == '/' || path[1] == '\0')) {
            path += path[1] == '/' ? 2 : 1;
        } else if (path[0] == '%' && digit(path[1]) >= 0 && digit(path[2]) >= 0) {
            *p++ = (char)(digit(path[1]) * 16 + digit(path[2]));
            path += 3;
        } else {
            *p++ = *path++;
        }
    }
    *p = '\0';
    return name;
}
