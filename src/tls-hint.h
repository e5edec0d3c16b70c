/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tls-hint.h - what to do about a connection that failed because of TLS; pure */

#ifndef NBDMOUNT_TLS_HINT_H
#define NBDMOUNT_TLS_HINT_H

#include "settings.h"

/* An advice for what the library says, or NULL: there is none.  uri may be NULL. */
const char *tls_hint(const char *error, const struct tls_settings *tls,
                     const char *uri);

#endif
