# SPDX-License-Identifier: LGPL-2.1-or-later
# format.sh - all C is as .clang-format says
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

clang_format=${CLANG_FORMAT:-clang-format}
need_program "$clang_format"
# Other versions break lines elsewhere.
version=$("$clang_format" --version | grep -oE '[0-9]+' | head -n 1)
[ "$version" -eq 14 ] || skip_all "clang-format is version $version, not 14"

cd "$abs_top_srcdir" || exit 99
mapfile -t files < <(find lib src tests -name '*.[ch]' | sort)
# All at once, because it takes longer to start than to look at a file. It says
# FILE:LINE:COLUMN: error: ... for each place.
"$clang_format" --dry-run --Werror "${files[@]}" 2>"$tmp/said"
status=$?
declare -A wrong=()
while IFS=: read -r file _; do
    wrong[$file]=1
done < <(grep -E '^[^ ]+:[0-9]+:[0-9]+: error:' "$tmp/said")
[ "$status" -eq 0 ] || diag "$(cat "$tmp/said")"
for file in "${files[@]}"; do
    is "$file is formatted" "${wrong[$file]-0}" 0
done
is "clang-format has looked at all of them" "$status" "$((${#wrong[@]} > 0))"

mkdir "$tmp/wrong"
cp .clang-format "$tmp/wrong"
echo 'int f (void){return 0;}' >"$tmp/wrong/wrong.c"
nok "a file that is not is found" "$clang_format" --dry-run --Werror "$tmp/wrong/wrong.c"
done_testing
