# SPDX-License-Identifier: LGPL-2.1-or-later
# headers.sh - each header compiles alone; the public ones in old C and in C++ too
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

cc=${CC:-gcc}
flags="-fsyntax-only -Wall -Wextra -Werror -Wno-unused-function"
cd "$abs_top_srcdir" || exit 99

# compiles_alone HEADER COMPILER...: twice, so that its guard is seen too.
compiles_alone() {
    local header=$1
    shift
    printf '#include "%s"\n#include "%s"\nextern int some;\n' "$header" "$header" >"$tmp/alone.c"
    cp "$tmp/alone.c" "$tmp/alone.cc"
    "$@"
}

fuse_flags=$(pkg-config --cflags fuse3) || fuse_flags=
for header in lib/*.h; do
    ok "$header compiles alone" compiles_alone "${header#lib/}" \
        $cc -std=gnu11 -D_GNU_SOURCE $flags -Ilib "$tmp/alone.c"
done
uring_flags=$(pkg-config --cflags liburing 2>/dev/null) || uring_flags=none
for header in src/*.h; do
    [ "$header$uring_flags" != src/ring-own.hnone ] || continue # nothing includes it then
    ok "$header compiles alone" compiles_alone "${header#src/}" \
        $cc -std=gnu11 -D_GNU_SOURCE $flags $fuse_flags -Ilib -Isrc -I"$abs_top_builddir" "$tmp/alone.c"
done
for header in libnbd.h nbdclient.h; do
    for standard in c99 c11 c17; do
        ok "$header is $standard without extensions" compiles_alone $header \
            $cc -std=$standard -pedantic-errors $flags -Ilib "$tmp/alone.c"
    done
done
if command -v g++ >/dev/null; then
    for header in libnbd.h nbdclient.h; do
        for standard in c++98 c++11 c++20; do
            ok "$header is $standard" compiles_alone $header \
                g++ -std=$standard $flags -Ilib "$tmp/alone.cc"
        done
    done
else
    need_program g++
fi

echo 'size_t f(void);' >"$tmp/bad.h"
nok "a header that needs another one is found" compiles_alone "$tmp/bad.h" \
    $cc -std=gnu11 $flags "$tmp/alone.c"
done_testing
