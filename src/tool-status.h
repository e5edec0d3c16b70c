/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-status.h - nbdmount --status: what a mount is doing
 *
 * Asks the daemon by extended attributes, which reach it in any namespace, as any user
 * who may read the file.  Knows neither FUSE nor NBD.
 */

#ifndef NBDMOUNT_TOOL_STATUS_H
#define NBDMOUNT_TOOL_STATUS_H

#include <stdbool.h>

/* Prints to standard output how the mount goes that path, a mountpoint or something in
 * it, belongs to.  False: it was logged why not. */
bool tool_status(const char *path, bool json);

#endif
