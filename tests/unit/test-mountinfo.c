/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-mountinfo.c - what is mounted where, as /proc/self/mountinfo has it, and whether
 * that is in the way */

#include "mountinfo.h"
#include "tap.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define ROOT "22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw\n"
#define AUTO "40 22 0:35 / /mnt/disk rw - autofs systemd-1 rw,fd=57,direct\n"
#define OURS "41 40 0:36 / /mnt/disk rw,nosuid - fuse.nbdmount nbd://server rw\n"

static const char *mountinfo; /* NULL: there is no /proc */

FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fopen64(const char *path, const char *mode);

FILE *
__wrap_fopen(const char *path, const char *mode)
{
    if (strcmp(path, "/proc/self/mountinfo") != 0 || mountinfo == NULL) {
        errno = ENOENT;
        return NULL;
    }
    (void)mode;
    return fmemopen((void *)(uintptr_t)mountinfo, strlen(mountinfo), "r");
}

FILE *
__wrap_fopen64(const char *path, const char *mode)
{
    return __wrap_fopen(path, mode);
}

static const struct {
    const char *what, *text, *path;
    bool found;
    const char *type;
    bool is_busy;
} table[] = {
    {"nothing there", ROOT, "/mnt/disk", false, NULL, false},
    {"the root", ROOT, "/", true, "ext4", true},
    {"a folder below a mount", ROOT AUTO OURS, "/mnt/disk/nbd", false, NULL, false},
    {"a folder above one", ROOT AUTO OURS, "/mnt", false, NULL, false},
    {"a name that begins alike", ROOT OURS, "/mnt/dis", false, NULL, false},
    {"an automounter's", ROOT AUTO, "/mnt/disk", true, "autofs", false},
    {"ours", ROOT OURS, "/mnt/disk", true, "fuse.nbdmount", true},
    {"ours on an automounter's", ROOT AUTO OURS, "/mnt/disk", true, "fuse.nbdmount",
     true},
    {"an automounter's on ours", ROOT OURS AUTO, "/mnt/disk", true, "autofs", false},
    {"the last line without an end", "1 1 0:1 / /a rw - tmpfs x rw", "/a", true,
     "tmpfs", true},
    {"many optional fields",
     "1 1 0:1 / /a rw shared:1 master:2 unbindable - autofs x rw\n", "/a", true,
     "autofs", false},
    {"a type that begins alike", "1 1 0:1 / /a rw - autofs2 x rw\n", "/a", true,
     "autofs2", true},
    {"a source of that name", "1 1 0:1 / /a rw - tmpfs autofs rw\n", "/a", true,
     "tmpfs", true},
    {"a blank and a backslash", "1 1 0:1 / /a\\040b\\134c rw - tmpfs x rw\n", "/a b\\c",
     true, "tmpfs", true},
    {"a line that ends after where", "1 1 0:1 / /a\n", "/a", false, NULL, false},
    {"a line without a type", "1 1 0:1 / /a rw -\n", "/a", true, NULL, true},
    {"an empty line", "\n" OURS, "/mnt/disk", true, "fuse.nbdmount", true},
    {"no /proc", NULL, "/mnt/disk", false, NULL, false},
};

int
main(void)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char *type = NULL;

        mountinfo = table[i].text;
        is_int(mountinfo_find(table[i].path, &type), table[i].found, "%s: found",
               table[i].what);
        is_str(type, table[i].type, "%s: its type", table[i].what);
        free(type);
        is_int(mountinfo_find(table[i].path, NULL), table[i].found,
               "%s: without asking for the type", table[i].what);
        is_int(mountinfo_is_busy(table[i].path), table[i].is_busy,
               "%s: whether that is in the way", table[i].what);
    }
    done_testing();
}
