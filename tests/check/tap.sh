# SPDX-License-Identifier: LGPL-2.1-or-later
# tap.sh - the tests' own tools: a failure, an early end and a report of a sanitizer are
# seen, and nothing stays behind
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

# script TEXT...: runs a test of these lines; $out is what it says.
script() {
    { echo '. "$abs_top_srcdir/tests/lib.sh"'; printf '%s\n' "$@"; } >"$tmp/script.sh"
    run env TMPDIR="$tmp" bash "$tmp/script.sh"
}

script 'ok "one" true' 'nok "two" false' 'is "three" a a' 'like "four" abc "^a.c$"' \
    'at_most "five" 1 2' 'done_testing'
is "a test that passes ends with 0" "$status" 0
is "and its cases are counted" "$out" "ok 1 - one
ok 2 - two
ok 3 - three
ok 4 - four
ok 5 - five
1..5"

script 'is "one" a b' 'done_testing'
is "a test that fails does not end with 0" "$status" 1
like "the failure says where" "$out" "failed at .*script.sh:2"
like "and what" "$out" "got  'a'"

script 'ok "one" false' 'ok "two" true' 'done_testing'
is "a command that fails is a failure" "$status" 1
script 'nok "one" sh -c "kill -s SEGV \$\$"' 'done_testing'
is "a crash is not an orderly failure" "$status" 1
script 'ok "one" true' 'exit 0'
is "a test that ends early does not look like one that passes" "$status" 99
like "and says so" "$out" "Bail out!"
script 'done_testing'
is "a test of no cases fails" "$status" 1
script 'echo "race" >"$tmp/sanitizer.1"' 'ok "one" true' 'done_testing'
is "what a sanitizer reports in the background is a failure" "$status" 1
script 'start sleeper sleep 1000' 'echo "pid $started_pid"' 'ok "one" true' 'done_testing'
pid=$(sed -n 's/^pid //p' <<<"$out")
ok "what a test starts ends with it" is_gone "$pid"
script 'other=$(sleep 1000 >/dev/null & echo $!)' 'start ends true' 'started_pids+=("$other")' \
    'stop "$started_pid"' 'stop "$other"' 'is "alive" "$(is_alive "$other"; echo $?)" 0' \
    'kill -s KILL "$other"' 'done_testing'
is "another process that has the number of one that has ended is left alone" "$status" 0 || diag "$out"
WAIT_SECONDS=1 script 'wait_for false && pass "one"' 'done_testing'
isnt "waiting in vain ends, and fails" "$status" 0
CI= script 'need_program no-such-program' 'done_testing'
is "without CI a missing program skips the test" "$status" 0
like "and says why" "$out" "1..0 # SKIP .*no-such-program"
CI=1 script 'need_program no-such-program' 'done_testing'
is "with CI it is a failure" "$status" 1
is "no folder stays behind" "$(find "$tmp" -mindepth 1 -maxdepth 1 -name 'nbdmount-test.*')" ""

# tap.h
${CC:-gcc} -std=gnu11 -Wall -Wextra -Werror -I"$abs_top_srcdir/tests" -x c -o "$tmp/tap" - <<'C'
#include "tap.h"
int
main(int argc, char **argv)
{
    ok(argc > 0, "there are %d arguments", argc);
    is_int(-1, -1, "minus one");
    is_str(NULL, NULL, "no string");
    if (argc > 1 && strcmp(argv[1], "early") == 0)
        return 0;
    if (argc > 1)
        is_str("a", NULL, "a string");
    done_testing();
}
C
run "$tmp/tap"
is "a program that passes ends with 0" "$status" 0
is "its cases are counted" "$out" "ok 1 - there are 1 arguments
ok 2 - minus one
ok 3 - no string
1..3"
run "$tmp/tap" fails
is "one that fails with 1" "$status" 1
like "and says what it got" "$out" "got  'a'"
run "$tmp/tap" early
unlike "one that ends early has no plan" "$out" "1\\.\\."
done_testing
