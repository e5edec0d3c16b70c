/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* run-cases.c - runs the cases of a .peer file: TAP
 *
 *     run-cases [-v] [-l] [-c PART-OF-A-NAME] FILE
 *
 * -v shows what each whole run printed; -l is lenient: it takes an error without an
 * errno, which libnbd often has, for good.
 *
 * Each case is played in a process of its own (a crash or a leak fails that case only),
 * there with blocking and asynchronous calls, with the server's bytes as they come and
 * one by one; and then once for each byte that the server sends, closing after it.  The
 * server runs in a thread on the other end of a socketpair.
 */

#include "client.h"
#include "servers.h"

#include <err.h>
#include <fnmatch.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_MS  10000
#define HANG_SECONDS 60
#define MAX_CUTS     1500 /* longer scripts are cut at this many places */

struct variant {
    bool async;
    size_t pieces;
    uint64_t cut, sweep;
    bool half_close;
};

struct outcome {
    char *output;
    size_t output_len;
    char *failure; /* the server's */
    uint64_t sent;
};

static bool verbose, lenient;

/* ---- one run ---- */

static int
open_connection(void *opaque)
{
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        err(2, "socketpair");
    if (servers_start(opaque, fds[1], false))
        return fds[0];
    close(fds[0]);
    close(fds[1]);
    return -1;
}

static void
join_servers(void *opaque)
{
    servers_join(opaque);
}

static void
run(const struct script *s, const struct test_case *tc, const struct variant *v,
    struct outcome *o)
{
    struct servers servers = {.script = s,
                              .tc = tc,
                              .options = {.cut = v->cut,
                                          .pieces = v->pieces,
                                          .half_close = v->half_close,
                                          .deadline_ms = DEADLINE_MS,
                                          .sweep = v->sweep}};
    struct client_env env = {open_connection, join_servers, &servers};
    *o = (struct outcome){0};
    FILE *out = open_memstream(&o->output, &o->output_len);
    if (!out)
        err(2, "open_memstream");
    alarm(HANG_SECONDS);
    client_run(&tc->client, v->async, &env, out);
    fclose(out);
    servers_join(&servers);
    alarm(0);
    const char *failure = servers_failure(&servers);
    o->failure = failure ? strdup(failure) : NULL;
    o->sent = servers_sent(&servers);
    servers_clear(&servers);
}

static void
outcome_clear(struct outcome *o)
{
    free(o->output);
    free(o->failure);
}

static const char *
describe(const struct test_case *tc, const struct variant *v)
{
    static char text[160];
    int n = snprintf(text, sizeof text, "%s%s", v->async ? "asynchronous" : "blocking",
                     v->pieces ? ", byte by byte" : "");
    if (tc->sweep)
        n += snprintf(text + n, sizeof text - (size_t)n, ", %s=%ju", tc->sweep,
                      (uintmax_t)v->sweep);
    if (v->cut != PLAY_WHOLE)
        snprintf(text + n, sizeof text - (size_t)n, ", %s after %ju bytes",
                 v->half_close ? "half-closed" : "closed", (uintmax_t)v->cut);
    return text;
}

/* ---- judging ---- */

static void
show_output(const char *output)
{
    while (*output) {
        size_t n = strcspn(output, "\n");
        printf("#   | %.*s\n", (int)n, output);
        output += n + (output[n] == '\n');
    }
}

/* Does the output match the wanted lines, one by one?  A wanted line that begins with
 * "? " may be missing.  *at: where it does not match. */
static bool
matches(const struct test_case *tc, const char *output, size_t *at)
{
    char line[16384];
    for (*at = 0; *at < tc->want.nr; ++*at) {
        const char *pattern = tc->want.v[*at].words[0];
        bool optional = strncmp(pattern, "? ", 2) == 0;
        size_t n = strcspn(output, "\n");
        if (n >= sizeof line)
            return false;
        memcpy(line, output, n);
        line[n] = '\0';
        if (*output && fnmatch(pattern + 2 * optional, line, FNM_EXTMATCH) == 0)
            output += n + 1;
        else if (!optional)
            return false;
    }
    return *output == '\0';
}

static bool
has_broken_rule(const char *output)
{
    return strstr(output, "BROKEN") || strstr(output, "BADTEXT") ||
           strstr(output, "UNINITIALISED") || strstr(output, "OUTSIDE") ||
           (!lenient && strstr(output, "error ENONE"));
}

static bool
judge_whole(const struct test_case *tc, const struct variant *v,
            const struct outcome *o)
{
    size_t at;
    bool same = matches(tc, o->output, &at);
    if (same && !o->failure && !has_broken_rule(o->output)) {
        if (verbose) {
            printf("#   %s:\n", describe(tc, v));
            show_output(o->output);
        }
        return true;
    }
    printf("#   %s:\n", describe(tc, v));
    if (o->failure)
        printf("#   server: %s\n", o->failure);
    if (!same)
        printf("#   wanted line %zu: %s\n", at + 1,
               at < tc->want.nr ? tc->want.v[at].words[0] : "(no more)");
    show_output(o->output);
    return false;
}

/* A successful read in the output of a run that was cut short must say what some
 * successful line of the whole run says. */
static bool
lines_are_of(const char *output, const char *whole)
{
    while (*output) {
        size_t n = strcspn(output, "\n") + 1;
        bool success =
            strncmp(output, "pread", 5) == 0 && memmem(output, n, ": ok", 4) != NULL;
        if (success && !memmem(whole, strlen(whole), output, n))
            return false;
        output += n;
    }
    return true;
}

static bool
judge_cut(const struct test_case *tc, const struct variant *v, const struct outcome *o,
          const char *whole)
{
    bool good = !has_broken_rule(o->output) && lines_are_of(o->output, whole);
    if (good && tc->strict_cut)
        good = strstr(o->output, ": error ") != NULL;
    if (good)
        return true;
    printf("#   %s:\n", describe(tc, v));
    show_output(o->output);
    return false;
}

/* ---- a case ---- */

static bool
run_cuts(const struct script *s, const struct test_case *tc, uint64_t sent,
         const char *whole)
{
    uint64_t stride = sent / MAX_CUTS + 1;
    for (uint64_t cut = 0; cut < sent; cut += stride)
        for (int async = 0; async <= !tc->no_async; async++) {
            if (!tc->strict_cut && !tc->no_async &&
                (cut / stride) % 2 != (unsigned)async)
                continue; /* one or the other will do */
            struct variant v = {.async = async,
                                .cut = cut,
                                .sweep = tc->sweep_from,
                                .half_close = (cut / stride / 2 + (unsigned)async) % 2};
            struct outcome o;
            run(s, tc, &v, &o);
            bool good = judge_cut(tc, &v, &o, whole);
            outcome_clear(&o);
            if (!good)
                return false;
        }
    return true;
}

static bool
run_whole(const struct script *s, const struct test_case *tc, uint64_t sweep,
          struct outcome *first)
{
    for (int i = 0; i < 4; i++) {
        struct variant v = {
            .async = i & 1, .pieces = i >> 1, .cut = PLAY_WHOLE, .sweep = sweep};
        if ((v.async && tc->no_async) || (v.pieces && tc->no_pieces))
            continue;
        struct outcome o;
        run(s, tc, &v, &o);
        bool good = judge_whole(tc, &v, &o);
        if (i == 0)
            *first = o;
        else
            outcome_clear(&o);
        if (!good)
            return false;
    }
    return true;
}

static bool
run_case(const struct script *s, const struct test_case *tc)
{
    bool good = true;
    for (uint64_t sweep = tc->sweep_from; good && sweep <= tc->sweep_to; sweep++) {
        struct outcome first = {0};
        good = run_whole(s, tc, sweep, &first);
        if (good && !tc->no_cut && sweep == tc->sweep_from)
            good = run_cuts(s, tc, first.sent, first.output);
        outcome_clear(&first);
    }
    return good;
}

/* In a process of its own; what it prints goes through. */
static bool
run_case_apart(struct script *s, const struct test_case *tc)
{
    fflush(NULL);
    pid_t pid = fork();
    if (pid < 0)
        err(2, "fork");
    if (pid == 0) {
        bool good = run_case(s, tc);
        script_clear(s);
        exit(good ? 0 : 1); /* not _exit: a leak checker runs at exit */
    }
    int status;
    if (waitpid(pid, &status, 0) < 0)
        err(2, "waitpid");
    if (WIFSIGNALED(status))
        printf("#   killed by signal %d%s\n", WTERMSIG(status),
               WTERMSIG(status) == SIGALRM ? ": it hung" : "");
    else if (WEXITSTATUS(status) > 1)
        printf("#   ended with status %d\n", WEXITSTATUS(status));
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int
main(int argc, char **argv)
{
    const char *part = NULL;
    int option;
    while ((option = getopt(argc, argv, "vlc:")) != -1) {
        if (option == 'v')
            verbose = true;
        else if (option == 'l')
            lenient = true;
        else if (option == 'c')
            part = optarg;
        else
            return 2;
    }
    if (optind + 1 != argc)
        errx(2, "usage: run-cases [-v] [-l] [-c PART-OF-A-NAME] FILE");
    setvbuf(stdout, NULL, _IOLBF, 0);
    struct script s;
    script_read(&s, argv[optind]);
    unsigned nr = 0, failed = 0;
    for (size_t i = 0; i < s.nr_cases; i++) {
        if (part && !strstr(s.cases[i].name, part))
            continue;
        bool good = run_case_apart(&s, &s.cases[i]);
        failed += !good;
        printf("%sok %u - %s\n", good ? "" : "not ", ++nr, s.cases[i].name);
    }
    printf("1..%u\n", nr);
    script_clear(&s);
    return failed > 0;
}
