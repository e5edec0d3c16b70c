# SPDX-License-Identifier: LGPL-2.1-or-later
# record-client.sh - records sessions with real servers into FOLDER, as seeds of
# fuzz-client.  By hand, in the build folder's tests/:
#
#     abs_top_srcdir=SOURCE bash SOURCE/tests/fuzz/record-client.sh FOLDER
abs_top_builddir=${abs_top_builddir:-$(cd .. && pwd)}
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_nbdkit pattern memory data
need_program qemu-nbd
folder=${1:?}
record=$abs_top_builddir/tests/fuzz/record-client
mkdir -p "$folder"

# What clients want; the settings are the sums of client-run.h's.
all="0,0,0 1,1,2 3,0,15 2,2,1 0,2,1 4,3,7 5,4,7 7,0,3 6,0,0 1,2,4"
reads="0,0,1 1,0,3 0,3,1 1,4,3 0,5,0 1,255,2"
queries="3,0,15 3,1,7 1,0,15 3,2,15 0,1,0"
# sessions NAME: each client with the server on $sock
sessions() {
    local name=$1 settings wanted
    for settings in 0 5 13 15 16; do
        for wanted in all reads queries; do
            [ "$wanted" != queries ] || [ $((settings & 5)) -eq 5 ] || continue
            # shellcheck disable=SC2086
            "$record" "$sock" "$settings" ${!wanted} >"$tmp/seed" 2>"$tmp/err" ||
                diag "$name, $settings, $wanted: $(cat "$tmp/err")"
            cp "$tmp/seed" "$folder/session-$name-$settings-$wanted"
        done
    done
}
start_nbdkit --filter=cow pattern 4M
sessions pattern
start_nbdkit --filter=error data '@4096 "abc"*1000 @0x100000 1' size=4M error-pread-rate=30%
sessions errors
truncate -s 4M "$tmp/disk"
printf 'some text' | dd of="$tmp/disk" bs=4096 seek=1 conv=notrunc status=none
start_qemu_nbd -f raw "$tmp/disk"
sessions qemu
# Extended headers, which no packaged server has.
printf 'case extended\nhandshake size=4M eh=1 contexts=base:allocation\nserve\n' >"$tmp/extended"
sock=$tmp/peer.sock
start peer "$abs_top_builddir/tests/peer/peer" -r -u "$sock" "$tmp/extended"
wait_while_alive "$started_pid" test -S "$sock" || bail_out "the peer does not start"
sessions extended
is "sessions were recorded" "$(find "$folder" -name 'session-*' -size +0 | wc -l)" 52
done_testing
