# SPDX-License-Identifier: LGPL-2.1-or-later
# format.sh - all C is as .clang-format says
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

clang_format=${CLANG_FORMAT:-clang-format}
need_program "$clang_format"
# Other versions break lines elsewhere.
version=$("$clang_format" --version | grep -oE '[0-9]+' | head -n 1)
[ "$version" -eq 14 ] || skip_all "clang-format is version $version, not 14"

cd "$abs_top_srcdir" || exit 99
while read -r file; do
    ok "$file is formatted" "$clang_format" --dry-run --Werror "$file"
done < <(find lib src tests -name '*.[ch]' | sort)

mkdir "$tmp/wrong"
cp .clang-format "$tmp/wrong"
echo 'int f (void){return 0;}' >"$tmp/wrong/wrong.c"
nok "a file that is not is found" "$clang_format" --dry-run --Werror "$tmp/wrong/wrong.c"
done_testing
