/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-no-memory.c - the library where memory runs out: the n-th allocation fails, for
 * each n until none does
 *
 * The linker gives the library's calls of malloc and its like to the functions below.
 * Each attempt must end, with an error or well, and leave nothing allocated. */

#include <errno.h>
#include <libnbd.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

static long countdown = -1; /* allocations that still succeed; negative: all do */
static bool failed;         /* one did not */
static long balance;        /* allocated and not freed */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
void __real_free(void *p);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
int __real_vasprintf(char **out, const char *format, va_list args);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
void __wrap_free(void *p);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
int __wrap_vasprintf(char **out, const char *format, va_list args);
int __wrap_asprintf(char **out, const char *format, ...);

/* This one and all after it, as where memory has really run out. */
static bool
fails(void)
{
    if (countdown < 0)
        return false;
    if (countdown > 0) {
        countdown--;
        return false;
    }
    failed = true;
    errno = ENOMEM;
    return true;
}

static void *
counted(void *p)
{
    if (p)
        balance++;
    return p;
}

void *
__wrap_malloc(size_t size)
{
    return fails() ? NULL : counted(__real_malloc(size));
}

void *
__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : counted(__real_calloc(n, size));
}

void *
__wrap_realloc(void *p, size_t size)
{
    if (fails())
        return NULL;
    return p ? __real_realloc(p, size) : counted(__real_realloc(p, size));
}

void *
__wrap_reallocarray(void *p, size_t n, size_t size)
{
    if (fails())
        return NULL;
    return p ? __real_reallocarray(p, n, size)
             : counted(__real_reallocarray(p, n, size));
}

void
__wrap_free(void *p)
{
    if (p)
        balance--;
    __real_free(p);
}

char *
__wrap_strdup(const char *s)
{
    return fails() ? NULL : counted(__real_strdup(s));
}

char *
__wrap_strndup(const char *s, size_t n)
{
    return fails() ? NULL : counted(__real_strndup(s, n));
}

int
__wrap_vasprintf(char **out, const char *format, va_list args)
{
    if (fails())
        return -1;
    int n = __real_vasprintf(out, format, args);
    if (n >= 0)
        balance++;
    return n;
}

int
__wrap_asprintf(char **out, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = __wrap_vasprintf(out, format, args);
    va_end(args);
    return n;
}

/* ---- what is tried ---- */

static char buf[65536];
static int started, completed, freed; /* commands, their callbacks */
static int wrong;                     /* attempts after which these do not fit */

static int
on_extent(void *user, const char *context, uint64_t offset, uint32_t *entries, size_t n,
          int *error)
{
    (void)user, (void)context, (void)offset, (void)entries, (void)n, (void)error;
    return 0;
}

static int
on_context(void *user, const char *name)
{
    (void)user, (void)name;
    return 0;
}

static int
on_completion(void *user, int *error)
{
    (void)user, (void)error;
    completed++;
    return 1;
}

static void
on_free(void *user)
{
    (void)user;
    freed++;
}

static char *serve[] = {"nbdkit", "-s", "--exit-with-parent", "memory", "1M", NULL};

/* Each step may fail; the next is tried all the same. */
static void
session(struct nbd_handle *h)
{
    nbd_extent_callback extent = {on_extent, NULL, NULL};
    nbd_context_callback context = {on_context, NULL, NULL};
    nbd_completion_callback completion = {on_completion, NULL, on_free};

    nbd_set_opt_mode(h, true);
    nbd_add_meta_context(h, LIBNBD_CONTEXT_BASE_ALLOCATION);
    nbd_set_export_name(h, "an export");
    nbd_connect_command(h, serve);
    nbd_opt_list_meta_context(h, context);
    free(nbd_get_export_name(h));
    nbd_opt_go(h);
    nbd_pwrite(h, buf, sizeof buf, 0, 0);
    nbd_pread(h, buf, sizeof buf, 0, 0);
    nbd_block_status(h, 1 << 20, 0, extent, 0);
    for (int i = 0; i < 100; i++)
        if (nbd_aio_pread(h, buf, 512, 0, completion, 0) != -1)
            started++;
    while (nbd_aio_in_flight(h) > 0)
        if (nbd_poll(h, 10000) == -1)
            break;
    nbd_shutdown(h, 0);
}

/* Never connects: the name leads nowhere. */
static void
uris(struct nbd_handle *h)
{
    nbd_set_uri_allow_local_file(h, true);
    nbd_connect_uri(h, "nbds+unix://user@/name%20?socket=/nonexistent/socket"
                       "&tls-psk-file=/nonexistent/keys&tls-hostname=host");
    free(nbd_get_uri(h));
}

/* Runs it with the n-th allocation and those after it failing; true: none failed. */
static bool
attempt(void (*steps)(struct nbd_handle *), long n)
{
    long before = balance;

    failed = false;
    started = completed = freed = 0;
    countdown = n;
    struct nbd_handle *h = nbd_create();
    if (h)
        steps(h);
    countdown = -1;
    nbd_close(h);
    /* Whether a command was begun or refused, its callback is freed; once. */
    bool session_ran = h && steps == session;
    if (balance != before || completed != started || freed != 100 * session_ran) {
        diag("where allocation %ld fails: %ld not freed; %d commands begun, %d "
             "completed, %d freed",
             n, balance - before, started, completed, freed);
        wrong++;
    }
    return !failed;
}

static void
exhaust(void (*steps)(struct nbd_handle *), const char *what, long most)
{
    long n = 0;

    wrong = 0;
    while (n < most && !attempt(steps, n))
        n++;
    ok(n > 5 && n < most, "%s ends whichever of %ld allocations fails", what, n);
    is_int(wrong, 0, "frees all, and calls each callback once");
}

int
main(void)
{
    exhaust(uris, "a URI that leads nowhere", 1000);
    exhaust(session, "a session with a server", 2000);
    done_testing();
}
