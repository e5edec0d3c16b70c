/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* processors.h - how much is worth doing side by side on this machine */

#ifndef NBDMOUNT_PROCESSORS_H
#define NBDMOUNT_PROCESSORS_H

/* How many processors this process may use, but no less and no more than that. */
unsigned processors(unsigned least, unsigned most);

#endif
