# SPDX-License-Identifier: LGPL-2.1-or-later
# symbols.sh - the shared library, its map, the header and api.tsv name the same
# functions, with the same versions and prototypes; nbdclient.h has what is not libnbd's
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

cc=${CC:-gcc}
here=$abs_top_srcdir/tests/check
lib=$abs_top_srcdir/lib
so=$abs_top_builddir/lib/.libs/libnbdclient.so.0
need_program nm readelf

# "symbol node" lines of each.
expected() { awk -F'\t' '!/^#/ { print $1, $2 }' "$here/api.tsv" | sort; }
in_map() {
    awk '/^LIBNBD_[0-9.]+ *\{/ { node = $1 }
         /^ *nbd_[a-z0-9_]+;/ { sub(";", "", $1); print $1, node }' "$1" | sort
}
in_library() {
    nm -D --defined-only "$1" | awk '$2 != "A" { sub("@@", " ", $3); print $3 }' | sort
}
ours() { grep -oE 'nbdclient_[a-z0-9_]+ *\(' "$1" | tr -d ' (' | sed 's/$/ NBDCLIENT_0.1/' | sort -u; }
in_header() {
    $cc -E -P -x c "$1" | tr '\n' ' ' | tr ';' '\n' | sed 's/__attribute__.*//' |
        grep -oE 'nbd_[a-z0-9_]+ *\(' | tr -d ' (' | sort -u
}

differ() { # A B
    diff "$1" "$2" | grep '^[<>]' | head -n 20
}

expected >"$tmp/expected"
cut -d' ' -f1 "$tmp/expected" >"$tmp/expected-names"
is "api.tsv has 165 functions" "$(wc -l <"$tmp/expected")" 165

in_map "$lib/nbd.syms" >"$tmp/map"
is "nbd.syms has them all, each in its node" "$(differ "$tmp/expected" "$tmp/map")" ""

in_library "$so" >"$tmp/library"
ours "$lib/nbdclient.h" >"$tmp/ours"
isnt "nbdclient.h declares something" "$(cat "$tmp/ours")" ""
sort "$tmp/expected" "$tmp/ours" >"$tmp/all"
is "the library shows them all and those, each with its version, and nothing else" \
    "$(differ "$tmp/all" "$tmp/library")" ""

in_header "$lib/libnbd.h" >"$tmp/header"
is "libnbd.h declares them all and nothing else" \
    "$(differ "$tmp/expected-names" "$tmp/header")" ""

is "the library is called libnbdclient.so.0" \
    "$(readelf -d "$so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" libnbdclient.so.0

# Declared again as api.tsv has it, each must be compatible with the header.
{
    echo '#include "libnbd.h"'
    awk -F'\t' '!/^#/ { print $3 ";" }' "$here/api.tsv"
} >"$tmp/prototypes.c"
ok "the header has the prototypes of api.tsv" $cc -std=gnu11 -fsyntax-only -Werror -I"$lib" "$tmp/prototypes.c"
{
    echo '#include "libnbd.h"'
    awk -F'\t' '!/^#/ { print $3 ";" }' "$here/api.tsv" |
        sed '/nbd_get_errno/s/int nbd/long nbd/'
} >"$tmp/prototypes.c"
nok "another prototype is found" $cc -std=gnu11 -fsyntax-only -I"$lib" "$tmp/prototypes.c"

# The table of test-states.c: each function that is restricted, and to what.
restricted() {
    awk -F'\t' '!/^#/ && $4 != "any" { print $1, $4 }' "$here/api.tsv" | sort
}
in_states() {
    tr '\n' ' ' <"$1" | grep -oE '(NUMBER|TEXT)\(nbd_[a-z0-9_]+, *[A-Z]+( *\| *[A-Z]+)*,' |
        sed -E 's/^[A-Z]+\(//; s/,$//; s/ *\| */,/g; s/, */ /' |
        tr '[:upper:]' '[:lower:]' | sort
}
restricted >"$tmp/restricted"
in_states "$abs_top_srcdir/tests/compat/test-states.c" >"$tmp/states"
at_least "there are functions that some states do not permit" \
    "$(wc -l <"$tmp/restricted")" 100
is "test-states.c calls each of them in each of those states" \
    "$(differ "$tmp/restricted" "$tmp/states")" ""
# So has test-settings.c those that take a pointer, without it.
awk -F'\t' '!/^#/ { n = split($6, a, " "); for (i = 1; i <= n; i++)
    if (a[i] != "h") print $1, a[i] }' "$here/api.tsv" | sort >"$tmp/pointers"
tr '\n' ' ' <"$abs_top_srcdir/tests/compat/test-settings.c" |
    grep -oE '"nbd_[a-z0-9_]+", *"[a-z_]+"\)' | tr -d '",)' | tr -s ' ' | sort -u >"$tmp/null"
is "test-settings.c passes NULL for each pointer that must not be" \
    "$(comm -23 "$tmp/pointers" "$tmp/null")" ""

{
    echo '#include <string.h>'
    echo '#include "libnbd.h"'
    echo 'int main(void) { int wrong = 0;'
    awk -F'\t' '!/^#/ && $2 ~ /^"/ { printf "wrong += strcmp(%s, %s) != 0;\n", $1, $2; next }
                !/^#/ { printf "wrong += !(%s == %s);\n", $1, $2 }' "$here/constants.tsv"
    echo 'return wrong != 0; }'
} >"$tmp/constants.c"
ok "the header has the constants of constants.tsv" $cc -std=gnu11 -Wno-sign-compare -I"$lib" -o "$tmp/constants" "$tmp/constants.c"
ok "and their values" env -u LD_PRELOAD "$tmp/constants"
done_testing
