# SPDX-License-Identifier: LGPL-2.1-or-later
# One export or all of them, where nobody says which.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_fuse
need_program qemu-nbd
need_nbdkit file memory eval --filter=log

# shows NAME FILES ARGUMENT...: what is in the folder when it is mounted
shows() {
    local name=$1 files=$2
    shift 2
    if mount_nbd "$@" "$(new_dir mnt)"; then
        is "$name" "$(find "$mnt" -type f -printf '%P ' | tr ' ' '\n' | sort | xargs)" "$files"
        stop_nbdmount
        return
    fi
    fail "$name"
    diag_file "$nbdmount_log"
}

# fails NAME MESSAGE ARGUMENT...
fails() {
    local name=$1 message=$2
    shift 2
    run "$nbdmount" "$@" "$(new_dir mnt)"
    is "$name: status 1" "$status" 1
    like "$name: it is said why" "$err" "$message"
}

mkdir "$tmp/dir" "$tmp/empty"
truncate -s 1M "$tmp/dir/a"
truncate -s 2M "$tmp/dir/b"

# ---- what the server lists decides

: >"$tmp/requests"
start_nbdkit --filter=log memory 1M logfile="$tmp/requests"
shows "a server with a default export only: nbd" nbd -C 1 "$uri"
is "the connection over which it was asked is the one that is used" \
    "$(grep -c ' Connect ' "$tmp/requests")" 1
memory=$uri
start_nbdkit file dir="$tmp/dir"
folder=$uri
shows "one with others: all of them" "a b" "$folder"
start_nbdkit eval list_exports='echo one; echo; echo two' open='echo "$3"' get_size='echo 4096' \
    pread='head -c $3 /dev/zero'
shows "one with a default export among them: nbd is there too" "nbd one two" "$uri"
rm "$tmp/dir/b"
start_nbdmount "$folder" "$(new_dir mnt)"
is "one with a single export that has a name: that" "$(ls "$mnt")" a
truncate -s 2M "$tmp/dir/b"
ok "and what comes later" wait_for cmp "$mnt/b" "$tmp/dir/b"
stop_nbdmount
printf data | dd of="$tmp/dir/a" conv=notrunc status=none
start_nbdmount [ qemu-nbd -f raw -x only "$tmp/dir/a" ] "$(new_dir mnt)"
is "a command's exports are chosen from too" "$(ls "$mnt")" only
ok "and read, also where one connection is all there is" cmp "$mnt/only" "$tmp/dir/a"
stop_nbdmount

# ---- what is said decides before the server is asked

shows "an export in the URI" a "${folder/\/\/\//\/\/\/a}"
shows "--export" b --export b "$folder"
shows "-o export= of no name" nbd -o export= "$memory"
shows "-o single" nbd -o single "$memory"
fails "-o single where there is no default export" "no such export" -o single "$folder"
shows "--filename is of one" disk --filename disk "$memory"
fails "also where there are more" "no such export" --filename disk "$folder"
shows "a file for replay is of one export" nbd --replay-file "$tmp/replay" "$memory"
fails "also where there are more" "no such export" --replay-file "$tmp/replay" "$folder"
shows "--all" nbd --all "$memory"
shows "--all and --filename: the default export's name" disk --all --filename disk "$memory"
: >"$tmp/mountpoint"
start_nbdmount "$memory" "$tmp/mountpoint"
is "a file as mountpoint" "$(stat -c %s "$mnt")" 1048576
stop_nbdmount
run "$nbdmount" "$folder" "$tmp/mountpoint"
like "is of one export" "$err" "no such export"

# ---- servers that do not list

shows "an old server" nbd [ nbdkit -o memory 1M ]
shows "one that is not quite so old" nbd [ nbdkit --mask-handshake=0 memory 1M ]
shows "an old server, and --all" nbd --all [ nbdkit -o memory 1M ]
start_nbdkit file dir="$tmp/empty"
fails "one that lists nothing is taken to have a default export" "no such export" "$uri"
start_nbdmount --all "$uri" "$(new_dir mnt)"
is "but not with --all" "$(ls -A "$mnt")" ""
truncate -s 1M "$tmp/empty/new"
ok "for then they may come" wait_for test -e "$mnt/new"
stop_nbdmount

cat >"$tmp/script" <<'P'
case refuses LIST
handshake until=LIST contexts=base:allocation
reply policy "not here"
option SET_META
reply meta be32:1 "base:allocation"
reply ack
option GO name=
info export 1M 1
reply ack
serve

case dies of LIST
handshake until=LIST
close
connection
handshake size=2M
serve

case silent
handshake until=LIST
drain
P
start_peer "refuses LIST"
shows "one that refuses to list" nbd -C 1 -o retry=0 "$uri"
start_peer "dies of LIST"
shows "one that cannot stand to be asked" nbd -C 1 -o retry=0 "$uri"
start_peer silent
start nbdmount "$nbdmount" -f "$uri" "$(new_dir mnt)"
asks() { [ "$(grep -c "$sock" /proc/net/unix)" -gt 1 ]; }
ok "one that says nothing" wait_for asks
ok "is left on a signal" stop "$started_pid"
is "with status 1" "$status" 1

# ---- what was said before is said still

fails "no server" "cannot connect to nbd\+unix:///\?socket=$tmp/nothing: .*No such file" \
    "nbd+unix:///?socket=$tmp/nothing"
fails "a meta context that it does not have" "has no meta context foo:bar" \
    --meta-context=foo:bar "$memory"
fails "a bad URI" "invalid NBD URI" "nbd+what://x"
done_testing
