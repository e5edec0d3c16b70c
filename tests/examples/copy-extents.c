/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy-extents.c - copies an export into a file and leaves out what is zeros
 *
 *     copy-extents URI FILE
 *
 * Asks for extents, and reads only what may be other than zeros, several reads at a
 * time.  The file gets holes for the rest.
 */

#include <err.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <libnbd.h>

#define READ_SIZE   (UINT64_C(256) << 10)
#define STATUS_SIZE (UINT64_C(1) << 31) /* fits every server */

enum {
    IN_FLIGHT = 16,
};

struct extent {
    uint64_t offset, length; /* in bytes */
    bool zero;
};

struct copy {
    struct nbd_handle *h;
    int file;
    uint64_t size, read;    /* in bytes */
    struct extent *extents; /* the answer to the last question */
    size_t nr_extents;
};

struct piece {
    struct copy *copy;
    uint64_t offset;
    size_t length;
    unsigned char data[]; /* length bytes */
};

static void
check(int64_t r)
{
    if (r == -1)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
}

static int
on_extents(void *user_data, const char *metacontext, uint64_t offset,
           nbd_extent *entries, size_t nr_entries, int *error)
{
    struct copy *copy = user_data;

    if (*error != 0 || strcmp(metacontext, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
        return 0;
    free(copy->extents);
    copy->extents = calloc(nr_entries, sizeof *copy->extents);
    if (copy->extents == NULL)
        err(EXIT_FAILURE, "no memory");
    copy->nr_extents = nr_entries;
    for (size_t i = 0; i < nr_entries; i++) {
        copy->extents[i] =
            (struct extent){.offset = offset,
                            .length = entries[i].length,
                            .zero = (entries[i].flags & LIBNBD_STATE_ZERO) != 0};
        offset += entries[i].length;
    }
    return 0;
}

/* Extents from offset on: at least one, at most up to the end of the export. */
static void
ask(struct copy *copy, uint64_t offset)
{
    nbd_extent64_callback callback = {.callback = on_extents, .user_data = copy};
    uint64_t length = copy->size - offset;

    copy->nr_extents = 0;
    if (length > STATUS_SIZE)
        length = STATUS_SIZE;
    if (nbd_can_meta_context(copy->h, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1)
        check(nbd_block_status_64(copy->h, length, offset, callback, 0));
    if (copy->nr_extents > 0)
        return;

    /* The server does not tell: then all of it may be data. */
    free(copy->extents);
    copy->extents = calloc(1, sizeof *copy->extents);
    if (copy->extents == NULL)
        err(EXIT_FAILURE, "no memory");
    copy->extents[0] = (struct extent){.offset = offset, .length = length};
    copy->nr_extents = 1;
}

static int
on_read(void *user_data, int *error)
{
    const struct piece *piece = user_data;

    if (*error != 0)
        errx(EXIT_FAILURE, "read at %" PRIu64 ": %s", piece->offset, strerror(*error));
    if (pwrite(piece->copy->file, piece->data, piece->length, (off_t)piece->offset) !=
        (ssize_t)piece->length)
        err(EXIT_FAILURE, "write");
    return 1;
}

static void
wait_until_in_flight(struct copy *copy, int most)
{
    int n;

    while ((n = nbd_aio_in_flight(copy->h)) > most)
        check(nbd_poll(copy->h, -1));
    check(n);
}

static void
read_range(struct copy *copy, uint64_t offset, uint64_t end)
{
    while (offset < end) {
        size_t length = (size_t)(end - offset < READ_SIZE ? end - offset : READ_SIZE);
        struct piece *piece = malloc(sizeof *piece + length);

        if (piece == NULL)
            err(EXIT_FAILURE, "no memory");
        *piece = (struct piece){.copy = copy, .offset = offset, .length = length};
        wait_until_in_flight(copy, IN_FLIGHT - 1);
        /* The piece goes with the command: free is called in any case. */
        check(nbd_aio_pread(copy->h, piece->data, length, offset,
                            (nbd_completion_callback){
                                .callback = on_read, .user_data = piece, .free = free},
                            0));
        copy->read += length;
        offset += length;
    }
}

static void
copy_all(struct copy *copy)
{
    uint64_t offset = 0;

    while (offset < copy->size) {
        ask(copy, offset);
        for (size_t i = 0; i < copy->nr_extents && offset < copy->size; i++) {
            const struct extent *extent = &copy->extents[i];
            uint64_t end = copy->size; /* the last one may reach beyond it */

            if (extent->length < copy->size - extent->offset)
                end = extent->offset + extent->length;
            if (!extent->zero)
                read_range(copy, extent->offset, end);
            offset = end;
        }
    }
    wait_until_in_flight(copy, 0);
    free(copy->extents);
}

int
main(int argc, char *argv[])
{
    struct copy copy = {0};
    int64_t size;

    if (argc != 3)
        errx(EXIT_FAILURE, "usage: %s URI FILE", argv[0]);
    copy.h = nbd_create();
    if (copy.h == NULL)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
    check(nbd_add_meta_context(copy.h, LIBNBD_CONTEXT_BASE_ALLOCATION));
    check(nbd_connect_uri(copy.h, argv[1]));
    size = nbd_get_size(copy.h);
    check(size);
    copy.size = (uint64_t)size;

    copy.file = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (copy.file == -1 || ftruncate(copy.file, size) == -1)
        err(EXIT_FAILURE, "%s", argv[2]);
    copy_all(&copy);
    if (close(copy.file) == -1)
        err(EXIT_FAILURE, "%s", argv[2]);

    printf("%" PRIu64 " of %" PRIu64 " bytes read\n", copy.read, copy.size);
    check(nbd_shutdown(copy.h, 0));
    nbd_close(copy.h);
    return EXIT_SUCCESS;
}
