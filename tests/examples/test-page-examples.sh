# SPDX-License-Identifier: LGPL-2.1-or-later
# test-page-examples.sh - the programs in the manual pages of the library compile without
# a warning, and print what they should when they are run against nbdkit
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_program perl
need_nbdkit memory pattern data file --filter=blocksize-policy

lib=$abs_top_builddir/lib
folder=$(new_dir programs)
dir=$(new_dir exports)
truncate -s 512 "$dir/one"
export dir

# As the library was compiled, sanitizers included.
cflags=$(sed -n 's/^CFLAGS = //p' "$abs_top_builddir/tests/Makefile")
export lib folder cflags CC="${CC:-cc}"

compile() { # NAME: what is wrong is in NAME.said
    # Neither the compiler nor its flags are one word.
    $CC $cflags -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Wshadow -Werror \
        -I"$abs_top_srcdir/lib" -o "$folder/$1" "$folder/$1.c" \
        -L"$lib/.libs" -Wl,-rpath,"$lib/.libs" -lnbdclient -pthread \
        >"$folder/$1.said" 2>&1
}
export -f compile

# It must be this library that the programs run on, not one that is installed.
export LD_LIBRARY_PATH=$lib/.libs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}

if ! perl "$abs_top_srcdir/tests/examples/extract.pl" "$folder" \
    "$abs_top_srcdir"/lib/*.pod >"$folder/list"; then
    bail_out "every page has an example"
fi
cut -f1 "$folder/list" | xargs -P 2 -I {} "$BASH" -c 'compile {}'

while IFS=$'\t' read -r name server expect <&3; do
    if [ ! -x "$folder/$name" ]; then
        fail "the example $name compiles"
        diag_file "$folder/$name.said"
        continue
    fi
    pass "the example $name compiles"
    [ "$expect" != - ] || continue

    if [ "$server" = - ]; then
        # It brings its own server along.
        run timeout 60 "$folder/$name"
    else
        # nbdkit ends with the program, and its status is the program's.  Its arguments
        # are as for a shell, and may name $dir.
        eval "run timeout 60 nbdkit -U - $server --run '\"\$folder\"/$name \"\$uri\" \"\$unixsocket\"'"
    fi
    is "the example $name ends well" "$status" 0 || diag "  $err"
    printf '%s\n' "$out" >"$folder/$name.out"
    ok "the example $name prints '$expect'" grep -Eq -e "$expect" "$folder/$name.out" ||
        diag_file "$folder/$name.out"
done 3<"$folder/list"

done_testing
