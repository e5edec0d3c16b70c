# SPDX-License-Identifier: LGPL-2.1-or-later
# format.sh - all C is as .clang-format says
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

clang_format=${CLANG_FORMAT:-clang-format}
need_program "$clang_format"
# Other versions break lines elsewhere.
version=$("$clang_format" --version | grep -oE '[0-9]+' | head -n 1)
[ "$version" -eq 14 ] || skip_all "clang-format is version $version, not 14"

# Prints those that are not formatted. All at once, because it takes longer to start than to
# look at a file. It says FILE:LINE:COLUMN: error: ... for each place.
wrong_in() { # FILE...
    local status=0 found
    "$clang_format" --dry-run --Werror "$@" 2>"$tmp/said" || status=$?
    found=$(sed -nE 's/^(.*):[0-9]+:[0-9]+: error:.*/\1/p' "$tmp/said" | sort -u)
    [ "$status" -eq 0 ] || [ -n "$found" ] || found="status $status"
    printf '%s' "${found:+$found$'\n'}"
}

cd "$abs_top_srcdir" || exit 99
mapfile -t files < <(find lib src tests -name '*.[ch]' | sort)
declare -A wrong=()
while read -r file; do
    wrong[$file]=1
done < <(wrong_in "${files[@]}")
[ ! -s "$tmp/said" ] || diag_file "$tmp/said"
for file in "${files[@]}"; do
    is "$file is formatted" "${wrong[$file]-0}" 0
    unset "wrong[$file]"
done
is "and nothing else was said" "${!wrong[*]}" ""

mkdir "$tmp/wrong"
cp .clang-format "$tmp/wrong"
echo 'int f (void){return 0;}' >"$tmp/wrong/wrong.c"
echo 'int f;' >"$tmp/wrong/right.c"
is "a file that is not is found" "$(wrong_in "$tmp/wrong/right.c" "$tmp/wrong/wrong.c")" "$tmp/wrong/wrong.c"
done_testing
