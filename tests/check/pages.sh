# SPDX-License-Identifier: LGPL-2.1-or-later
# pages.sh - the manual pages: podchecker finds nothing, each function has one, each has
# the sections that conventions want, and man can show them
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

podchecker=${PODCHECKER:-podchecker}
need_program "$podchecker" man
cd "$abs_top_srcdir" || exit 99

for pod in lib/*.pod src/*.pod; do
    # Warnings count too: that is its -warnings -warnings.
    ok "podchecker finds nothing in $pod" \
        sh -c '"$1" -warnings -warnings "$2" 2>&1 | tee "$3" >&2; ! grep -E "WARNING|ERROR" "$3"' \
        sh "$podchecker" "$pod" "$tmp/said"
done

# The sections of a page of the library.
sections="NAME SYNOPSIS DESCRIPTION RETURN.VALUE ERRORS HANDLE.STATE THREADS EXAMPLE SEE.ALSO"
for pod in lib/nbd_*.pod lib/nbdclient_*.pod; do
    missing=
    for section in $sections; do
        grep -qE "^=head1 ${section}S?$" "$pod" || missing="$missing $section"
    done
    is "$pod has all sections" "$missing" ""
done

# Each function has a page, and that page is about it.
manual=$abs_top_builddir/lib
wrong=
count=0
while IFS=$'\t' read -r name _; do
    case $name in '#'*) continue ;; esac
    count=$((count + 1))
    page=$manual/$name.3
    [ ! -s "$page" ] || ! grep -q '^\.so ' "$page" ||
        page=$manual/$(sed -n 's/^\.so man3\///p' "$page")
    { [ -s "$page" ] && grep -q "$name" "$page"; } || wrong="$wrong $name"
done <tests/check/api.tsv
is "each of $count functions has a page that names it" "$wrong" ""

mkdir "$tmp/man" && mkdir "$tmp/man/man3"
cp "$manual"/*.3 "$tmp/man/man3"
for name in nbd_aio_pread nbd_aio_block_status nbdclient; do
    run man -M "$tmp/man" -P cat 3 "$name"
    like "man 3 $name shows it" "$out" "$name"
done
ok "man shows nbdmount(1)" sh -c 'man --warnings -l "$1" | grep -q nbdmount' sh "$abs_top_builddir/src/nbdmount.1"

printf '=head1 NAME\n\nF<x\n' >"$tmp/bad.pod"
nok "a page that is wrong is found" "$podchecker" "$tmp/bad.pod"
done_testing
