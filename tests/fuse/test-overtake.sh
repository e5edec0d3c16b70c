# SPDX-License-Identifier: LGPL-2.1-or-later
# Reads that overtake each other, come again and leave things out get what is there:
# also while the server fails, is gone, or answers in an odd way.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
. "$abs_top_srcdir/tests/soak/servers.sh"

need_fuse
need_nbdkit pattern --filter=delay --filter=noextents --filter=error
overtake=$abs_top_builddir/tests/fuse/overtake
need_program "$overtake" cmp
seed=${OVERTAKE_SEED:-$RANDOM}
diag "OVERTAKE_SEED=$seed"

# Whole files: the pattern, and its beginning.
start_nbdkit --filter=noextents pattern 64M
nbdcopy "$uri" "$tmp/right" 2>/dev/null || qemu-img convert -f raw -O raw "$uri" "$tmp/right"
head -c 8M "$tmp/right" >"$tmp/right8"
stop "$nbdkit_pid"

for options in readahead=32M readahead=512K; do
    for delay in 0 5; do
        start_nbdkit --filter=delay --filter=noextents pattern 64M rdelay=${delay}ms
        start_nbdmount -o "$options" "$uri" "$(new_dir mnt)"
        ok "$options, behind $delay ms: reads that overtake each other are right" \
            "$overtake" "$mnt/nbd" 2 "$seed"
        stop_nbdmount
        is "and the daemon ends well" "$status" 0
        stop "$nbdkit_pid"
    done
done

start_nbdkit --filter=error --filter=noextents pattern 64M error-pread=EIO error-pread-rate=20%
start_nbdmount "$uri" "$(new_dir mnt)"
ok "where some fail, the others are right" "$overtake" "$mnt/nbd" 3 "$seed" fails
unlike "some of them did fail" "$(cat "$tmp/.said")" " 0 failed"
stop_nbdmount
is "the daemon ends well after errors" "$status" 0
stop "$nbdkit_pid"

start_server --filter=noextents pattern 64M
start_nbdmount "nbd+unix:///?socket=$sock" "$(new_dir mnt)"
"$overtake" "$mnt/nbd" 6 "$seed" >"$tmp/overtake" 2>&1 &
reader=$!
at_work=0
for ((i = 0; i < 8; i++)); do
    pause 0.4 # at work
    kill_server
    is_alive "$reader" && at_work=$((at_work + 1))
    start_server --filter=noextents pattern 64M
done
wait "$reader"
is "a server that is killed again and again is no harm: its reads are made again" "$?" 0
diag_file "$tmp/overtake"
at_least "they were at work when it was" "$at_work" 4
like "and it was noticed" "$(cat "$nbdmount_log")" 'connection lost'
stop_nbdmount
kill_server

# Answers in pieces of 700 bytes, and with their end before their beginning.
{
    printf 'case tiny pieces\nhandshake size=8M\nserve\nconnection\nhandshake size=8M\nserve\n\n'
    printf 'case the end first\n'
    for ((i = 0; i < 2; i++)); do
        printf 'handshake size=8M\nrepeat 100000\nrequest read\n'
        printf 'chunk data be64:$offset+512 pattern:$offset+512:$length-512\n'
        printf 'chunk data done be64:$offset pattern:$offset:512\nend\n'
        [ "$i" = 1 ] || printf 'connection\n'
    done
} >"$tmp/script"
for name in "tiny pieces" "the end first"; do
    pieces=()
    [ "$name" = "tiny pieces" ] && pieces=(-p 700)
    start_peer "$name" "${pieces[@]}" -r
    start_nbdmount -r -C 1 -o timeout=0 "$uri" "$(new_dir mnt)"
    ok "a server that sends $name: the bytes are right" timeout 60 cmp "$tmp/right8" "$mnt/nbd"
    is "without a word" "$(cat "$nbdmount_log")" ""
    stop_nbdmount
    stop "$peer_pid"
done

done_testing
