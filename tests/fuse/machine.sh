# SPDX-License-Identifier: LGPL-2.1-or-later
# machine.sh - a machine of the test's own, as "make install" leaves it: in place of lib.sh,
# which it reads, for tests of mount(8)
#
#     . "${abs_top_srcdir:=...}/tests/fuse/machine.sh"
#     as_user COMMAND...        as an ordinary user, nobody
#
# It is a namespace of mounts, with its own /usr/sbin (where mount.nbd is), /etc/fstab (which
# is $tmp/fstab) and /dev/fuse, and one of networks, where nobody else has a port. A test can
# have more of its own by MACHINE_OPTIONS, for unshare(1), and name in MACHINE_PROGRAMS what it
# needs of the usual /usr/sbin.
if [ "$(id -u)" = 0 ] && [ "${1:-}" != inside ] && unshare -mn true 2>/dev/null; then
    exec unshare -mn --propagation private ${MACHINE_OPTIONS:-} "$BASH" "$0" inside
fi
. "$abs_top_srcdir/tests/lib.sh"
[ "$(id -u)" = 0 ] || skip_all "root is needed for a namespace with a /sbin of its own"
[ "${1:-}" = inside ] || skip_all "namespaces cannot be had here"
# What other tests have mounted came along, and here it would last as long as this test does:
# their daemons would wait for that.
umount -i -l -a -t fuse.nbdmount,fuse.nbdfuse 2>/dev/null
need_fuse
need_program ip mount umount findmnt setpriv
ip link set lo up || bail_out "no network of our own"

chmod 755 "$tmp"
mkdir "$tmp/sbin" "$tmp/lib" "$tmp/dev" "$tmp/root"
cp "$abs_top_builddir/src/.libs/nbdmount" "$tmp/lib/"
cp -a "$abs_top_builddir"/lib/.libs/libnbdclient.so* "$tmp/lib/"
for name in mount.nbd mount.fuse.nbdmount nbdmount; do
    printf '#!%s\nLD_LIBRARY_PATH=%s exec -a %s %s "$@"\n' "$BASH" "$tmp/lib" "/sbin/$name" \
        "$tmp/lib/nbdmount" >"$tmp/sbin/$name"
    chmod 755 "$tmp/sbin/$name"
done
cp -a /usr/sbin/mount.fuse3 /usr/sbin/mount.fuse "$tmp/sbin/" 2>/dev/null
for name in setpriv ${MACHINE_PROGRAMS:-}; do
    [ ! -e "/usr/sbin/$name" ] || cp "/usr/sbin/$name" "$tmp/sbin/"
done
mount --bind "$tmp/sbin" "$(realpath /sbin)" || bail_out "no /sbin of our own"
mount -t tmpfs -o dev,mode=755 tmpfs "$tmp/dev" && mknod -m 666 "$tmp/dev/fuse" c 10 229 &&
    mount --bind "$tmp/dev/fuse" /dev/fuse || bail_out "no /dev/fuse of our own"
: >"$tmp/fstab"
mount --bind "$tmp/fstab" /etc/fstab || bail_out "no /etc/fstab of our own"
PATH=$PATH:/sbin

as_user() { setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all env HOME="$tmp" "$@"; }
