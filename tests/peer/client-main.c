/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-main.c - the scripted client by hand, or for tests in shell
 *
 *     client [-a] OPERATION...
 *
 * Each argument is one operation with its words, as in
 *     client "connect-unix $sock" size "pread 0 512" shutdown
 * -a: asynchronous.  Ends with 1 where a line told an error.
 */

#include "client.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

static void
split(struct line *l, char *s, int number)
{
    *l = (struct line){.number = number};
    l->words = calloc(strlen(s) / 2 + 2, sizeof *l->words);
    if (!l->words)
        err(2, "calloc");
    char *save = NULL;
    for (char *w = strtok_r(s, " ", &save); w; w = strtok_r(NULL, " ", &save))
        l->words[l->nr_words++] = w;
    if (l->nr_words == 0)
        errx(2, "argument %d is empty", number);
}

int
main(int argc, char **argv)
{
    bool async = argc > 1 && strcmp(argv[1], "-a") == 0;
    argv += 1 + async;
    argc -= 1 + async;
    struct lines operations = {.v = calloc((size_t)argc + 1, sizeof(struct line)),
                               .nr = (size_t)argc};
    if (!operations.v)
        err(2, "calloc");
    for (int i = 0; i < argc; i++)
        split(&operations.v[i], argv[i], i + 1);
    struct client_env none = {0};
    char *output = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&output, &n);
    if (!out)
        err(2, "open_memstream");
    client_run(&operations, async, &none, out);
    fclose(out);
    fputs(output, stdout);
    bool failed = strstr(output, ": error ") || strstr(output, "BROKEN") ||
                  strstr(output, ": unsupported");
    free(output);
    for (size_t i = 0; i < operations.nr; i++)
        free(operations.v[i].words);
    free(operations.v);
    return failed;
}
