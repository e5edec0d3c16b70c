# SPDX-License-Identifier: LGPL-2.1-or-later
# The commands of nbdmount-recipes(7), as they stand there, on two machines of the test's own.
MACHINE_OPTIONS='--pid --fork --kill-child --mount-proc'
MACHINE_PROGRAMS='ip mkfs.ext4 debugfs lighttpd sshd'
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/fuse/machine.sh"
need_program qemu-nbd qemu-img qemu-io mkfs.ext4 debugfs nsenter lighttpd ssh scp nc xz \
    certtool psktool sshd
need_nbdkit file curl ssh nbd partitioning --filter=xz --filter=cow --filter=partition

page=$abs_top_srcdir/src/nbdmount-recipes.pod
blocks() { awk -f "$abs_top_srcdir/tests/recipes/blocks.awk" "$@" "$page"; }
blocks >"$tmp/blocks"

# ---- the server: another network, the same files

home=$(getent passwd root | cut -d: -f6)
for folder in /srv /run "$home"; do
    mount -t tmpfs -o mode=755 tmpfs "$folder" || bail_out "no $folder of our own"
done
mkdir /run/sshd "$home/.ssh" "$tmp/client" "$tmp/www"
chmod 700 "$home" "$home/.ssh"
# host NAME ADDRESS: a network of its own, with a wire to this one; its process in host_NAME.
host() {
    start "$1" unshare -n "$BASH" -c "exec {never}<>'$tmp/.never'; echo up; read -r -u \$never"
    declare -g "host_$1=$started_pid"
    wait_for grep -q up "$started_log"
    ip link add "to-$1" type veth peer name wire netns "$started_pid" || bail_out "no network between two namespaces"
    ip address add 192.0.2.1 peer "$2" dev "to-$1" && ip link set "to-$1" up
    on "$1" ip address add "$2" peer 192.0.2.1 dev wire && on "$1" ip link set wire up && on "$1" ip link set lo up
}
on() { # HOST COMMAND...
    local process=host_$1
    nsenter --net="/proc/${!process}/ns/net" "${@:2}"
}
host server 192.0.2.2
host other 192.0.2.3
printf '127.0.0.1 localhost\n192.0.2.2 server.example.com\n192.0.2.3 other.example.com\n' >"$tmp/hosts"
mount --bind "$tmp/hosts" /etc/hosts || bail_out "no /etc/hosts of our own"
# A locked password would keep root out, with whatever key.
sed 's/^root:[^:]*:/root:*:/' /etc/shadow >"$tmp/shadow" && mount --bind "$tmp/shadow" /etc/shadow

ssh-keygen -q -t ed25519 -N '' -f "$tmp/host-key"
ssh-keygen -q -t ed25519 -N '' -f "$home/.ssh/id_ed25519"
cp "$home/.ssh/id_ed25519.pub" "$home/.ssh/authorized_keys"
echo "server.example.com $(cut -d' ' -f1,2 "$tmp/host-key.pub")" >"$home/.ssh/known_hosts"
printf '%s\n' "HostKey $tmp/host-key" 'UsePAM no' 'PidFile none' 'Subsystem sftp internal-sftp' >"$tmp/sshd.conf"
start sshd nsenter --net="/proc/$host_server/ns/net" /sbin/sshd -D -e -f "$tmp/sshd.conf"
sshd_log=$started_log
printf 'server.document-root = "%s"\nserver.port = 80\n' "$tmp/www" >"$tmp/lighttpd.conf"
start lighttpd nsenter --net="/proc/$host_server/ns/net" lighttpd -D -f "$tmp/lighttpd.conf"
listens() { (: <"/dev/tcp/server.example.com/$1") 2>/dev/null; }
wait_for listens 22 || { diag_file "$sshd_log"; bail_out "no sshd"; }
wait_for listens 80 || { diag_file "$started_log"; bail_out "no web server"; }

# ---- running what the page says

cooked=
# cook NAME: the blocks of a recipe, each on its machine. The last one mounts $mnt.
cook() {
    local name=$1 where number=0
    cooked="$cooked $name"
    mnt=$tmp/client/mnt
    mkdir -p "$mnt"
    for where in $(awk -v name="$name" '$1 == name { print $2 }' "$tmp/blocks"); do
        number=$((number + 1))
        blocks -v name="$name" -v number=$number >"$tmp/script"
        case $where in
        client) (cd "$tmp/client" && run_script) ;;
        server) (cd "$home" && run_script on server) ;;
        servers) (cd "$home" && run_script on server && run_script on other) ;;
        esac || { fail "$name: its commands work, on the $where"; return 1; }
    done
    pass "$name: its commands work"
}
# What servers print into the background must not keep anybody waiting.
run_script() {
    "$@" "$BASH" -e "$tmp/script" >"$tmp/said" 2>&1 </dev/null && return
    diag_file "$tmp/script"
    diag_file "$tmp/said"
    return 1
}
# Unmounts, and ends the servers that went into the background.
wash_up() {
    [ ! -e "$mnt" ] || is_unmounted "$mnt" || wait_for fusermount3 -u "$mnt"
    local pid
    for pid in $(pgrep -x 'nbdkit|qemu-nbd'); do
        kill -s TERM "$pid" 2>/dev/null
        wait_for is_gone "$pid" || kill -s KILL "$pid"
    done
}
none_of() { ! pgrep -x "$1"; }
same() { ok "$1: the disk is what it should be" cmp "$mnt/nbd" "$2"; }

# ---- a disk with two partitions, of which the second has a file system

cd "$tmp/client" || exit 99
echo 'a file' >"$tmp/hello"
truncate -s 4M "$tmp/one.img"
mkdir "$tmp/content" && cp "$tmp/hello" "$tmp/content"
truncate -s 8M "$tmp/two.img"
mkfs.ext4 -q -F -d "$tmp/content" "$tmp/two.img"
mnt=$(new_dir make)
run nbdmount -r [ nbdkit partitioning "$tmp/one.img" "$tmp/two.img" partition-type=gpt ] "$mnt"
cp "$mnt/nbd" "$tmp/disk.img"
fusermount3 -u "$mnt"
fresh() { cp "$tmp/disk.img" "$1"; }

# ---- images

fresh base.img
qemu-img create -q -f qcow2 -b base.img -F raw disk.qcow2
qemu-io -f qcow2 -c 'write -q -P 0x22 5M 64k' disk.qcow2
qemu-img convert -O raw disk.qcow2 "$tmp/want"
cook qcow2
same qcow2 "$tmp/want"
dd if=/dev/zero of="$mnt/nbd" bs=64k seek=80 count=1 conv=notrunc,fsync status=none
wash_up
qemu-img convert -O raw disk.qcow2 "$tmp/want"
is "qcow2: what is written is in the image" "$(dd if="$tmp/want" bs=64k skip=80 count=1 status=none | tr -d '\000' | wc -c)" 0
ok "and not in the one behind it" cmp base.img "$tmp/disk.img"
cook qcow2-depth
same qcow2-depth "$tmp/want"
cp --sparse=auto "$mnt/nbd" "$tmp/layer"
is "qcow2-depth: only the layer is data" "$(stat -c %b "$mnt/nbd")" 128
wash_up

qemu-img snapshot -c before disk.qcow2
qemu-io -f qcow2 -c 'write -q -P 0x66 6M 64k' disk.qcow2
cook snapshot
same snapshot "$tmp/want"
wash_up

fresh disk.img
cook partition
same partition "$tmp/two.img"
is "partition: the file in it" "$(debugfs -R 'cat /hello' "$mnt/nbd" 2>/dev/null)" "a file"
wash_up

fresh /srv/disk.img
cook cow
same cow "$tmp/disk.img"
dd if=/dev/urandom of="$mnt/nbd" bs=64k count=20 conv=notrunc,fsync status=none
ok "cow: everybody can reach the server" listens 10809
nok "cow: it can be written" cmp -s "$mnt/nbd" "$tmp/disk.img"
ok "and the server's disk stays as it was" cmp /srv/disk.img "$tmp/disk.img"
fusermount3 -u "$mnt"
cook layer
same layer "$tmp/disk.img"
dd if=/dev/urandom of="$mnt/nbd" bs=64k count=20 conv=notrunc,fsync status=none
cp "$mnt/nbd" "$tmp/want"
fusermount3 -u "$mnt"
wait_for none_of qemu-nbd # the mount's own: it ends with it
ok "layer: the server's disk stays as it was" cmp /srv/disk.img "$tmp/disk.img"
ok "and what was written lasts" qemu-img compare -q -f qcow2 -F raw layer.qcow2 "$tmp/want"
wash_up

cp "$tmp/disk.img" "$home"
cooked="$cooked pack"
(cd "$home" && blocks -v name=pack -v number=1 | "$BASH" -e && mv disk.img.xz "$tmp/www")
is "xz: the file has blocks" "$(xz --robot --list "$tmp/www/disk.img.xz" | awk '$1 == "file" { print $3 }')" \
    "$((($(stat -c %s "$tmp/disk.img") + 1048575) / 1048576))"
cook xz
same xz "$tmp/disk.img"
wash_up

# ---- other machines

cook sftp
same sftp "$tmp/disk.img"
dd if="$tmp/hello" of="$mnt/nbd" conv=notrunc,fsync status=none
is "sftp: what is written is there" "$(head -c 6 /srv/disk.img)" "a file"
wash_up
fresh /srv/disk.img
for name in ssh ssh-socket; do
    cook $name
    same $name "$tmp/disk.img"
    cp "$mnt/nbd" "$tmp/copy" # which asks where they are
    at_most "$name: holes are holes" "$(stat -c %b "$mnt/nbd")" $(($(stat -c %s "$tmp/disk.img") / 512 / 10))
    dd if="$tmp/hello" of="$mnt/nbd" conv=notrunc,fsync status=none
    is "$name: what is written is there" "$(head -c 6 /srv/disk.img)" "a file"
    fresh /srv/disk.img
    nok "$name: nobody else can reach the server" listens 10809
    wash_up
    ok "$name: no ssh is left" wait_for none_of ssh
done

# Who comes by ssh comes again.
cook ssh
sessions() { pgrep -f 'sshd: root@notty'; }
before=$(sessions)
isnt "ssh: there are connections" "$before" ""
kill $before
ok "ssh: a connection that is lost is made anew" dd if="$mnt/nbd" of="$tmp/copy" bs=1M iflag=direct status=none
ok "with the right bytes" cmp "$tmp/copy" "$tmp/disk.img"
wash_up
wait_for none_of ssh # each notes the host's keys, for the next time
: >"$home/.ssh/known_hosts"
run nbdmount nbd+ssh://root@server.example.com/ "$mnt"
like "ssh: a host that is not known is refused" "$status $err" "^1 .*Host key.*cannot connect to nbd.ssh://root@server.example.com/"
echo "server.example.com $(cut -d' ' -f1,2 "$tmp/host-key.pub")" >"$home/.ssh/known_hosts"

cook tls
same tls "$tmp/disk.img"
wait_for fusermount3 -u "$mnt"
mkdir -p "$home/stranger"
cp "$tmp/client/pki/ca-cert.pem" "$home/stranger"
run nbdmount -o tls-certificates="$home/stranger" nbds://server.example.com/ "$mnt"
like "tls: a client without a certificate is refused" "$status $err" "^1 .*certificate of yours"
run nbdmount nbds://server.example.com/ "$mnt"
like "tls: the server is not believed without its authority" "$status $err" "^1 .*tls-certificates="
run nbdmount nbd://server.example.com/ "$mnt"
like "tls: nor spoken to without TLS" "$status $err" "^1 .*use nbds"
# Its folders are the machine's; here they are the test's.
cooked="$cooked tls-fstab"
blocks -v name=tls-fstab -v number=1 | sed "s,/mnt/disk,$mnt,; s,/etc/pki/nbd,$tmp/client/pki," >"$tmp/fstab"
run mount -a
is "tls: a line in fstab, and mount -a" "$status $err" "0 "
ok "tls: cp" cp --sparse=always "$mnt/nbd" "$tmp/copy"
ok "tls: the copy is the disk" cmp "$tmp/copy" "$tmp/disk.img"
ok "tls: umount" umount "$mnt"
wash_up

cook psk
same psk "$tmp/disk.img"
is "psk: nobody else can read the key" "$(stat -c %a "$tmp/client/keys.psk")" 600
wash_up

cook several
same several "$tmp/disk.img"
pids=$(pgrep -x nbdkit)
is "several: there are two servers" "$(echo "$pids" | wc -l)" 2
ended=0
for pid in $pids; do
    kill -s KILL "$pid"
    ended=$((ended + 1))
    [ "$ended" -eq 1 ] || continue
    ok "several: it goes on with the other one" dd if="$mnt/nbd" of="$tmp/copy" bs=64k iflag=direct status=none
    ok "with the right bytes" cmp "$tmp/copy" "$tmp/disk.img"
done
wash_up

# ---- backups

cd "$tmp/client" || exit 99
qemu-img convert -O qcow2 "$tmp/disk.img" disk.qcow2
cook bitmap
qemu-io -f qcow2 -c 'write -q -P 0x55 5M 64k' disk.qcow2
cook bitmap-copy
tar -C "$tmp" -xSf changes.tar
is "bitmap: what has changed, and nothing else" "$(tr -d '\000' <"$tmp/nbd" | tr -d U | wc -c) $(tr -d '\000' <"$tmp/nbd" | wc -c)" "0 65536"
wash_up

# ---- all of the page

is "every recipe was cooked, and marked" "$(echo "$cooked" | tr ' ' '\n' | sort -u | sed '/^$/d')" \
    "$(sed '/^unmarked: fusermount3 -u mnt$/d' "$tmp/blocks" | cut -d' ' -f1 | sort -u)"
done_testing
