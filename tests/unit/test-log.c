/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-log.c - a line that repeats is counted, and no other is lost for that */

#include "log.h"
#include "tap.h"

#include <unistd.h>

static FILE *caught; /* what goes to stderr */
static char line[2048];

/* The next line that was logged, without its name; "" if there is none. */
static const char *
next_line(void)
{
    clearerr(caught); /* there may be more by now */
    if (fgets(line, sizeof line, caught) == NULL)
        *line = '\0';
    line[strcspn(line, "\n")] = '\0';
    return strncmp(line, "test: ", 6) == 0 ? line + 6 : line;
}

static unsigned
count_lines(void)
{
    unsigned n = 0;

    while (*next_line() != '\0')
        n++;
    return n;
}

static void
test_same(void)
{
    log_info("one");
    for (int i = 0; i < 1000; i++)
        log_info("many");
    log_info("two");
    is_str(next_line(), "one", "a line is written");
    is_str(next_line(), "many", "one that repeats is, once");
    is_str(next_line(), "the last message came 16 times more", "then it is counted");
    for (int i = 32; i <= 512; i *= 2)
        next_line();
    is_str(line, "test: the last message came 512 times more", "ever less often");
    is_str(next_line(), "the last message came 999 times more", "and in the end");
    is_str(next_line(), "two", "before the next other line");
    is_int(count_lines(), 0, "that is all");
}

static void
test_turns(void)
{
    for (int i = 0; i < 10000; i++) {
        log_warning("%s: connection lost", "nbd://x");
        log_info("%s: connected again", "nbd://x");
    }
    log_error("something else");
    for (int i = 0; i < 4; i++) {
        is_str(next_line(), "nbd://x: connection lost", "by turns: the first (%d)", i);
        is_str(next_line(), "nbd://x: connected again", "and the second (%d)", i);
    }
    is_str(next_line(), "nbd://x: connection lost", "then it comes again");
    is_str(next_line(), "this message came 11 times more meanwhile", "with a count");
    is_str(next_line(), "nbd://x: connected again", "and so does the other one");
    unsigned n = 0;
    bool found = false;
    for (; *next_line() != '\0'; n++)
        found |= strcmp(line, "test: something else") == 0;
    ok(n < 60, "10000 turns are %u lines more", n);
    ok(found, "what is said once is said");
}

static void
test_others(void)
{
    for (int i = 0; i < 500; i++)
        log_info("a line of its own, %d", i);
    is_int(count_lines(), 500, "different lines are all written");
    for (int i = 0; i < 3; i++) {
        log_error("same text");
        log_warning("same text");
    }
    is_int(count_lines(), 6, "a level of its own is another line");
    log_info("one\ntwo\x1b[31m");
    is_str(next_line(), "one two [31m", "control characters are blanks");
    log_debug("not seen");
    is_int(count_lines(), 0, "debug lines are not for everybody");
    log_open("test", true);
    for (int i = 0; i < 100; i++) {
        log_debug("tick");
        log_debug("tock");
    }
    is_int(count_lines(), 200, "who debugs sees all that comes by turns");
}

int
main(void)
{
    char path[] = "/tmp/test-log.XXXXXX";
    int fd = mkstemp(path), saved = dup(STDERR_FILENO);

    if (fd == -1 || saved == -1 || dup2(fd, STDERR_FILENO) == -1)
        return 99;
    caught = fopen(path, "r");
    unlink(path);
    log_open("test", false);
    test_same();
    test_turns();
    test_others();
    fclose(caught);
    dup2(saved, STDERR_FILENO);
    done_testing();
}
