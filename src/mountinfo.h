/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* mountinfo.h - what is mounted where, as the kernel tells it in /proc, and mounts of
 * nbdmount that its end has left behind
 */

#ifndef NBDMOUNT_MOUNTINFO_H
#define NBDMOUNT_MOUNTINFO_H

#include <stdbool.h>

/* Whether something is mounted on path, which is absolute and without symbolic links.
 * *type, if type is not NULL, is then the type of what is on top (NULL without memory),
 * for the caller to free. */
bool mountinfo_find(const char *path, char **type);

/* Whether what is mounted there is in the way.  An automounter's own mount is not: it
 * is there for others to mount on. */
bool mountinfo_is_busy(const char *path);

/* Takes away what is mounted there if it is a mount of nbdmount whose daemon is gone.
 * 1: it was there and is gone now.  0: there is no such mount.  -errno: there is one
 * that does not go, or that is not ours, and *why says so, for the caller to free. */
int mountinfo_clean(const char *mountpoint, char **why);

#endif
