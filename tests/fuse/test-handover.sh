# SPDX-License-Identifier: LGPL-2.1-or-later
# setuid= and drop_privileges of mount.fuse3, which then gives us /dev/fuse; mount -N.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/fuse/machine.sh"
need_nbdkit file
need_program /sbin/mount.fuse3

truncate -s 4M "$tmp/disk.img"
printf 'the data' | dd of="$tmp/disk.img" conv=notrunc bs=1M seek=2 status=none
chmod 666 "$tmp/disk.img"
start_nbdkit file "$tmp/disk.img"
chmod 666 "$sock"
mnt=$(new_dir mnt)
chmod 755 "$mnt"
as_other() { setpriv --reuid=1 --regid=1 --clear-groups --inh-caps=-all "$@"; }
# The status of the daemon: whose it is, and what it could do.
daemon_of() { sed -n "s/^$1:[[:space:]]*//p" "/proc/$(pgrep -nf "nbdmount .*socket=$sock")/status" | cut -f1; }
umounted() {
    local pid
    pid=$(pgrep -nf "nbdmount .*socket=$sock")
    umount "$mnt" && wait_for is_gone "$pid"
}

# With our own helper, and with mount.fuse3 alone.
for helper in mount.fuse.nbdmount mount.fuse3; do
    run mount -t fuse.nbdmount -o setuid=nobody,drop_privileges,allow_other "$uri" "$mnt"
    is "$helper: setuid= and drop_privileges, where the mountpoint is /dev/fd/N" "$status $err" "0 "
    ok "$helper: the file is there" cmp "$mnt/nbd" "$tmp/disk.img"
    is "$helper: it is that user's" "$(stat -c '%U %a' "$mnt/nbd")" "nobody 600"
    is "$helper: and so is the daemon" "$(daemon_of Uid)" 65534
    is "$helper: which has no privilege, and can have none" \
        "$(daemon_of CapPrm) $(daemon_of CapBnd) $(daemon_of NoNewPrivs)" "0000000000000000 0000000000000000 1"
    ok "$helper: the user reads" as_user cat "$mnt/nbd"
    nok "$helper: nobody else does, for the mode counts" as_other cat "$mnt/nbd"
    ok "$helper: umount" umounted
    rm -f "$tmp/sbin/mount.fuse.nbdmount"
done

run mount -t nbd -o setuid=nobody,drop_privileges,allow_other,mode=644,_netdev "$uri" "$mnt"
is "type nbd" "$status $err" "0 "
is "the source is shown" "$(findmnt -no SOURCE,FSTYPE "$mnt" | tr -s ' ')" "$uri fuse.nbdmount"
ok "mode= is for others" as_other cmp "$mnt/nbd" "$tmp/disk.img"
nok "who may not write" as_other dd if=/dev/zero of="$mnt/nbd" bs=512 count=1 conv=notrunc
ok "the owner may" as_user dd if=/dev/zero of="$mnt/nbd" bs=512 count=1 conv=notrunc,fsync
umounted

run mount -t nbd -o drop_privileges "$uri" "$mnt"
is "drop_privileges alone" "$status $(daemon_of Uid) $(daemon_of CapEff)" "0 0 0000000000000000"
ok "the file is there" cmp "$mnt/nbd" "$tmp/disk.img"
umounted

chown nobody "$mnt"
printf '%s %s nbd ro,setuid=nobody 0 0\n' "$uri" "$mnt" >"$tmp/fstab"
run mount "$mnt"
is "setuid= alone, in fstab: fusermount3 mounts for the user" "$status $err" "0 "
is "the daemon is the user's" "$(daemon_of Uid)" 65534
ok "the user reads" as_user cmp "$mnt/nbd" "$tmp/disk.img"
umounted

# ---- what cannot be had

refused() { # NAME REGEX MOUNT-ARGS...
    local name=$1 regex=$2
    shift 2
    run mount -t nbd "$@"
    isnt "$name: status" "$status" 0
    like "$name: the message" "$err" "$regex"
    is "$name: it is one line" "$(wc -l <"$tmp/.err")" 1
    ok "$name: nothing is mounted" is_unmounted "${!#}"
}
refused "no server" "cannot connect to .*nothing.*No such file" \
    -o drop_privileges "nbd+unix:///?socket=$tmp/nothing" "$mnt"
is "the status is that of a mount that failed" "$status" 32
refused "no such user" "no-such-user" -o setuid=no-such-user "$uri" "$mnt"
: >"$tmp/file"
refused "a file as mountpoint" "$tmp/file: drop_privileges needs a directory" -o drop_privileges "$uri" "$tmp/file"
refused "mount -N" "-N: .*nsenter --mount=" -N $$ "$uri" "$mnt"
run "$nbdmount" -o setuid=nobody "$uri" "$mnt"
like "without mount(8): the message says what to do" "$status $err" "^1 .*mount -t nbd -o"
run /sbin/mount.nbd --setuid=nobody "$uri" "$mnt"
like "a helper with another form of options" "$status $err" "^1 .*go with -o"
run "$nbdmount" -o fsname=x "$uri" "$mnt"
like "fsname= is for mount.fuse3 only" "$status $err" "^1 .*fsname"

# What -N says to do works.
start space unshare -m --propagation private "$BASH" -c "exec {never}<>'$tmp/.never'; echo in; read -r -u \$never"
wait_for grep -q in "$started_log"
run nsenter --mount="/proc/$started_pid/ns/mnt" mount -t nbd "$uri" "$mnt"
is "a mount in another namespace, as the message says" "$status $err" "0 "
ok "is there" nsenter --mount="/proc/$started_pid/ns/mnt" cmp "$mnt/nbd" "$tmp/disk.img"
ok "and not here" is_unmounted "$mnt"
ok "and ends" nsenter --mount="/proc/$started_pid/ns/mnt" umount "$mnt"
done_testing
