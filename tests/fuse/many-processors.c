/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* many-processors.c - nbdmount as it is where there are four processors
 *
 * So that all of what then is side by side can be tested where there are two.
 */

#include "main.c"

#include "processors.h"

unsigned __wrap_processors(unsigned least, unsigned most);

unsigned
__wrap_processors(unsigned least, unsigned most)
{
    return least > 4 ? least : most < 4 ? most : 4;
}
