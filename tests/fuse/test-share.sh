# SPDX-License-Identifier: LGPL-2.1-or-later
# A large direct read is shared by the connections that have nothing to do.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program dd cmp jq
need_nbdkit file --filter=log --filter=delay

log=$tmp/requests.log
image=$tmp/image
dd if=/dev/urandom of="$image" bs=1M count=8 status=none
# mount_it CONNECTIONS NBDKIT-ARGS...
mount_it() {
    local connections=$1
    shift
    : >"$log"
    start_nbdkit --filter=log --filter=delay file "$image" logfile="$log" logappend=true "$@"
    start_nbdmount -o cache=open -C "$connections" "$uri" "$(new_dir mnt)"
    ok "$connections connections" wait_for connections_are "$connections"
}
# reads_are NAME WANT: the reads since the log was emptied, and how many connections had one.
reads_are() {
    sed -nE 's/.* connection=([0-9]+) Read id=.* count=0x([0-9a-f]+).*/\1 0x\2/p' "$log" >"$tmp/reads"
    : >"$log"
    is "$1" "$(while read -r _ count; do echo $((count / 1024))K; done <"$tmp/reads" |
        sort -n | xargs) by $(cut -d ' ' -f 1 "$tmp/reads" | sort -u | wc -l)" "$2"
}
# read_it BYTES OFFSET
read_it() {
    dd if="$mnt/nbd" of="$tmp/got" bs="$1" skip="$2" count=1 iflag=direct,skip_bytes status=none
    ok "the bytes are right" cmp -n "$1" -i 0:"$2" "$tmp/got" "$image"
}
ends_well() {
    stop_nbdmount
    is "the daemon ends well" "$status" 0
    stop "$nbdkit_pid"
}

mount_it 2 rdelay=100ms # so that no piece is answered before the last one is sent
read_it 1048576 0
reads_are "1 MiB by two" "512K 512K by 2"
read_it 524288 1048576
reads_are "512 KiB by two" "256K 256K by 2"
read_it 262144 2097152
reads_are "256 KiB are left in one piece" "256K by 1"
read_it 999424 4096
reads_are "what cannot be halved at a block of 64 KiB has a shorter end" "464K 512K by 2"
ends_well

mount_it 4 rdelay=100ms
read_it 1048576 3145728
reads_are "1 MiB by four" "256K 256K 256K 256K by 4"
read_it 524288 3145728
reads_are "512 KiB by no more than two" "256K 256K by 2"
ends_well

mount_it 2 rdelay=5
dd if="$mnt/nbd" of=/dev/null bs=4k count=1 iflag=direct status=none &
reader=$!
ok "a connection has something to do" wait_for requests_are 1
read_it 1048576 4194304
wait "$reader"
reads_are "1 MiB by the other one alone" "4K 1024K by 2"
ends_well
done_testing
