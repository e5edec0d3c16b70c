/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* manage.h - what a service manager is told of this mount, and what reload means */

#ifndef NBDMOUNT_MANAGE_H
#define NBDMOUNT_MANAGE_H

#include "fs.h"
#include "options.h"

/* SIGHUP means reload: with a service manager, and in the background, where there is no
 * terminal that it could tell the end of. */
bool manage_reloads(const struct options *options);

/* The mount works: tells the service manager, and from now on how it goes.  All that is
 * given outlives manage_stop. */
void manage_start(const struct options *options, const struct source *source,
                  const struct fs *fs);

/* The end begins.  Before the export is closed. */
void manage_stop(void);

#endif
