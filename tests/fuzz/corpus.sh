# SPDX-License-Identifier: LGPL-2.1-or-later
# corpus.sh - runs each fuzz target over its corpus: what once broke stays whole
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

for target in proto uri extent-map client replay-log fuse; do
    if [ "$target" = fuse ] && ! [ -x "$abs_top_builddir/tests/fuzz/fuzz-fuse" ]; then
        skip "fuzz-fuse" "libfuse before 3.14 cannot take requests from a program"
        continue
    fi
    corpus=$abs_top_srcdir/tests/fuzz/corpus-$target
    files=("$corpus"/*)
    ok "the corpus of $target is not empty" test -f "${files[0]}"
    ok "fuzz-$target runs through its corpus of ${#files[@]} files" \
        "$abs_top_builddir/tests/fuzz/fuzz-$target" "${files[@]}"
done
# In what was recorded from real servers nothing is spoilt: so commands must succeed, or
# the target tests nothing.
sessions=("$abs_top_srcdir"/tests/fuzz/corpus-client/session-*)
ok "the client does its work in ${#sessions[@]} recorded sessions" env CLIENT_MUST_FINISH=2 \
    "$abs_top_builddir/tests/fuzz/fuzz-client" "${sessions[@]}"
nok "and a session that gives nothing is seen" env CLIENT_MUST_FINISH=17 \
    sh -c '"$0" "$1" || exit 1' "$abs_top_builddir/tests/fuzz/fuzz-client" "${sessions[0]}"
done_testing
