/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-list.h - nbdmount --list: which exports a server has, and what they are like */

#ifndef NBDMOUNT_TOOL_LIST_H
#define NBDMOUNT_TOOL_LIST_H

#include "options.h"

struct source;

/* Asks, and prints to standard output: a table, or with options->json JSON.  What went
 * wrong is logged; false: something that was to be shown was not.  *why, unless NULL,
 * is why no connection could be made, for the caller to say and free. */
bool tool_list(const struct options *options, const struct source *source, char **why);

#endif
