# SPDX-License-Identifier: LGPL-2.1-or-later
# corpus.sh - runs each fuzz target over its corpus: what once broke stays whole
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

for target in proto uri extent-map; do
    corpus=$abs_top_srcdir/tests/fuzz/corpus-$target
    files=("$corpus"/*)
    ok "the corpus of $target is not empty" test -f "${files[0]}"
    ok "fuzz-$target runs through its corpus of ${#files[@]} files" \
        "$abs_top_builddir/tests/fuzz/fuzz-$target" "${files[@]}"
done
done_testing
