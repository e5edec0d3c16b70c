/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handover.h - setuid= and drop_privileges: mount.fuse3 runs us again
 *
 * It takes these options, becomes the user or gives up its privileges, with
 * drop_privileges after it has mounted, and runs nbdmount with the other options.
 */

#ifndef NBDMOUNT_HANDOVER_H
#define NBDMOUNT_HANDOVER_H

#include "options.h"

/* The status to end with.  If it is not 0 nothing is mounted on path, and it was said
 * why. */
int handover(const struct options *options, const char *source_text, const char *path,
             bool is_directory);

#endif
