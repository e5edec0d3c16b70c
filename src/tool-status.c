/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-status.c - see tool-status.h
 *
 * First the mount, then each export that is open: attributes.h has the names.  Files
 * are found with O_PATH, which opens nothing at the daemon.
 */

#include "tool-status.h"
#include "attributes.h"
#include "log.h"
#include "terminal.h"
#include "text.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

struct asking {
    const char *path;
    bool json;
    bool utf8;
    int root;                      /* of path */
    unsigned n;                    /* exports that were printed */
    char value[ATTRIBUTE_MAX + 1]; /* with a NUL behind it */
    char page[ATTRIBUTE_MAX + 1];
};

/* -errno, or the length. */
static ssize_t
ask(int fd, const char *name, char *value)
{
    char path[64];

    /* fgetxattr refuses a descriptor of O_PATH. */
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    ssize_t n = getxattr(path, name, value, ATTRIBUTE_MAX);
    if (n < 0)
        return -errno;
    value[n] = '\0';
    return n;
}

/* What is below path is found part by part: it may be longer than a path can be. */
static int
open_below(int root, char *path)
{
    int fd = dup(root);

    for (char *part; fd != -1 && (part = strsep(&path, "/")) != NULL;) {
        if (*part == '\0')
            continue;
        int next = openat(fd, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        close(fd);
        errno = saved;
        fd = next;
    }
    return fd;
}

/* ---- printing */

/* Whatever the daemon says, the terminal is not to see control characters. */
static void
print(const struct asking *asking, const char *text, int indent)
{
    while (*text != '\0') {
        uint32_t c;
        size_t n = utf8_length(text, &c);
        if (*text == '\n') {
            putchar('\n');
            if (text[1] != '\0')
                printf("%*s", indent, "");
        } else if (n == 0 || c < ' ' || (c >= 0x7f && c < 0xa0) ||
                   (c > 0x7f && !asking->utf8)) {
            for (size_t i = 0; i < (n > 0 ? n : 1); i++)
                printf("\\x%02X", (unsigned char)text[i]);
        } else {
            fwrite(text, 1, n, stdout);
        }
        text += n > 0 ? n : 1;
    }
}

/* A value of JSON in a greater one: without its newline. */
static void
print_json(struct asking *asking, int indent)
{
    size_t len = strlen(asking->value);

    if (len > 0 && asking->value[len - 1] == '\n')
        asking->value[len - 1] = '\0';
    print(asking, asking->value, indent);
}

/* ---- asking */

static bool
show_mount(struct asking *asking)
{
    ssize_t n = ask(asking->root,
                    asking->json ? ATTRIBUTE_NAME_STATUS ".mount.json"
                                 : ATTRIBUTE_NAME_STATUS ".mount.text",
                    asking->value);

    if (n == -ENODATA || n == -EOPNOTSUPP || n == -EPERM)
        log_error("%s: not a mount of nbdmount, nor in one", asking->path);
    else if (n == -ENOTCONN || n == -ECONNABORTED) /* or is just going */
        log_error("%s: the daemon of this mount is gone; take the mount away with: "
                  "nbdmount --clean %s",
                  asking->path, asking->path);
    else if (n < 0)
        log_error("%s: %s", asking->path, strerror((int)-n));
    if (n < 0)
        return false;
    if (asking->json) {
        fputs("{\n  \"mount\": ", stdout);
        print_json(asking, 2);
        fputs(",\n  \"exports\": [", stdout);
    } else {
        print(asking, asking->value, 0);
    }
    return true;
}

static bool
show_export(struct asking *asking, char *path)
{
    int fd = open_below(asking->root, path);
    ssize_t n = fd == -1 ? -errno
                         : ask(fd,
                               asking->json ? ATTRIBUTE_NAME_STATUS ".export.json"
                                            : ATTRIBUTE_NAME_STATUS ".export.text",
                               asking->value);

    if (fd != -1)
        close(fd);
    if (n == -ENOENT) /* it has gone meanwhile */
        return true;
    if (n < 0) {
        log_error("%s: an export in it: %s", asking->path, strerror((int)-n));
        return false;
    }
    if (!asking->json) {
        print(asking, asking->value, 0);
        return true;
    }
    fputs(asking->n++ > 0 ? ",\n    " : "\n    ", stdout);
    print_json(asking, 4);
    return true;
}

/* Page after page; *from is where the next one begins.  1: there was one; 0: no more.
 */
static int
show_page(struct asking *asking, uint64_t *from)
{
    char name[64];
    bool fine = true;

    snprintf(name, sizeof name, "%s%" PRIu64, ATTRIBUTE_NAME_OPEN, *from);
    ssize_t n = ask(asking->root, name, asking->page);
    if (n < 0) {
        log_error("%s: %s", asking->path, strerror((int)-n));
        return -1;
    }
    for (char *p = asking->page; p < asking->page + n;) {
        char *path = p + strlen(p) + 1;
        if (path > asking->page + n)
            break;
        uint64_t next = strtoull(p, NULL, 10);
        p = path + strlen(path) + 1;
        if (next <= *from) /* for ever */
            return -1;
        *from = next;
        fine &= show_export(asking, path);
    }
    return !fine ? -1 : n > 0;
}

bool
tool_status(const char *path, bool json)
{
    struct asking *asking = calloc(1, sizeof *asking);
    uint64_t from = 0;
    int r = -1;

    if (asking == NULL)
        return false;
    asking->path = path;
    asking->json = json;
    asking->utf8 = terminal_is_utf8() || json;
    asking->root = open(path, O_PATH | O_CLOEXEC);
    if (asking->root == -1) {
        log_error("%s: %s", path, strerror(errno));
    } else if (show_mount(asking)) {
        while ((r = show_page(asking, &from)) > 0)
            ;
        if (json)
            fputs(asking->n > 0 ? "\n  ]\n}\n" : "]\n}\n", stdout);
    }
    if (asking->root != -1)
        close(asking->root);
    free(asking);
    return r == 0;
}
