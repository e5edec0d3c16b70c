# SPDX-License-Identifier: LGPL-2.1-or-later
# boot.sh - the units with a real systemd, booted in a container: make check-systemd
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "a container needs root"
[ "$SANITIZER" = none ] || skip_all "the container has no sanitizer's library"
need_program systemd-nspawn nsenter
need "/dev/fuse" test -c /dev/fuse
WAIT_SECONDS=20

tree=${SYSTEMD_TREE:-}
if [ -z "$tree" ]; then
    tree=$abs_top_builddir/systemd-tree
    packages=systemd,systemd-sysv,dbus,fuse3,nbdkit,libgnutls30,liburing2
    [ -e "$tree/.whole" ] || need_program debootstrap apt-get
    debian=$(bash "$abs_top_srcdir/tests/debian-tree.sh" "$tree" same "$packages" 2>&1) ||
        bail_out "$debian"
fi
need "systemd in $tree" test -x "$tree/lib/systemd/systemd"

# ---- a copy of the tree with nbdmount installed in it

root=$tmp/root
cp -a --reflink=auto "$tree" "$root" || bail_out "the tree cannot be copied"
unset MAKEFLAGS MFLAGS MAKELEVEL
ok "make install" make -C "$abs_top_builddir" install DESTDIR="$root"
chroot "$root" /sbin/ldconfig
ok "nbdmount runs there" chroot "$root" "$(cd "$root" && find . -path '*/bin/nbdmount' | head -n 1 | cut -c2-)" --version
examples=$(find "$root" -path '*/examples/systemd' -type d)
units=$root/etc/systemd/system
mkdir -p "$root/etc/nbdmount/tls" "$root/srv/disk" "$root/srv/images" "$root/srv/own" \
    "$root/srv/tls" "$units/nbdmount@disk.service.d" "$units/nbdmount@secure.service.d"
head -c 3M /dev/urandom >"$root/srv/images/disk.img"
truncate -s 64M "$root/srv/images/disk.img"
cp "$examples"/nbdkit-disk.* "$examples"/srv-disk.* "$units"
cp "$examples/disk.conf" "$root/etc/nbdmount"
cp "$examples/nbdmount-disk.conf" "$units/nbdmount@disk.service.d/server.conf"
# Another place than the mount unit's.
sed -i 's,/srv/disk,/srv/own,' "$root/etc/nbdmount/disk.conf"

# TLS: an authority, a server and a client that only systemd's copies of the keys let in.
if command -v certtool >/dev/null; then
    tls=$root/etc/nbdmount/tls
    certificate() { # NAME TEMPLATE-LINE...
        local name=$1
        shift
        certtool --generate-privkey --key-type ed25519 --outfile "$tls/$name-key.pem" &&
            printf '%s\n' "$@" >"$tmp/template" &&
            if [ "$name" = ca ]; then
                certtool --generate-self-signed --load-privkey "$tls/ca-key.pem" \
                    --template "$tmp/template" --outfile "$tls/ca-cert.pem"
            else
                certtool --generate-certificate --load-privkey "$tls/$name-key.pem" \
                    --load-ca-certificate "$tls/ca-cert.pem" --load-ca-privkey "$tls/ca-key.pem" \
                    --template "$tmp/template" --outfile "$tls/$name-cert.pem"
            fi
    }
    certificate ca 'cn=test' ca cert_signing_key >/dev/null 2>&1
    certificate server 'cn=localhost' 'dns_name=localhost' tls_www_server signing_key >/dev/null 2>&1
    certificate client 'cn=client' tls_www_client signing_key >/dev/null 2>&1
    cp "$examples/tls.conf" "$units/nbdmount@secure.service.d"
    cat >"$root/etc/nbdmount/secure.conf" <<'C'
SOURCE=nbds+unix:///?socket=/run/secure.sock&tls-hostname=localhost&tls-certificates=/run/credentials/nbdmount@secure.service
MOUNTPOINT=/srv/tls
C
    cat >"$units/secure.service" <<'C'
[Service]
ExecStart=/usr/bin/nbdkit -f -U /run/secure.sock --tls=require --tls-verify-peer --tls-certificates=/etc/nbdmount/tls memory 5M
C
fi

# ---- the container

devices=(--bind=/dev/fuse)
[ ! -c /dev/autofs ] || devices+=(--bind=/dev/autofs)
start boot systemd-nspawn --quiet --register=no --keep-unit --console=pipe \
    --machine="nbdmount-$$" -D "$root" --boot "${devices[@]}" --capability=CAP_SYS_ADMIN
boot_pid=$started_pid
leader() { leader=$(pgrep -P "$boot_pid" -x systemd); }
wait_for leader || { diag_file "$started_log"; bail_out "no systemd in the container"; }
inside() { nsenter -t "$leader" -m -u -i -n -p -- "$@"; }
sc() { inside systemctl --no-pager "$@"; }
is_up() { case $(sc is-system-running 2>/dev/null) in running | degraded) ;; *) false ;; esac; }
wait_for is_up || { diag_file "$started_log"; bail_out "systemd did not boot"; }
property() { sc show -P "$2" "$1"; }
same() { inside cmp /srv/images/disk.img "$1"; }
mounted() { inside grep -q " $1 fuse.nbdmount " /proc/mounts; }
journal() { inside journalctl --no-pager -q -u "$1"; }

# ---- the service

sc start nbdkit-disk.socket
is "the server does not run before it is needed" "$(property nbdkit-disk.service ActiveState)" inactive
ok "systemctl start" sc start nbdmount@disk
is "returns when it is ready" "$(property nbdmount@disk.service ActiveState)" active
is "the server was started by its socket" "$(property nbdkit-disk.service ActiveState)" active
ok "the mount can be seen outside of the unit" mounted /srv/own
ok "and the file in it is the disk" same /srv/own/disk.img
# 3 is SCHED_BATCH, for which the unit has to let a system call through.
batched() { inside sh -c "sed -E 's/.*\) //' /proc/$(property nbdmount@disk.service MainPID)/task/*/stat" | cut -d ' ' -f 39 | grep -qx 3; }
many_read() {
    inside sh -c 'for i in 1 2 3 4 5 6 7 8; do
        dd if=/srv/own/disk.img of=/dev/null iflag=direct bs=4k count=4000 status=none & done; wait'
    batched
}
ok "with many reads its threads leave the processor to others" wait_for many_read
told() { property nbdmount@disk.service StatusText | grep -qE "$1"; }
ok "systemctl status tells how it goes" wait_for told ' connections to .* read'
diag "$(property nbdmount@disk.service StatusText)"
main=$(property nbdmount@disk.service MainPID)
is "it has no new privileges, and of the capabilities CAP_SYS_ADMIN alone" \
    "$(inside grep -cE '^(NoNewPrivs:.1|CapBnd:.0000000000200000)$' "/proc/$main/status")" 2

ok "systemctl reload" sc reload nbdmount@disk || diag "$(journal nbdmount@disk)"
reloaded() { journal nbdmount@disk | grep -q 'reloaded: new connections'; }
ok "tries a new connection" wait_for reloaded
is "and it stays active" "$(property nbdmount@disk.service ActiveState)" active
is "as the same process" "$(property nbdmount@disk.service MainPID)" "$main"

inside sh -c "kill -KILL $main"
restarted() {
    [ "$(property nbdmount@disk.service NRestarts)" = 1 ] &&
        [ "$(property nbdmount@disk.service ActiveState)" = active ]
}
ok "after a crash it is started again" wait_for restarted
ok "the dead mount is cleared and there is a new one" same /srv/own/disk.img
is "one only" "$(inside grep -c ' /srv/own fuse' /proc/mounts)" 1
ok "systemctl stop" sc stop nbdmount@disk
is "ends it well" "$(property nbdmount@disk.service Result)" success
nok "and nothing is mounted" mounted /srv/own

# A daemon that no longer runs is noticed and replaced.
mkdir -p "$units/nbdmount@disk.service.d"
printf '[Service]\nWatchdogSec=2\n' >"$units/nbdmount@disk.service.d/watchdog.conf"
sc daemon-reload
sc start nbdmount@disk
main=$(property nbdmount@disk.service MainPID)
inside sh -c "kill -STOP $main"
replaced() {
    local now
    now=$(property nbdmount@disk.service MainPID)
    [ "$now" != "$main" ] && [ "$now" != 0 ] &&
        [ "$(property nbdmount@disk.service ActiveState)" = active ]
}
ok "the watchdog replaces a daemon that hangs" wait_for replaced
ok "and the mount works" same /srv/own/disk.img
sc stop nbdmount@disk

printf 'SOURCE=nbd+unix:///?socket=/run/nobody.sock\nMOUNTPOINT=/srv/own\n' \
    >"$root/etc/nbdmount/nobody.conf"
nok "a server that is not there: the start fails" sc start nbdmount@nobody
ok "and the journal says why" bash -c "$(declare -f journal inside); leader=$leader; journal nbdmount@nobody | grep -q 'cannot connect to'"
sc stop nbdmount@nobody
nok "an instance without a file fails" sc start nbdmount@missing

# ---- TLS keys that only the unit has

if [ -e "$units/secure.service" ]; then
    sc start secure
    wait_for inside test -S /run/secure.sock
    ok "with LoadCredential: it mounts" sc start nbdmount@secure ||
        diag "$(journal nbdmount@secure; journal secure)"
    is "over TLS" "$(inside stat -c %s /srv/tls/nbd)" 5242880
    sc stop nbdmount@secure
    sed -i 's/tls-hostname=localhost/tls-hostname=elsewhere/' "$root/etc/nbdmount/secure.conf"
    nok "a server with another name: the start fails" sc start nbdmount@secure
    like "and the journal says why, and what to do" "$(journal nbdmount@secure)" \
        'does not have the name "elsewhere"; .*tls-hostname='
    sc stop nbdmount@secure
else
    skip "with LoadCredential" "certtool makes the certificates"
fi

# ---- mount units

ok "the mount unit mounts" sc start srv-disk.mount
ok "the file in it is the disk" same /srv/disk/nbd
is "findmnt shows where it comes from" "$(inside findmnt -n -o FSTYPE /srv/disk)" fuse.nbdmount
ok "and ends" sc stop srv-disk.mount
if inside test -c /dev/autofs; then
    ok "the automount unit waits" sc start srv-disk.automount
    ok "and mounts when somebody looks" same /srv/disk/nbd
    ok "and ends" sc stop srv-disk.automount srv-disk.mount
else
    skip "the automount unit" "the container has no /dev/autofs"
fi

# ---- the end: the disk is flushed and unmounted when the machine goes down

sc start nbdmount@disk
sc poweroff
ok "the machine goes down" wait_for is_gone "$boot_pid"
done_testing
