# SPDX-License-Identifier: LGPL-2.1-or-later
# TLS over TCP: whom the client believes, whom the server, what is said when they do not, and
# a server that comes back with another certificate.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/fuse/machine.sh"
. "$abs_top_srcdir/tests/tls.sh"
need_program certtool psktool jq
need_nbdkit memory file

# ---- two authorities, and certificates that are wrong in some way

authority good
authority other
certificate good right 'dns_name = "localhost"'
certificate good again 'dns_name = "localhost"'
certificate good elsewhere 'dns_name = "nbd.example.com"'
certificate good expired 'dns_name = "localhost"' \
    'activation_date = "2001-01-01 00:00:00"' 'expiration_date = "2001-02-01 00:00:00"'
certificate good early 'dns_name = "localhost"' \
    'activation_date = "2091-01-01 00:00:00"' 'expiration_date = "2092-02-01 00:00:00"'
certificate other untrusted 'dns_name = "localhost"'
certificate good client tls_www_client
certificate other stranger tls_www_client
cp "$tmp/good/ca-cert.pem" "$tmp/stranger"
mkdir "$tmp/trust" "$tmp/half" "$tmp/empty"
cp "$tmp/good/ca-cert.pem" "$tmp/trust"
cp "$tmp/client/client-cert.pem" "$tmp/good/ca-cert.pem" "$tmp/half"
psk_key keys.psk alice
psk_key other.psk alice
psk_key other.psk bob

truncate -s 4M "$tmp/disk.img"
printf 'the data' | dd of="$tmp/disk.img" conv=notrunc bs=1M seek=2 status=none
mnt=$(new_dir mnt)

# serve NAME PORT ARGS...: nbdkit on TCP; its process in server_NAME.
listens() { (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
serve() {
    local name=$1 port=$2
    shift 2
    start "$name" nbdkit --foreground --exit-with-parent --ipaddr=127.0.0.1 --port="$port" "$@"
    declare -g "server_$name=$started_pid"
    wait_while_alive "$started_pid" listens "$port" || { diag_file "$started_log"; bail_out "no server $name"; }
}
serve_certificate() { serve "$1" "$2" --tls=require --tls-certificates="$tmp/$1" "${@:3}" file "$tmp/disk.img"; }
serve_certificate right 1001
serve_certificate elsewhere 1002
serve_certificate expired 1003
serve_certificate early 1004
serve_certificate untrusted 1005
serve mutual 1006 --tls=require --tls-verify-peer --tls-certificates="$tmp/right" file "$tmp/disk.img"
serve psk 1007 --tls=require --tls-psk="$tmp/keys.psk" file "$tmp/disk.img"
serve plain 1008 --tls=off file "$tmp/disk.img"

# ---- what is accepted: from the command line and from fstab

# By the line of fstab: what mount(8) says.
mount_line() { # URI OPTIONS
    printf '%s %s nbd %s 0 0\n' "$1" "$mnt" "$2" >"$tmp/fstab"
    run mount "$mnt"
}
accepted() { # NAME URI OPTIONS
    run "$nbdmount" -o "$3" "$2" "$mnt"
    is "$1 is accepted" "$status $err" "0 "
    ok "$1: the bytes are right" cmp "$mnt/nbd" "$tmp/disk.img"
    fusermount3 -u "$mnt"
    mount_line "$2" "$3"
    is "$1 in fstab" "$status $err" "0 "
    ok "$1: the bytes are right" cmp "$mnt/nbd" "$tmp/disk.img"
    umount "$mnt"
}
trust="tls-certificates=$tmp/trust"
keys="tls-psk-file=$tmp/keys.psk"
accepted "a certificate that is right" nbds://localhost:1001/ "$trust"
accepted "tls=require in place of nbds" nbd://localhost:1001/ "tls=require,$trust"
accepted "a certificate for the name of tls-hostname" nbds://localhost:1002/ "$trust,tls-hostname=nbd.example.com"
accepted "a client with a certificate" nbds://localhost:1006/ "tls-certificates=$tmp/client"
accepted "a key" nbds://localhost:1007/ "$keys,tls-username=alice"
accepted "a key that the URI names" "nbds://alice@localhost:1007/?tls-psk-file=$tmp/keys.psk" ro
accepted "tls=allow, by a server without TLS," nbd://localhost:1008/ tls=allow
accepted "tls=allow, by one that wants it," nbd://localhost:1001/ "tls=allow,$trust"

# ---- what is refused

refused() { # NAME REGEX URI OPTIONS
    local how
    for how in 'command line' fstab; do
        if [ "$how" = fstab ]; then mount_line "$3" "$4"; else run "$nbdmount" -o "$4" "$3" "$mnt"; fi
        is "$1 ($how): the status" "$status" "$([ "$how" = fstab ] && echo 32 || echo 1)"
        like "$1 ($how): the message" "$err" "^nbdmount: cannot connect to $3: $2"
        is "$1 ($how): it is one line" "$(wc -l <"$tmp/.err")" 1
        ok "$1 ($how): nothing is mounted" is_unmounted "$mnt"
    done
}
refused "another name" 'TLS.* does not have the name "localhost"; .*tls-hostname=' nbds://localhost:1002/ "$trust"
refused "an address in place of the name" 'TLS.* the name "127.0.0.1"; .*tls-hostname=' nbds://127.0.0.1:1001/ "$trust"
refused "another authority" 'TLS.* issuer is unknown; .*ca-cert.pem.*tls-certificates=' nbds://localhost:1005/ "$trust"
refused "an authority that nobody gave" 'TLS.* issuer is unknown; .*tls-certificates=' nbds://localhost:1001/ ro
refused "an expired certificate" 'TLS.* has expired; the server needs a new one' nbds://localhost:1003/ "$trust"
refused "one that is not valid yet" 'TLS.* not valid yet; .*clock' nbds://localhost:1004/ "$trust"
refused "a client without the certificate that is wanted" '.*certificate of yours.*client-cert.pem' nbds://localhost:1006/ "$trust"
refused "a client with a stranger's" '.*certificate of yours.*client-cert.pem' nbds://localhost:1006/ "tls-certificates=$tmp/stranger"
refused "a certificate without its key" "$tmp/half/client-key.pem: No such file" nbds://localhost:1006/ "tls-certificates=$tmp/half"
refused "no such folder" ".*$tmp/nowhere: No such file" nbds://localhost:1001/ "tls-certificates=$tmp/nowhere"
refused "a folder without ca-cert.pem" "$tmp/empty/ca-cert.pem: No such file" nbds://localhost:1001/ "tls-certificates=$tmp/empty"
refused "a wrong key" '.*key for this user\?.*tls-psk-file' nbds://localhost:1007/ "tls-psk-file=$tmp/other.psk,tls-username=alice"
refused "a user whom the server does not know" '.*key for this user\?.*tls-username' nbds://localhost:1007/ "tls-psk-file=$tmp/other.psk,tls-username=bob"
refused "a user without a key" "$tmp/keys.psk: no key for user \"bob\"" nbds://localhost:1007/ "$keys,tls-username=bob"
refused "no such key file" "$tmp/no.psk: No such file" nbds://localhost:1007/ "tls-psk-file=$tmp/no.psk"
refused "certificates where the server wants keys" '.*or keys: tls-psk-file' nbds://localhost:1007/ "$trust"
refused "keys where it wants certificates" 'TLS.*tls-certificates=' nbds://localhost:1001/ "$keys,tls-username=alice"
refused "a server without TLS" '.*STARTTLS.*the server has no TLS' nbds://localhost:1008/ "$trust"
refused "the same with tls=require" '.*STARTTLS.*the server has no TLS' nbd://localhost:1008/ tls=require
refused "a server that wants TLS" '.*TLS.*use nbds' nbd://localhost:1001/ tls=off
run "$nbdmount" -o "all,$trust" nbds://localhost:1003/ "$mnt"
like "all exports: an expired certificate is refused too" "$status $err" "^1 .*has expired"

run mount -t nbd -o tls-verify-peer=false nbds://localhost:1005/ "$mnt"
is "tls-verify-peer=false takes any certificate" "$status" 0
umount "$mnt"

# Keys that only their owner may read, as they should be.
chmod 600 "$tmp/keys.psk"
run as_user nbdmount -o "$keys,tls-username=alice" nbds://localhost:1007/ "$mnt"
like "a key file that may not be read is named" "$status $err" "^1 .*$tmp/keys.psk: Permission denied"

# ---- a server that is away for a while

# A read that has to wait for a connection; it leaves the kernel's cache alone.
read_some() { dd if="$mnt/nbd" of="$tmp/block" bs=4096 skip=512 count=1 iflag=direct status=none; }
is_right() { [ "$(head -c 8 "$tmp/block")" = 'the data' ]; }
logged() { grep -q "$1" "$nbdmount_log"; }
# comes_back NAME PORT ARGS...: in the place of the server that is there.
comes_back() {
    local server=server_$1
    stop "${!server}" KILL
    serve "$@"
}
reads() { # NAME
    rm -f "$tmp/block"
    ok "$1" timeout 20 dd if="$mnt/nbd" of="$tmp/block" bs=4096 skip=512 count=1 iflag=direct status=none
    ok "$1: the right bytes" is_right
}
waits_in_vain() { # NAME REGEX, and $1 in the log
    start reader dd if="$mnt/nbd" of=/dev/null bs=4096 count=1 iflag=direct
    reader=$started_pid
    ok "$1: nobody speaks to it, and the log says why" wait_for logged "$2"
    ok "$1: who reads waits" is_alive "$reader"
}
goes_on() { # NAME
    ok "$1: who waited goes on" wait_for is_gone "$reader"
    stop "$reader"
    is "$1: without an error" "$status" 0
    reads "$1"
}

start_nbdmount -o "$trust" nbds://localhost:1001/ "$mnt"
reads "before"
comes_back right 1001 --tls=require --tls-certificates="$tmp/right" file "$tmp/disk.img"
reads "the same certificate again"
comes_back right 1001 --tls=require --tls-certificates="$tmp/again" file "$tmp/disk.img"
reads "a new one of the same authority"
comes_back right 1001 --tls=require --tls-certificates="$tmp/untrusted" file "$tmp/disk.img"
waits_in_vain "one of another authority" "issuer is unknown"
comes_back right 1001 --tls=off file "$tmp/disk.img"
ok "no TLS any more: it does not go on without" wait_for logged "the server has no TLS"
ok "who reads still waits" is_alive "$reader"
comes_back right 1001 --tls=require --tls-certificates="$tmp/right" file "$tmp/disk.img"
goes_on "the right one is back"
# The authority is another one too: what is in the folder now counts.
cp "$tmp/other/ca-cert.pem" "$tmp/trust"
comes_back right 1001 --tls=require --tls-certificates="$tmp/untrusted" file "$tmp/disk.img"
reads "another authority, here and there"
stop_nbdmount
is "the daemon ends well" "$status" 0

start_nbdmount -o "tls-psk-file=$tmp/keys.psk,tls-username=alice" nbds://localhost:1007/ "$mnt"
is "over TCP there are four connections, however many processors" \
    "$("$nbdmount" --status --json "$mnt" | jq '.exports[0].connections | length')" 4
reads "a key, before"
comes_back psk 1007 --tls=require --tls-psk="$tmp/other.psk" file "$tmp/disk.img"
waits_in_vain "another key" "key for this user"
cp "$tmp/other.psk" "$tmp/keys.psk"
goes_on "the key is changed here too"
stop_nbdmount

start_nbdmount -o "tls=allow,$trust" nbd://localhost:1001/ "$mnt"
reads "tls=allow, and it is encrypted"
comes_back right 1001 --tls=off file "$tmp/disk.img"
run timeout 20 dd if="$mnt/nbd" of=/dev/null bs=4096 count=1 iflag=direct
like "tls=allow: what was encrypted is not read without" "$status $err" "^1 .*Stale file handle"
ok "tls=allow: the log says why" logged "would not be encrypted any more"
comes_back right 1001 --tls=require --tls-certificates="$tmp/untrusted" file "$tmp/disk.img"
ok "tls=allow: with TLS again, it goes on" wait_for read_some
ok "tls=allow: with the right bytes" is_right
stop_nbdmount
done_testing
