/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* connect-read.c - connects and reads without ever waiting inside a call
 *
 *     connect-read SOCKET
 *
 * The connection to the server behind a Unix socket is begun, and polled until it is
 * ready.  Then reads of the first sectors are issued, all of them at once; whichever is
 * answered is dumped in hexadecimal by its completion callback.
 */

#include <ctype.h>
#include <err.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include <libnbd.h>

enum {
    SECTORS = 32,
    SECTOR_SIZE = 512,
    COLUMNS = 16,
};

struct sector {
    uint64_t offset; /* in the export, in bytes */
    unsigned char data[SECTOR_SIZE];
};

static void
dump_line(uint64_t offset, const unsigned char *line)
{
    printf("%08" PRIx64 " ", offset);
    for (int i = 0; i < COLUMNS; i++)
        printf(" %02x", line[i]);
    printf("  |");
    for (int i = 0; i < COLUMNS; i++)
        putchar(line[i] < 0x80 && isprint(line[i]) ? line[i] : '.');
    printf("|\n");
}

/* Completion callback.  The answer to 1: the command is retired, nobody needs to ask
 * for its result any more.  So an error must be dealt with here. */
static int
on_read(void *user_data, int *error)
{
    const struct sector *sector = user_data;

    if (*error != 0) {
        warnx("sector at %" PRIu64 ": error %d", sector->offset, *error);
        exit(EXIT_FAILURE);
    }
    for (int i = 0; i < SECTOR_SIZE; i += COLUMNS)
        dump_line(sector->offset + (uint64_t)i, sector->data + i);
    return 1;
}

static void
poll_once(struct nbd_handle *h)
{
    if (nbd_poll(h, -1) == -1)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
}

static void
connect_to(struct nbd_handle *h, const char *path)
{
    if (nbd_aio_connect_unix(h, path) == -1)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
    while (!nbd_aio_is_ready(h))
        poll_once(h);
}

static void
read_sector(struct nbd_handle *h, struct sector *sector)
{
    nbd_completion_callback callback = {.callback = on_read, .user_data = sector};

    if (nbd_aio_pread(h, sector->data, SECTOR_SIZE, sector->offset, callback, 0) == -1)
        errx(EXIT_FAILURE, "%s", nbd_get_error());
}

int
main(int argc, char *argv[])
{
    static struct sector sectors[SECTORS];
    struct nbd_handle *h;

    if (argc != 2)
        errx(EXIT_FAILURE, "usage: %s SOCKET", argv[0]);
    h = nbd_create();
    if (h == NULL)
        errx(EXIT_FAILURE, "%s", nbd_get_error());

    connect_to(h, argv[1]);
    if (nbd_get_size(h) < SECTORS * SECTOR_SIZE)
        errx(EXIT_FAILURE, "the export has fewer than %d sectors", SECTORS);

    for (int i = 0; i < SECTORS; i++) {
        sectors[i].offset = (uint64_t)i * SECTOR_SIZE;
        read_sector(h, &sectors[i]);
    }
    while (nbd_aio_in_flight(h) > 0)
        poll_once(h);

    nbd_close(h);
    return EXIT_SUCCESS;
}
