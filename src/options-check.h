/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options-check.h - options that contradict each other */

#ifndef NBDMOUNT_OPTIONS_CHECK_H
#define NBDMOUNT_OPTIONS_CHECK_H

#include "options.h"

/* For what connects, after all were read: what does not go together, and what follows
 * from what was said.  False: *why, for the caller to free. */
bool options_check(struct options *options, char **why);

#endif
