/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* export-log.h - an export whose changes are remembered in a file too */

#ifndef NBDMOUNT_EXPORT_LOG_H
#define NBDMOUNT_EXPORT_LOG_H

#include "export.h"

/* Before the first request: gives the server what an earlier process has left in log,
 * and from now on logs each change before it is answered.  Waits for the network.  text
 * is the source.  The log belongs to the export, also where this fails: *why. */
bool export_use_log(struct export *export, struct replay_log *log, const char *text,
                    char **why);

/* The end: before the pool is closed, and after that.  flushed: nothing is left to be
 * remembered. */
void export_log_stop(struct export *export);
void export_log_end(struct export *export, bool flushed);

#endif
