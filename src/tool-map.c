/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-map.c - see tool-map.h
 *
 * By lseek, so that it tells what programs see that copy the file, whatever file system
 * it is on.
 */

#include "tool-map.h"
#include "json.h"
#include "log.h"
#include "terminal.h"
#include "text.h"
#include "tool-map-picture.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct total {
    uint64_t bytes, extents;
};

struct map {
    int fd;
    int64_t size;
    struct total data, holes;
    struct json *json;       /* NULL: */
    struct picture *picture; /* this */
};

static void
add(struct map *map, int64_t off, int64_t end, bool is_data)
{
    struct total *total = is_data ? &map->data : &map->holes;
    uint64_t len = (uint64_t)(end - off);

    if (len == 0)
        return;
    total->bytes += len;
    total->extents++;
    if (map->json != NULL) {
        json_object(map->json, NULL);
        json_integer(map->json, "offset", off);
        json_unsigned(map->json, "length", len);
        json_bool(map->json, "data", is_data);
        json_end(map->json);
    } else if (is_data) {
        picture_add(map->picture, (uint64_t)off, len);
    }
}

/* Where data or a hole begins from off on; the size if nowhere.  -1: errno. */
static int64_t
seek(const struct map *map, int64_t off, int whence)
{
    int64_t at = lseek(map->fd, off, whence);

    if (at == -1 && errno == ENXIO)
        return map->size;
    if (at == -1 && errno == EINVAL) /* a device that does not tell */
        return whence == SEEK_DATA ? off : map->size;
    if (at > map->size)
        at = map->size; /* it has grown */
    return at != -1 && at < off ? off : at;
}

static bool
walk(struct map *map)
{
    for (int64_t off = 0; off < map->size;) {
        int64_t data = seek(map, off, SEEK_DATA);
        int64_t hole =
            data == -1 || data == map->size ? data : seek(map, data, SEEK_HOLE);
        if (hole == -1)
            return false;
        if (hole == data && data < map->size)
            hole = map->size; /* the file has changed meanwhile; do not stay here */
        add(map, off, data, false);
        add(map, data, hole, true);
        off = hole;
    }
    return true;
}

/* ---- what is printed */

static void
print_total(const char *what, const struct total *total, const struct map *map)
{
    char size[TEXT_SIZE_SIZE];
    double share = 100.0 * (double)total->bytes / (double)map->size;
    /* Neither all nor nothing unless it is. */
    if (total->bytes < (uint64_t)map->size && share > 99.9)
        share = 99.9;
    const char *sign = total->bytes > 0 && share < 0.1 ? "<" : "";

    if (*sign != '\0')
        share = 0.1;
    printf("%-5s %7s  %s%.1f%%  %" PRIu64 " bytes in %" PRIu64 " extent%s\n", what,
           text_size(total->bytes, size), sign, share, total->bytes, total->extents,
           total->extents == 1 ? "" : "s");
}

static void
print_picture(const struct map *map, const char *name, bool utf8)
{
    char size[TEXT_SIZE_SIZE];
    unsigned columns;
    char *shown = text_show(name, utf8, &columns);

    printf("%s: %s, %" PRId64 " bytes\n", shown != NULL ? shown : "?",
           text_size((uint64_t)map->size, size), map->size);
    free(shown);
    if (map->size == 0)
        return;
    picture_print(map->picture, stdout, utf8);
    printf("%s hole  %s less than 1/3 data  %s less than 2/3  %s more  %s data; each "
           "is %s\n",
           picture_shade(0, 6, utf8), picture_shade(1, 6, utf8),
           picture_shade(3, 6, utf8), picture_shade(5, 6, utf8),
           picture_shade(6, 6, utf8), text_size(map->picture->cell, size));
    print_total("data", &map->data, map);
    print_total("holes", &map->holes, map);
}

static bool
map_as_picture(struct map *map, const char *name)
{
    struct picture picture;
    bool utf8 = terminal_is_utf8();

    if (!picture_init(&picture, (uint64_t)map->size, terminal_columns())) {
        errno = ENOMEM;
        return false;
    }
    map->picture = &picture;
    bool fine = walk(map);
    if (fine)
        print_picture(map, name, utf8);
    picture_clear(&picture);
    return fine;
}

static void
write_total(struct json *json, const char *key, const struct total *total)
{
    json_object(json, key);
    json_unsigned(json, "bytes", total->bytes);
    json_unsigned(json, "extents", total->extents);
    json_end(json);
}

static bool
map_as_json(struct map *map, const char *name)
{
    struct json json = {.out = stdout};

    map->json = &json;
    json_object(&json, NULL);
    json_text(&json, "file", name);
    json_integer(&json, "size", map->size);
    json_array(&json, "extents");
    bool fine = walk(map);
    int error = errno;
    json_end(&json);
    if (!fine)
        json_text(&json, "error", strerror(error));
    write_total(&json, "data", &map->data);
    write_total(&json, "holes", &map->holes);
    json_end(&json);
    errno = error;
    return fine;
}

bool
tool_map(const struct options *options)
{
    const char *name = options->argument;
    /* O_NONBLOCK: a FIFO would wait for somebody to write. */
    struct map map = {.fd = open(name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)};
    struct stat st;
    bool fine = map.fd != -1 && fstat(map.fd, &st) == 0;

    if (fine && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
        log_error("%s: %s", name,
                  S_ISDIR(st.st_mode) ? "a directory; name a file in it"
                                      : "neither a file nor a disk");
        close(map.fd);
        return false;
    }
    map.size = fine ? lseek(map.fd, 0, SEEK_END) : -1;
    fine = map.size != -1 &&
           (options->json ? map_as_json(&map, name) : map_as_picture(&map, name));
    if (!fine)
        log_error("%s: %s", name, strerror(errno));
    if (map.fd != -1)
        close(map.fd);
    if (fflush(stdout) != 0) {
        log_error("standard output: %s", strerror(errno));
        fine = false;
    }
    return fine;
}
