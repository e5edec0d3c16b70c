/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options-check.c - see options-check.h */

#include "options-check.h"
#include "options-table.h"

#include <string.h>

#define SERVERS_TIMEOUT_MS 10000

/* What is between mount(8), mount.fuse3 and us. */
static bool
check_mount(const struct options *options, char **why)
{
    bool handed_over = options->set_uid || options->drop_privileges;

    if (options->names_source && !options->is_open_mount)
        return option_refuse(why, "option 'fsname' is not for you to set");
    if (handed_over && !options->helper)
        return option_refuse(why, "setuid and drop_privileges are for mount(8): use "
                                  "mount -t nbd -o ...");
    if (handed_over && options->given_otherwise)
        return option_refuse(why, "setuid and drop_privileges go with -o, and with no "
                                  "option of another form");
    if (handed_over && options->is_open_mount)
        return option_refuse(why,
                             "setuid and drop_privileges are mount.fuse3's, which "
                             "has mounted %s already",
                             options->mountpoint);
    return true;
}

/* Several servers: what cannot be had with them, and what they need. */
static bool
check_servers(struct options *options, char **why)
{
    bool list = options->uri != NULL && strchr(options->uri, '|') != NULL;
    bool several = list || options->n_also > 0;

    if (several && options->command != NULL)
        return option_refuse(why, "a command and also exclude each other");
    if (several && options->exports == EXPORTS_ALL)
        return option_refuse(why, "all works with one server only, not with several");
    if (several && options->task != TASK_MOUNT)
        return option_refuse(why, "several servers are for a mount: name one of them");
    if (several) /* what one of them lists does not matter */
        options->exports = EXPORTS_SINGLE;
    /* A server that is silent keeps its connection for ever, and nobody would turn to
     * another one. */
    if (options->wait.timeout_ms < 0)
        options->wait.timeout_ms = several ? SERVERS_TIMEOUT_MS : 0;
    return true;
}

/* Whether one of the URIs is for TLS only. */
static bool
has_nbds(const struct options *options)
{
    for (const char *uri = options->uri; uri != NULL; uri = strchr(uri, '|')) {
        uri += *uri == '|';
        if (strncasecmp(uri, "nbds", 4) == 0)
            return true;
    }
    for (unsigned i = 0; i < options->n_also; i++)
        if (strncasecmp(options->also[i], "nbds", 4) == 0)
            return true;
    return false;
}

bool
options_check(struct options *options, char **why)
{
    struct tls_settings *tls = &options->tls;
    bool any = tls->certificates != NULL || tls->psk_file != NULL ||
               tls->username != NULL || tls->hostname != NULL || tls->verify_peer != -1;

    if (!check_servers(options, why))
        return false;
    /* The kernel would believe its own size of the file and not ours. */
    if (options->cache == CACHE_WRITEBACK && options->truncate == TRUNCATE_ZERO)
        return option_refuse(why,
                             "cache=writeback and truncate=zero exclude each other");
    if (options->cache == CACHE_READAHEAD && options->readahead == 0)
        return option_refuse(why, "cache=readahead contradicts readahead=0");
    if (tls->mode == TLS_OFF && has_nbds(options))
        return option_refuse(why, "tls=off contradicts nbds in %s", options->uri);
    if (tls->mode == TLS_OFF && any)
        return option_refuse(why, "tls=off contradicts the other tls options");
    if (tls->certificates != NULL && tls->psk_file != NULL)
        return option_refuse(why,
                             "tls-certificates and tls-psk-file exclude each other");
    if (options->wait.replay_file != NULL && options->wait.replay == 0)
        return option_refuse(why, "replay-file contradicts replay=0");
    if (options->wait.replay_file != NULL && options->exports == EXPORTS_ALL)
        return option_refuse(why,
                             "replay-file is for one export, and all shows several");
    if (options->wait.replay_file != NULL) /* it is of one export */
        options->exports = EXPORTS_SINGLE;
    /* Who wants no cache wants the server's answers; with writeback it is the kernel
     * that answers. */
    if (options->cache == CACHE_NONE || options->cache == CACHE_WRITEBACK)
        options->writebehind = 0;
    /* Who gives keys does not want to go on without. */
    if (tls->mode == TLS_UNSET && any)
        tls->mode = TLS_REQUIRE;
    return check_mount(options, why);
}
