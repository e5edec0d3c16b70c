/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tap.h - the Test Anything Protocol for tests in C
 *
 *     #include "tap.h"
 *
 *     int
 *     main(void)
 *     {
 *         ok(1 + 1 == 2, "one and one is two");
 *         is_int(strlen("abc"), 3, "abc has three letters");
 *         is_str(name, "abc", "the name of %s is kept", what);
 *         done_testing();
 *     }
 *
 * Each check prints one line "ok N - name" and returns whether it passed, so that a
 * test can say more about a failure with diag().  A NULL string is a value like others.
 * For one thread, the one that runs main.
 */

#ifndef TAP_H
#define TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_run, tap_failed;

/* A line for whoever reads the log; newlines in it are fine. */
__attribute__((format(printf, 1, 2), unused)) static void
diag(const char *format, ...)
{
    char text[4096], *line = text, *end;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    do {
        end = strchr(line, '\n');
        if (end)
            *end++ = '\0';
        printf("# %s\n", line);
    } while ((line = end) != NULL);
    fflush(stdout);
}

__attribute__((format(printf, 4, 0), unused)) static bool
tap_vok(bool passed, const char *file, int line, const char *format, va_list args)
{
    printf("%sok %d - ", passed ? "" : "not ", ++tap_run);
    vprintf(format, args);
    putchar('\n');
    if (!passed) {
        tap_failed++;
        printf("#   failed at %s:%d\n", file, line);
    }
    fflush(stdout);
    return passed;
}

__attribute__((format(printf, 4, 5), unused)) static bool
tap_ok(bool passed, const char *file, int line, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    tap_vok(passed, file, line, format, args);
    va_end(args);
    return passed;
}

__attribute__((format(printf, 5, 6), unused)) static bool
tap_is_int(intmax_t got, intmax_t want, const char *file, int line, const char *format,
           ...)
{
    va_list args;

    va_start(args, format);
    tap_vok(got == want, file, line, format, args);
    va_end(args);
    if (got != want)
        diag("  got  %jd (%#jx)\n  want %jd (%#jx)", got, (uintmax_t)got, want,
             (uintmax_t)want);
    return got == want;
}

__attribute__((format(printf, 5, 6), unused)) static bool
tap_is_str(const char *got, const char *want, const char *file, int line,
           const char *format, ...)
{
    bool same = got && want ? strcmp(got, want) == 0 : got == want;
    va_list args;

    va_start(args, format);
    tap_vok(same, file, line, format, args);
    va_end(args);
    if (!same)
        diag("  got  '%s'\n  want '%s'", got ? got : "(NULL)", want ? want : "(NULL)");
    return same;
}

/* ok(condition, "name", ...), is_int(got, want, "name", ...), is_str(got, want, "name",
 * ...): the name is a printf format. */
#define ok(condition, ...) tap_ok(!!(condition), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) \
    tap_is_int((intmax_t)(got), (intmax_t)(want), __FILE__, __LINE__, __VA_ARGS__)
#define is_str(got, want, ...) \
    tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define pass(...) tap_ok(true, __FILE__, __LINE__, __VA_ARGS__)
#define fail(...) tap_ok(false, __FILE__, __LINE__, __VA_ARGS__)

/* One case that cannot be tested here, and why. */
__attribute__((format(printf, 2, 3), unused)) static void
skip(const char *reason, const char *format, ...)
{
    va_list args;

    printf("ok %d - ", ++tap_run);
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    printf(" # SKIP %s\n", reason);
    fflush(stdout);
}

/* Ends the program: nothing in it can be tested here, and why. */
__attribute__((format(printf, 1, 2), noreturn, unused)) static void
skip_all(const char *format, ...)
{
    va_list args;

    printf("1..0 # SKIP ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    exit(0);
}

/* Ends the program: going on makes no sense.  This counts as a failure. */
__attribute__((format(printf, 1, 2), noreturn, unused)) static void
bail_out(const char *format, ...)
{
    va_list args;

    printf("Bail out! ");
    va_start(args, format);
    vprintf(format, args);
    va_end(args);
    putchar('\n');
    exit(99);
}

/* Prints the plan and ends the program: 0 if all passed. A program that dies before has
 * no plan, and that is a failure. */
__attribute__((noreturn, unused)) static void
done_testing(void)
{
    printf("1..%d\n", tap_run);
    if (tap_failed)
        diag("%d of %d failed", tap_failed, tap_run);
    exit(tap_failed || tap_run == 0 ? 1 : 0);
}

#endif /* TAP_H */
