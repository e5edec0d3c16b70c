# SPDX-License-Identifier: LGPL-2.1-or-later
# test-page.sh - the example in nbd_aio_pread(3), the page from which the project began,
# compiles unmodified and reads three kinds of disks
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

need_nbdkit linuxdisk floppy pattern
need_program hexdump
lib=$abs_top_builddir/lib/.libs
page=$abs_top_srcdir/tests/compat/nbd_aio_pread.3.txt
cflags=$(sed -n 's/^CFLAGS = //p' "$abs_top_builddir/tests/Makefile")

# The page as we have it lost its line ends and what stood in angle brackets.  What is
# between the last .Vb and .Ve is the example; "\&" began its lines.
extract() {
    awk '{
        n = index($0, ".Vb 10 "); rest = substr($0, n + 7)
        sub(/ \.Ve .*/, "", rest)
        gsub(/ ?\\&/, "\n", rest)
        gsub(/\\e/, "\\", rest); gsub(/\\-/, "-", rest); gsub(/\\\(Aq|\\\*\(Aq/, "'"'"'", rest)
        print rest
    }' "$page" | awk '
        BEGIN { split("stdio.h stdlib.h stdint.h inttypes.h assert.h libnbd.h", header) }
        /^ *#include *$/ { print "#include <" header[++n] ">"; next }
        { print }'
}

extract >"$tmp/aio-connect-read.c"
like "the page has the program" "$(cat "$tmp/aio-connect-read.c")" 'nbd_aio_connect_unix'
ok "it compiles" ${CC:-cc} $cflags -Wall -Werror -I"$abs_top_srcdir/lib" \
    -o "$tmp/aio-connect-read" "$tmp/aio-connect-read.c" -L"$lib" -lnbdclient

export LD_LIBRARY_PATH=$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH} tmp
reads() { # NAME PLUGIN ARGUMENTS...
    local name=$1
    shift
    run timeout 60 nbdkit -U - "$@" --run '"$tmp"/aio-connect-read "$unixsocket"'
    is "$name: it ends well" "$status" 0 || diag "$err"
    is "$name: it shows 32 sectors" "$(grep -c '^sector at offset' <<<"$out")" 32
}

mkdir "$tmp/files"
echo 'some words' >"$tmp/files/file"
reads pattern pattern size=1M
like "pattern: the last sector's last line" "$out" '00 00 00 00 00 00 3f f0'
reads floppy floppy "$tmp/files"
like "floppy: the boot sector ends as it must" "$out" '55 aa'
reads linuxdisk linuxdisk "$tmp/files"
like "linuxdisk: the partition table is there" "$out" 'EFI PART|55 aa'
done_testing
