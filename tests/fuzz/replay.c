/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* replay.c - runs a fuzz target over files, where there is no libFuzzer
 *
 *     fuzz-NAME FILE...
 */

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        return -1;
    }

    uint8_t *data = NULL;
    size_t len = 0, capacity = 0, got;
    do {
        if (len == capacity) {
            capacity = 2 * capacity + 4096;
            uint8_t *grown = realloc(data, capacity);
            if (!grown)
                abort();
            data = grown;
        }
        got = fread(data + len, 1, capacity - len, f);
        len += got;
    } while (got > 0);
    int result = ferror(f) ? -1 : 0;
    if (result == -1)
        perror(path);
    fclose(f);

    /* A copy of the exact size, so that reading past its end is seen. */
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact)
        abort();
    for (size_t i = 0; i < len; i++)
        exact[i] = data[i];
    free(data);
    if (result == 0)
        LLVMFuzzerTestOneInput(exact, len);
    free(exact);
    return result;
}

int
main(int argc, char **argv)
{
    int result = argc > 1 ? EXIT_SUCCESS : EXIT_FAILURE;

    for (int i = 1; i < argc; i++)
        if (replay(argv[i]) == -1)
            result = EXIT_FAILURE;
    return result;
}
