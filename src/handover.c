/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* handover.c - see handover.h */

#include "handover.h"
#include "log.h"
#include "mountinfo.h"

#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUR_TYPE    "fuse.nbdmount"
#define PATH_SYSTEM "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* It looks for nbdmount in PATH, where this one has to be. */
static bool
be_found(void)
{
    const char *path = getenv("PATH");
    char self[PATH_MAX], *all;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0)
        return true; /* it may be there anyhow */
    self[n] = '\0';
    char *slash = strrchr(self, '/');
    if (slash == NULL || asprintf(&all, "%s:%.*s", path != NULL ? path : PATH_SYSTEM,
                                  (int)(slash - self), self) == -1)
        return false;
    int r = setenv("PATH", all, true);
    free(all);
    return r == 0;
}

/* Its options.  The source's name is for those who mount, which is not us only where it
 * drops privileges; and it divides options at commas, whatever is before them. */
static char *
options_for_it(const struct options *options, const char *source_text)
{
    bool can_name = options->drop_privileges && strpbrk(source_text, ",\\\"") == NULL;
    char *all;

    if (asprintf(&all, "%s%s%s%s", options->given, options->read_only ? ",ro" : "",
                 can_name ? ",fsname=" : "", can_name ? source_text : "") == -1)
        return NULL;
    return all;
}

/* Its status.  It leaves a dead mount where it has mounted and we then fail. */
static int
run(const char *program, const struct options *options, const char *path, char *all)
{
    char type_letter[] = "-t", type[] = OUR_TYPE, letter[] = "-o";
    char *argv[] = {
        strdup(program),
        strdup(options->uri),
        strdup(path),
        type_letter,
        type,
        letter,
        all,
        NULL,
    };
    pid_t pid;
    int status = 0;
    int error = argv[0] == NULL || argv[1] == NULL || argv[2] == NULL
                    ? ENOMEM
                    : posix_spawn(&pid, program, NULL, NULL, argv, environ);

    for (int i = 0; i < 3; i++)
        free(argv[i]);
    if (error != 0) {
        log_error("setuid and drop_privileges need mount.fuse3, of the package fuse3: "
                  "%s",
                  strerror(error));
        return EXIT_FAILURE;
    }
    while (waitpid(pid, &status, 0) == -1)
        if (errno != EINTR)
            return EXIT_FAILURE;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return EXIT_SUCCESS;
    char *why = NULL;
    mountinfo_clean(path, &why);
    free(why);
    return EXIT_FAILURE;
}

int
handover(const struct options *options, const char *source_text, const char *path,
         bool is_directory)
{
    static const char usual[] = "/sbin/mount.fuse3", other[] = "/usr/sbin/mount.fuse3";

    if (options->uri == NULL) {
        log_error("setuid and drop_privileges need an NBD URI as the source");
        return EXIT_FAILURE;
    }
    if (options->drop_privileges && !is_directory) {
        log_error("mountpoint %s: drop_privileges needs a directory", path);
        return EXIT_FAILURE;
    }
    char *all = options_for_it(options, source_text);
    int status = EXIT_FAILURE;
    if (all == NULL || !be_found())
        log_error("out of memory");
    else
        status = run(access(usual, X_OK) == 0 ? usual : other, options, path, all);
    free(all);
    return status;
}
