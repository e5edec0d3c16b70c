# SPDX-License-Identifier: LGPL-2.1-or-later
# tree.sh - what all files have in common: a licence, a map in each folder, a size that
# fits a head, nothing half done, and nothing of the machine where they were written
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
cd "$abs_top_srcdir" || exit 99

# Written by hand: not what the autotools make, not the corpus of a fuzzer.
sources() {
    find . \( -name .git -o -name 'build-*' -o -name build-aux -o -name autom4te.cache -o \
        -name .deps -o -name .libs -o -name 'corpus-*' -o -name '*-0.1.0' \) -prune -o -type f \
        \( -name '*.[ch]' -o -name '*.cc' -o -name '*.sh' -o -name '*.p[lm]' -o -name '*.py' -o \
        -name '*.pod' -o -name '*.md' -o -name '*.am' -o -name '*.mk' -o -name '*.ac' -o \
        -name '*.pc.in' -o -name '*.peer' -o -name '*.awk' -o -name '*.syms' -o -name '*.tsv' -o \
        -path './contrib/*' -o -path './.ci/*' \) -print | sort
}
sources >"$tmp/sources"
# Not what configure makes where it is built in place, nor the forms that Debian fills in.
code() {
    grep -E '\.([ch]|cc|sh|am|mk|ac|awk|syms)$|^\./contrib/[^.]*$' "$tmp/sources" |
        grep -vE '^\./contrib/(Makefile|debian/(changelog|copyright))$'
}
at_least "there is something to look at" "$(wc -l <"$tmp/sources")" 50

is "each file says its licence in the first lines" \
    "$(code | while read -r file; do
        head -n 5 "$file" | grep -q 'SPDX-License-Identifier: LGPL-2.1-or-later' || echo "$file"
    done | grep -vE 'local\.mk$|^\./autogen\.sh$')" ""

folders() { sed 's,/[^/]*$,,' "$tmp/sources" | sort -u | grep -vE '^\./(\.ci|m4)$'; }
is "each folder has its map, README.md" \
    "$(folders | while read -r folder; do [ -e "$folder/README.md" ] || echo "$folder"; done)" ""

# Prints the files of more than 450 lines.
too_long() {
    local file lines
    for file; do
        lines=$(wc -l <"$file")
        [ "$lines" -le 450 ] || echo "$file: $lines lines"
    done
}
# Prints the functions of more than 60 lines between their braces.
long_functions() {
    awk 'FNR == 1 { start = 0 }
         /^\{/ { start = FNR }
         /^\}/ { if (start && FNR - start - 1 > 60) print FILENAME ":" start ": " FNR - start - 1 " lines"; start = 0 }' "$@"
}
# A test of many cases is a list, and may be longer.
mapfile -t product < <(grep -E '^\./(lib|src)/.*\.[ch]$' "$tmp/sources" | grep -v '/libnbd.h$')
is "no file of lib/ and src/ but libnbd.h has more than 450 lines" "$(too_long "${product[@]}")" ""
is "no function of lib/ and src/ has more than 60 lines" "$(long_functions "${product[@]}")" ""

mapfile -t c_files < <(grep -E '\.[ch]$' "$tmp/sources")
dangerous() {
    grep -nE '(^|[^a-zA-Z0-9_."])(alloca|strcpy|strcat|sprintf|vsprintf|gets|atoi|atol|strtok) ?\(' "$@"
}
is "nobody calls alloca, strcpy, sprintf, atoi and the like" "$(dangerous "${c_files[@]}")" ""

# Not in this file, where the words stand.
mapfile -t others < <(grep -v '/check/tree\.sh$' "$tmp/sources")
unfinished() { grep -nE '\b(TODO|FIXME|XXX|HACK)\b' "$@" | grep -v XXXXXX; }
is "nothing says that it is not done" "$(unfinished "${others[@]}")" ""

# Folders of a person or a machine; hosts other than those kept for examples.
machine() {
    grep -nE '(^|[^a-zA-Z0-9_.}$)*-])/(home|work|root|Users|srv/[a-z]|opt/[a-z])(/|$)' "$@"
    grep -noE '[a-z+]+://[a-zA-Z0-9-]+(\.[a-zA-Z0-9-]+)+' "$@" |
        grep -viE '://([a-z0-9.-]*\.)?(example(\.(com|org|net))?|localhost|invalid|test)$' |
        grep -vE '://[0-9.]+$' |
        grep -vE '://(github\.com|www\.debian\.org|www\.gnu\.org|spdx\.org|testanything\.org)$'
}
is "no file names a place of one machine, or a host" "$(machine "${others[@]}")" ""

# The checks themselves find what is wrong.
mkdir "$tmp/bad"
{
    echo 'int'; echo 'f(void)'; echo '{'
    for ((i = 0; i < 61; i++)); do echo '    f();'; done
    echo '}'
} >"$tmp/bad/long.c"
is "a function that is too long is found" "$(long_functions "$tmp/bad/long.c")" \
    "$tmp/bad/long.c:3: 61 lines"
echo 'x = atoi(s); sprintf(s, "x"); /* FIXME */' >"$tmp/bad/bad.c"
isnt "a dangerous function is found" "$(dangerous "$tmp/bad/bad.c")" ""
isnt "what is not done is found" "$(unfinished "$tmp/bad/bad.c")" ""
echo 'char *x = "/home/me/x"; /* see https://mirror.somewhere.net/ */' >"$tmp/bad/names.c"
is "a place and a host are found" "$(machine "$tmp/bad/names.c" | wc -l)" 2
done_testing
