# SPDX-License-Identifier: LGPL-2.1-or-later
# mount(8), /etc/fstab and umount(8), as root and as an ordinary user, with TLS.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/fuse/machine.sh"
. "$abs_top_srcdir/tests/tls.sh"
need_program certtool psktool
need_nbdkit memory file

truncate -s 4M "$tmp/disk.img"
printf 'the data' | dd of="$tmp/disk.img" conv=notrunc bs=1M seek=2 status=none

# ---- certificates and keys

authority pki
certificate pki pki 'dns_name = "nbd.example.com"'
authority other
mkdir "$tmp/trust"
cp "$tmp/pki/ca-cert.pem" "$tmp/trust"
psk_key keys.psk alice
psk_key wrong.psk alice

start_nbdkit file "$tmp/disk.img"
chmod 666 "$sock"
plain=$uri
start_nbdkit --tls=require --tls-certificates="$tmp/pki" file "$tmp/disk.img"
chmod 666 "$sock"
certified=$sock
start_nbdkit --tls=require --tls-psk="$tmp/keys.psk" file "$tmp/disk.img"
chmod 666 "$sock"
psk=$sock

# ---- root: mount -t nbd

mnt=$(new_dir mnt)
run mount -t nbd -o mode=640,noatime "$plain" "$mnt"
is "mount -t nbd" "$status" 0
ok "the file is there" cmp "$mnt/nbd" "$tmp/disk.img"
is "findmnt shows the source, the type" "$(findmnt -no SOURCE,FSTYPE "$mnt" | tr -s ' ')" "$plain fuse.nbdmount"
like "and options" "$(findmnt -no OPTIONS "$mnt")" "noatime"
like "df shows the source and the size" "$(df --output=source,size,used "$mnt" | tail -1)" "^nbd.unix.*4096 "
ok "umount" umount "$mnt"

run mount -t fuse.nbdmount "$plain" "$mnt" -o ro
is "mount -t fuse.nbdmount" "$status" 0
is "-o ro" "$(stat -c %a "$mnt/nbd")" 400
run dd if=/dev/zero of="$mnt/nbd" bs=512 count=1 conv=notrunc
like "writing it is EROFS, also for root" "$err" "Read-only file system"
umount "$mnt"
rm "$tmp/sbin/mount.fuse.nbdmount"
run mount -t fuse.nbdmount "$plain" "$mnt" -o ro,nofail
is "through mount.fuse3, with no helper of our own" "$status" 0
ok "too" cmp "$mnt/nbd" "$tmp/disk.img"
umount "$mnt"

run mount -t nbd -o frobnicate=1 "$plain" "$mnt"
is "an unknown option: status 1, a wrong use" "$status" 1
like "which names it" "$err" "frobnicate=1"
run mount -t nbd "nbd+unix:///?socket=$tmp/nothing" "$mnt"
is "no server: status 32, the mount failed" "$status" 32
like "which names it" "$err" "$tmp/nothing"
run mount -f -t nbd "nbd+unix:///?socket=$tmp/nothing" "$mnt"
is "mount -f does not mount" "$status" 0
ok "nothing is there" is_unmounted "$mnt"

# ---- fstab

dirs=("$tmp/a" "$tmp/b b" "$tmp/c" "$tmp/d" "$tmp/e")
mkdir "${dirs[@]}"
cat >"$tmp/table" <<T
# the export's name has a comma, a blank and a number sign
nbd+unix:///an%20export,x%23y?socket=${plain#*socket=} $tmp/a nbd ro,_netdev,nofail,x-systemd.automount,filename=disk 0 0
nbds+unix:///?socket=$certified $tmp/b\\040b nbd tls-certificates=$tmp/trust,tls-hostname=nbd.example.com,user,umask=022 0 0
nbd+unix:///?socket=$psk $tmp/c fuse.nbdmount tls=require,tls-username=alice,tls-psk-file=$tmp/keys.psk 0 0
nbd+unix:///an\\040export,x\\043y?socket=${plain#*socket=} $tmp/d nbd ro,filename=disk 0 0
nbd+unix:///?socket=${plain#*socket=} $tmp/e nbd ro,export=disk 0 0
nbd+unix:///?socket=$tmp/nothing $tmp nbd noauto 0 0
T
run mount -a -T "$tmp/table"
is "mount -a" "$status" 0
is "nothing is said" "$err" ""
ok "a line of type nbd, its source escaped" cmp "$tmp/a/disk" "$tmp/disk.img"
like "as findmnt shows it" "$(findmnt -no SOURCE "$tmp/a")" "an%20export,x%23y"
ok "one escaped as fstab(5) has it" cmp "$tmp/d/disk" "$tmp/disk.img"
ok "one with certificates, its mountpoint escaped" cmp "$tmp/b b/nbd" "$tmp/disk.img"
ok "one of type fuse.nbdmount with a key" cmp "$tmp/c/nbd" "$tmp/disk.img"
ok "one with an option for the export" cmp "$tmp/e/disk" "$tmp/disk.img"
run mount -a -T "$tmp/table"
is "mount -a once more finds all of them mounted" "$status $err" "0 "
head -c 100000 /dev/urandom >"$tmp/new"
ok "writing through TLS" dd if="$tmp/new" of="$tmp/c/nbd" conv=notrunc,fsync status=none
ok "reaches the disk" cmp -n 100000 "$tmp/new" "$tmp/disk.img"
for dir in "${dirs[@]}"; do
    ok "umount ${dir##*/}" umount "$dir"
done

# ---- what TLS refuses: one line, nothing mounted

refused() { # NAME REGEX URI OPTIONS
    run mount -t nbd -o "$4" "$3" "$mnt"
    is "$1: status" "$status" 32
    like "$1: the message" "$err" "$2"
    is "$1: it is one line" "$(wc -l <"$tmp/.err")" 1
    ok "$1: nothing is mounted" is_unmounted "$mnt"
}
cert="nbds+unix:///?socket=$certified"
refused "another name" "certificate" "$cert" "tls-certificates=$tmp/trust,tls-hostname=other.example.com"
refused "another authority" "certificate" "$cert" "tls-certificates=$tmp/other,tls-hostname=nbd.example.com"
refused "no such folder" "$tmp/missing" "$cert" "tls-certificates=$tmp/missing,tls-hostname=nbd.example.com"
refused "a wrong key" "TLS|tls|PSK|handshake" "nbd+unix:///?socket=$psk" "tls-username=alice,tls-psk-file=$tmp/wrong.psk"
refused "no such key file" "$tmp/no.psk" "nbd+unix:///?socket=$psk" "tls-username=alice,tls-psk-file=$tmp/no.psk"
refused "a user without a key" "bob|PSK|TLS" "nbd+unix:///?socket=$psk" "tls-username=bob,tls-psk-file=$tmp/keys.psk"
refused "a server without TLS" "TLS" "$plain" "tls=require"
refused "a server that wants TLS" "TLS" "nbd+unix:///?socket=$psk" "tls=off"
run mount -t nbd -o tls-verify-peer=false "$cert" "$mnt"
is "tls-verify-peer=false takes any certificate" "$status" 0
umount "$mnt"

# ---- an ordinary user

mkdir "$tmp/home" && chown 65534:65534 "$tmp/home"
user=$tmp/home/mnt
as_user mkdir "$user"
run as_user nbdmount -o tls-username=alice,tls-psk-file="$tmp/keys.psk" "nbd+unix:///?socket=$psk" "$user"
is "a user mounts, with a key" "$status" 0
ok "and reads" as_user cmp "$user/nbd" "$tmp/disk.img"
is "it is the user's" "$(as_user stat -c '%u %g %a' "$user/nbd")" "65534 65534 600"
ok "and unmounts" as_user fusermount3 -u "$user"
run as_user nbdmount -o tls-certificates="$tmp/trust",tls-hostname=nbd.example.com "$cert" "$user"
is "with certificates" "$status" 0
ok "and reads" as_user cmp "$user/nbd" "$tmp/disk.img"
as_user fusermount3 -u "$user"

cat >"$tmp/fstab" <<T
nbds+unix:///?socket=$certified $user nbd user,noauto,tls-certificates=$tmp/trust,tls-hostname=nbd.example.com 0 0
nbd+unix:///?socket=$psk $tmp/c nbd user,noauto,tls-username=alice,tls-psk-file=$tmp/keys.psk 0 0
T
run as_user mount "$user"
is "a user mounts a line of fstab with user" "$status" 0
ok "reads it" as_user cmp "$user/nbd" "$tmp/disk.img"
ok "copies it" as_user cp --sparse=always "$user/nbd" "$tmp/home/copy"
ok "all of it" cmp "$tmp/home/copy" "$tmp/disk.img"
ok "unmounts it" as_user fusermount3 -u "$user"
run as_user mount "$tmp/c"
isnt "not on a folder that is another's" "$status" 0

# ---- a daemon that was killed

run mount -t nbd "$plain" "$mnt"
pid=$(pgrep -f "mount.nbd .*$mnt" | head -1)
isnt "the daemon is found" "$pid" ""
kill -s KILL "$pid" && wait_for is_gone "$pid"
nok "its mount is dead" stat "$mnt/nbd"
run mount -t nbd "$plain" "$mnt"
is "the next mount takes it away" "$status" 0
like "and says so" "$err" "gone"
ok "and works" cmp "$mnt/nbd" "$tmp/disk.img"
umount "$mnt"
ok "nothing is left under it" is_unmounted "$mnt"

# One of another program is not ours to take away.
exec 7<>/dev/fuse
mount -i -t fuse.other -o fd=7,rootmode=40000,user_id=0,group_id=0 other "$mnt"
exec 7>&-
run mount -t nbd "$plain" "$mnt"
like "another program's dead mount is left there, and it is said what ends it" "$status $err" \
    "^32 .*type fuse(.other)? whose daemon is gone.*fusermount3 -u $mnt"
is "it is one line" "$(wc -l <"$tmp/.err")" 1
ok "it is still there" is_mounted "$mnt"
ok "what is said ends it" fusermount3 -u "$mnt"

# A disk that is read-only at the server.
start_nbdkit -r file "$tmp/disk.img"
run mount -t nbd "$uri" "$mnt"
is "a server that is read-only" "$status $(stat -c %a "$mnt/nbd")" "0 400"
run dd if=/dev/zero of="$mnt/nbd" bs=512 count=1 conv=notrunc
like "writing it is EROFS" "$err" "Read-only file system"
umount "$mnt"
done_testing
