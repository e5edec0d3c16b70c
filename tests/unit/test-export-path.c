/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-export-path.c - names of exports as paths, and back */

#include "export-path.h"
#include "tap.h"

#include <limits.h>

static char path[40000];
static const char *taken; /* a folder that cannot be one */
static bool parts_fit;

static bool
add_part(void *user_data, const char *text, bool last)
{
    (void)user_data;
    if (!last && taken != NULL && strcmp(text, taken) == 0)
        return false;
    parts_fit &= *text != '\0' && strlen(text) <= NAME_MAX &&
                 strchr(text, '/') == NULL && strcmp(text, ".") != 0 &&
                 strcmp(text, "..") != 0;
    size_t used = strlen(path);
    snprintf(path + used, sizeof path - used, "%s%s", text, last ? "" : "/");
    return true;
}

static bool
round_trip(const char *name)
{
    *path = '\0';
    parts_fit = true;
    if (!export_path(name, add_part, NULL))
        return false;
    char *back = export_path_name(path);
    bool same = strcmp(back, name) == 0;
    free(back);
    return same && parts_fit;
}

int
main(void)
{
    static const char *const cases[][2] = {
        {"disk", "disk"},
        {"a/b c/d", "a/b c/d"},
        {"/a", "%2Fa"},
        {"a/", "a%2F"},
        {"a//b", "a/%2Fb"},
        {"/", "%2F"},
        {".", "%2E"},
        {"a/../b", "a/%2E%2E/b"},
        {"...", "..."},
        {".x", ".x"},
        {"100%", "100%25"},
        {"%41", "%2541"},
        {"x\ny\x7f", "x%0Ay%7F"},
        {"\xc3\xa4", "\xc3\xa4"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        ok(round_trip(cases[i][0]), "a name comes back (%zu)", i);
        is_str(path, cases[i][1], "its path (%zu)", i);
    }

    taken = "a";
    ok(round_trip("a/b/c"), "a name behind another export's comes back");
    is_str(path, "a%2Fb/c", "its slash is no folder");
    taken = NULL;

    static char name[4097];
    bool fine = true;
    srand(1);
    for (int n = 0; n < 3000 && fine; n++) {
        size_t len = n < 8 ? 4096 - (size_t)n : (size_t)(rand() % 700 + 1);
        for (size_t i = 0; i < len; i++)
            name[i] = n % 3 == 0 ? "ab/.%"[rand() % 5] : (char)(rand() % 255 + 1);
        name[len] = '\0';
        fine = round_trip(name);
        if (!fine)
            diag("this one does not: %s", name);
    }
    ok(fine, "thousands of names up to 4096 bytes come back");
    done_testing();
}
