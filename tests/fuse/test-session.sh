# SPDX-License-Identifier: LGPL-2.1-or-later
# A session as a new user would have it: keys, a line of fstab, mount, cp, umount; with
# certificates and with a key, as root and as an ordinary user, for one disk and for all.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/fuse/machine.sh"
. "$abs_top_srcdir/tests/tls.sh"
need_program certtool psktool
need_nbdkit file

mkdir "$tmp/disks" "$tmp/home" "$tmp/mnt"
truncate -s 64M "$tmp/disks/disk"
head -c 1M /dev/urandom | dd of="$tmp/disks/disk" bs=1M seek=40 conv=notrunc status=none
authority ca
certificate ca server 'dns_name = "localhost"'
certificate ca client tls_www_client
psk_key keys.psk alice
chown -R nobody "$tmp/home"
listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
serve() { # PORT ARGS...
    start nbdkit nbdkit --foreground --exit-with-parent --ipaddr=127.0.0.1 --port="$1" --tls=require \
        "${@:2}" file dir="$tmp/disks"
    wait_while_alive "$started_pid" listens "$1" || { diag_file "$started_log"; bail_out "no server"; }
}
serve 10809 --tls-certificates="$tmp/server" --tls-verify-peer
serve 10810 --tls-psk="$tmp/keys.psk"

# Each user has files of the keys that nobody else can read.
for who in root nobody; do
    mkdir "$tmp/keys-$who"
    cp "$tmp"/client/*.pem "$tmp/keys.psk" "$tmp/keys-$who"
    chown -R "$who" "$tmp/keys-$who" && chmod -R go-rwx "$tmp/keys-$who"
done
line() { # WHO KIND MOUNTPOINT MORE-OPTIONS
    local keys=$tmp/keys-$1
    case $2 in
    certificates) echo "nbds://localhost/disk $3 nbd $4,tls-certificates=$keys 0 0" ;;
    key) echo "nbds://localhost:10810/disk $3 nbd $4,tls-psk-file=$keys/keys.psk,tls-username=alice 0 0" ;;
    all) echo "nbds://localhost/ $3 nbd $4,all,tls-certificates=$keys 0 0" ;;
    esac
}
as() {
    case $1 in
    root) "${@:2}" ;;
    nobody) as_user "${@:2}" ;;
    esac
}

for who in root nobody; do
    : >"$tmp/fstab"
    for kind in certificates key all; do
        dir=$tmp/home/$who-$kind
        mkdir "$dir" && chown "$who" "$dir"
        line $who $kind "$dir" "$([ $who = root ] && echo _netdev || echo user,noauto,_netdev)" >>"$tmp/fstab"
    done
    if [ $who = root ]; then
        run mount -a
        is "root: mount -a, with certificates, with a key, and all disks" "$status $err" "0 "
    fi
    for kind in certificates key all; do
        dir=$tmp/home/$who-$kind
        name="$who, $kind"
        if [ $who = nobody ]; then
            run as nobody mount "$dir"
            is "$name: mount, for a line with user" "$status $err" "0 "
        fi
        is "$name: the source is shown" "$(findmnt -no SOURCE "$dir")" \
            "$(awk -v dir="$dir" '$2 == dir { print $1 }' "$tmp/fstab")"
        is "$name: the file is the user's" "$(as $who stat -c '%U %a %s' "$dir/disk")" "$who 600 67108864"
        ok "$name: cp" as $who cp "$dir/disk" "$tmp/home/copy"
        ok "$name: the copy is the disk" cmp "$tmp/home/copy" "$tmp/disks/disk"
        at_most "$name: and as sparse" "$(stat -c %b "$tmp/home/copy")" 4096
        head -c 100000 /dev/urandom >"$tmp/home/new"
        chmod 644 "$tmp/home/new"
        ok "$name: writing" as $who dd if="$tmp/home/new" of="$dir/disk" conv=notrunc,fsync status=none
        ok "$name: is on the server" cmp -n 100000 "$tmp/home/new" "$tmp/disks/disk"
        run as $who umount "$dir"
        is "$name: umount" "$status $err" "0 "
        ok "$name: nothing is mounted" is_unmounted "$dir"
        rm "$tmp/home/copy"
    done
done

# What is not the user's, and what does not need root.
line nobody certificates "$tmp/mnt" user,noauto >"$tmp/fstab"
run as nobody mount "$tmp/mnt"
like "a user does not mount on another's folder, which is named" "$status $err" "^32 .*$tmp/mnt"
ok "nothing is mounted" is_unmounted "$tmp/mnt"
dir=$tmp/home/nobody-key
line root certificates "$dir" user,noauto >"$tmp/fstab"
run as nobody mount "$dir"
like "nor with another's keys, which are named" "$status $err" "^32 .*$tmp/keys-root.*Permission denied"
ok "nothing is mounted" is_unmounted "$dir"
line nobody key "$dir" noauto >"$tmp/fstab"
run as nobody mount "$dir"
is "a line without user works too: mount(8) leaves it to us, who need no root" "$status $err" "0 "
run as nobody umount "$dir"
is "and umount" "$status $err" "0 "
done_testing
