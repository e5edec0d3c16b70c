/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export-path.h - which path shows an export, when all of a server's are shown; pure
 *
 * A name's slashes make folders.  What no file can be called is written so that
 * undoing %XX in the path gives the name again: control characters, '%', "." and "..",
 * and a slash without anything before or behind it.  A part that is too long goes on in
 * a folder whose name ends in a lone '%'.
 */

#ifndef NBDMOUNT_EXPORT_PATH_H
#define NBDMOUNT_EXPORT_PATH_H

#include <stdbool.h>
#include <stddef.h>

/* Calls part for each part of the path: text of len bytes, which ends with NUL; last
 * for the file, all before are folders.  If part returns false for a folder, it cannot
 * be one, for an export has that name: then the slash after it is written as %2F.
 * False: no memory.  name is not empty. */
typedef bool export_path_part(void *user_data, const char *text, bool last);
bool export_path(const char *name, export_path_part *part, void *user_data);

/* The name for a path.  The caller frees it; NULL: no memory. */
char *export_path_name(const char *path);

#endif
