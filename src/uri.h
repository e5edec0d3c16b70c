/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* uri.h - what is done to the text of an NBD URI; pure
 *
 * Whether it is a good one is for the library to say.
 */

#ifndef NBDMOUNT_URI_H
#define NBDMOUNT_URI_H

#include <stdbool.h>

/* The same with another export, which may have any bytes.  The caller frees it; NULL:
 * no memory. */
char *uri_with_export(const char *uri, const char *export);

/* The same as others may see it: without a password.  The caller frees it. */
char *uri_to_show(const char *uri);

/* Whether it names an export, which has at least one byte. */
bool uri_names_export(const char *uri);

#endif
