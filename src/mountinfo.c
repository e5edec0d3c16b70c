/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mountinfo.c - see mountinfo.h */

#include "mountinfo.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>

#define OURS      "fuse.nbdmount"
#define AUTOMOUNT "autofs"

/* Whether a field of mountinfo, where blanks and the like are octal, is that path. */
static bool
is_path(const char *field, const char *path)
{
    while (*field != '\0' && *path != '\0') {
        char c = *field++;
        if (c == '\\' && strlen(field) >= 3) {
            c = (char)((field[0] - '0') * 64 + (field[1] - '0') * 8 + field[2] - '0');
            field += 3;
        }
        if (c != *path)
            return false;
        path++;
    }
    return *field == '\0' && *path == '\0';
}

bool
mountinfo_find(const char *path, char **type)
{
    FILE *mounts = fopen("/proc/self/mountinfo", "re");
    char *line = NULL;
    size_t room = 0;
    bool found = false;

    if (type != NULL)
        *type = NULL;
    while (mounts != NULL && getline(&line, &room, mounts) != -1) {
        char *field = line, *rest = line;
        /* the fifth is where; the type is behind a field that is "-" */
        for (int i = 0; i < 5 && rest != NULL; i++)
            field = strsep(&rest, " ");
        if (rest == NULL || !is_path(field, path))
            continue;
        found = true; /* and go on: the last one is on top */
        if (type == NULL)
            continue;
        while ((field = strsep(&rest, " ")) != NULL && strcmp(field, "-") != 0)
            ;
        free(*type);
        *type =
            rest != NULL && (field = strsep(&rest, " ")) != NULL ? strdup(field) : NULL;
    }
    free(line);
    if (mounts != NULL)
        fclose(mounts);
    return found;
}

bool
mountinfo_is_busy(const char *path)
{
    char *type = NULL;
    bool busy =
        mountinfo_find(path, &type) && (type == NULL || strcmp(type, AUTOMOUNT) != 0);

    free(type);
    return busy;
}

static int
refuse(int error, char **why, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    if (vasprintf(why, format, args) == -1)
        *why = NULL;
    va_end(args);
    return -error;
}

/* What the kernel says of a mount whose daemon is gone; of one that is just going, too:
 * with io_uring that takes a moment. */
static bool
is_gone(int error)
{
    return error == ENOTCONN || error == ECONNABORTED;
}

/* As realpath, also where the last part is a mount that does not answer. */
static char *
path_of(const char *mountpoint)
{
    char *path = realpath(mountpoint, NULL);
    if (path != NULL || !is_gone(errno))
        return path;

    char *copy = strdup(mountpoint);
    if (copy == NULL)
        return NULL;
    for (size_t n = strlen(copy); n > 1 && copy[n - 1] == '/'; n--)
        copy[n - 1] = '\0';
    char *slash = strrchr(copy, '/');
    const char *last = slash != NULL ? slash + 1 : copy;
    if (slash != NULL)
        *slash = '\0';
    char *folder = realpath(slash == NULL ? "." : slash == copy ? "/" : copy, NULL);
    if (folder == NULL ||
        asprintf(&path, "%s/%s", strcmp(folder, "/") == 0 ? "" : folder, last) == -1)
        path = NULL;
    free(folder);
    free(copy);
    return path;
}

/* By ourselves as root, otherwise with the help of fusermount3. */
static int
unmount(const char *path)
{
    if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) == 0)
        return 0;
    if (errno != EPERM)
        return -errno;

    char program[] = "fusermount3", options[] = "-uqz", end[] = "--";
    char *copy = strdup(path);
    char *argv[] = {program, options, end, copy, NULL};
    pid_t pid;
    int status = 0;
    int error =
        copy == NULL ? ENOMEM : posix_spawnp(&pid, program, NULL, NULL, argv, environ);
    free(copy);
    if (error != 0)
        return -error;
    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* Attributes may still be in the kernel's cache when the daemon is gone; this is not.
 */
static bool
is_dead(const char *path)
{
    struct statfs st;

    return statfs(path, &st) == -1 && is_gone(errno);
}

int
mountinfo_clean(const char *mountpoint, char **why)
{
    char *type = NULL;
    int r = 0;

    *why = NULL;
    if (!is_dead(mountpoint))
        return 0;
    char *path = path_of(mountpoint);
    if (path == NULL || !mountinfo_find(path, &type))
        r = refuse(ENOTCONN, why, "mountpoint %s: %s", mountpoint, strerror(ENOTCONN));
    else if (type == NULL || strcmp(type, OURS) != 0)
        r = refuse(EBUSY, why,
                   "%s: a mount of type %s whose daemon is gone is still there; end it "
                   "with: fusermount3 -u %s",
                   mountpoint, type != NULL ? type : "?", mountpoint);
    else if ((r = unmount(path)) != 0)
        r = refuse(-r, why,
                   "%s: a mount whose daemon is gone is still there and does not go: "
                   "%s",
                   mountpoint, strerror(-r));
    free(type);
    free(path);
    return r == 0 ? 1 : r;
}
