/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* api-hold.c - requests that are sent together */

#include <limits.h>

#include "api.h"
#include "nbdclient.h"

int
nbdclient_hold(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    if (h->holds == UINT_MAX)
        return api_fail(&api, EOVERFLOW, "it is held too often");
    h->holds++;
    return (int)api_done(&api, 0);
}

int
nbdclient_release(struct nbd_handle *h)
{
    API_CALL(h);

    if (!api_permitted(&api, STATE_ANY))
        return -1;
    if (h->holds == 0)
        return api_fail(&api, EINVAL, "it is not held");
    if (--h->holds == 0)
        run_output(h);
    return (int)api_done(&api, 0);
}
