/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options-values.c - see options-values.h */

#include "options-values.h"
#include "options-table.h"
#include "ring.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CONFIG_H
#include "config.h"
#endif

#define MEMORY_MAX (UINT64_C(1) << 40)

static bool
parse_id(const char *text, const char *what, unsigned *id, char **why)
{
    char *end;

    errno = 0;
    unsigned long n = strtoul(text, &end, 10);
    if (errno == 0 && *text >= '0' && *text <= '9' && *end == '\0' && n < UINT_MAX) {
        *id = (unsigned)n;
        return true;
    }
    return option_refuse(why, "%s: there is no %s '%s'", what,
                         strcmp(what, "uid") == 0 ? "user" : "group", text);
}

bool
option_uid(struct options *options, const char *value, char **why)
{
    const struct passwd *user = getpwnam(value);

    if (user == NULL)
        return parse_id(value, "uid", &options->uid, why);
    options->uid = user->pw_uid;
    return true;
}

bool
option_gid(struct options *options, const char *value, char **why)
{
    const struct group *group = getgrnam(value);

    if (group == NULL)
        return parse_id(value, "gid", &options->gid, why);
    options->gid = group->gr_gid;
    return true;
}

static bool
parse_octal(const char *value, const char *what, unsigned *mode, char **why)
{
    char *end;
    unsigned long n = strtoul(value, &end, 8);

    if (*value < '0' || *value > '7' || *end != '\0' || n > 0777)
        return option_refuse(why, "%s: '%s' is not an octal number from 0 to 777", what,
                             value);
    *mode = (unsigned)n;
    return true;
}

bool
option_mode(struct options *options, const char *value, char **why)
{
    return parse_octal(value, "mode", &options->mode, why);
}

bool
option_umask(struct options *options, const char *value, char **why)
{
    unsigned mask = 0;

    if (!parse_octal(value, "umask", &mask, why))
        return false;
    options->mode = 0666 & ~mask;
    return true;
}

/* A number of bytes, with K, M or G behind it for powers of 1024. */
static bool
parse_memory(const char *name, const char *value, size_t *bytes, char **why)
{
    static const char units[] = "KMG";
    char *end;

    errno = 0;
    unsigned long long n = strtoull(value, &end, 10);
    bool fine = errno == 0 && *value >= '0' && *value <= '9' && n <= MEMORY_MAX;
    const char *unit = fine && *end != '\0' ? strchr(units, *end & ~0x20) : NULL;
    if (unit != NULL && *unit != '\0') {
        for (int i = 0; i <= unit - units && n <= MEMORY_MAX; i++)
            n *= 1024;
        end++;
    }
    if (!fine || *end != '\0' || n > MEMORY_MAX || n > SIZE_MAX)
        return option_refuse(why, "%s: '%s' is not a size such as 0, 8M or 1G", name,
                             value);
    *bytes = (size_t)n;
    return true;
}

bool
option_readahead(struct options *options, const char *value, char **why)
{
    return parse_memory("readahead", value, &options->readahead, why);
}

bool
option_writebehind(struct options *options, const char *value, char **why)
{
    return parse_memory("writebehind", value, &options->writebehind, why);
}

bool
option_filename(struct options *options, const char *value, char **why)
{
    if (*value == '\0' || strcmp(value, ".") == 0 || strcmp(value, "..") == 0 ||
        strchr(value, '/') != NULL || strlen(value) > NAME_MAX)
        return option_refuse(why, "filename: '%s' cannot be the name of a file", value);
    options->filename = value;
    return true;
}

bool
option_also(struct options *options, const char *value, char **why)
{
    if (options->n_also == SERVERS_MAX - 1)
        return option_refuse(why, "also: there are more than %d servers", SERVERS_MAX);
    options->also[options->n_also++] = value;
    return true;
}

bool
option_export(struct options *options, const char *value, char **why)
{
    if (strlen(value) > 4096)
        return option_refuse(why, "export: a name has at most 4096 bytes");
    options->export = value;
    return true;
}

bool
option_verify_peer(struct options *options, const char *value, char **why)
{
    static const char *const yes[] = {"true", "yes", "on", "1"};
    static const char *const no[] = {"false", "no", "off", "0"};

    for (size_t i = 0; i < sizeof yes / sizeof yes[0]; i++) {
        if (strcmp(value, yes[i]) == 0 || strcmp(value, no[i]) == 0) {
            options->tls.verify_peer = strcmp(value, yes[i]) == 0;
            return true;
        }
    }
    return option_refuse(why, "tls-verify-peer: '%s' is neither true nor false", value);
}

bool
option_retry(struct options *options, const char *value, char **why)
{
    return wait_options_retry(&options->wait, value, why);
}

bool
option_timeout(struct options *options, const char *value, char **why)
{
    return wait_options_timeout(&options->wait, value, why);
}

bool
option_replay(struct options *options, const char *value, char **why)
{
    return wait_options_replay(&options->wait, value, why);
}

bool
option_clean(struct options *options, const char *value, char **why)
{
    *why = NULL;
    options->task = TASK_CLEAN;
    options->argument = value;
    return true;
}

bool
option_remount(struct options *options, const char *value, char **why)
{
    (void)options;
    (void)value;
    return option_refuse(why,
                         "remount: the options of a mount cannot be changed; unmount "
                         "it and mount it again");
}

/* The name is for mount.fuse3, which says so if there is no such user. */
bool
option_setuid(struct options *options, const char *value, char **why)
{
    if (*value == '\0')
        return option_refuse(why, "setuid: there is no user ''");
    options->set_uid = true;
    return true;
}

bool
option_io_uring(struct options *options, const char *value, char **why)
{
    (void)value;
    options->io_uring = true;
    return ring_is_built_in() ||
           option_refuse(why, "io_uring: this nbdmount was built without liburing");
}
