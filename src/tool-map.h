/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tool-map.h - nbdmount --map: a picture of a file's data and holes */

#ifndef NBDMOUNT_TOOL_MAP_H
#define NBDMOUNT_TOOL_MAP_H

#include "options.h"

/* Prints it to standard output, or with options->json the extents as JSON.  What went
 * wrong is logged; false: something did. */
bool tool_map(const struct options *options);

#endif
