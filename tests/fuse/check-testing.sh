# SPDX-License-Identifier: LGPL-2.1-or-later
# check-testing.sh - the mount in a Debian testing: its compiler and libraries, its nbdkit and
# coreutils; and a libfuse of 3.18 or later, which has to be built for io_uring
#
#     make check-testing-mount [MOUNT_TREE=FOLDER] [BENCH_ROUNDS=9]
#
# As root. The tree is one that debootstrap has made, with what $packages says; without
# MOUNT_TREE it is made in the build folder, and kept there for the next time. All of it goes
# on in a mount namespace of the test's own in which the tree is the root, with a tmpfs as its
# /tmp, as Debian has it since 13. Takes ten minutes.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

[ "$(id -u)" -eq 0 ] || skip_all "another root folder needs root"
[ "$SANITIZER" = none ] || skip_all "the tree has no sanitizer's library"
need_program unshare pivot_root make
need_fuse

packages=attr,autoconf,automake,bash,ca-certificates,dpkg-dev,e2fsprogs,fio,fuse3,g++,gcc,\
gnutls-bin,iproute2,jq,libc6-dev,libfuse3-dev,libgnutls28-dev,libnbd-bin,libtool,liburing-dev,\
make,man-db,meson,nbd-server,nbdkit,nbdkit-plugin-dev,netcat-openbsd,ninja-build,\
openssh-server,perl,pkg-config,procps,python3-libnbd,qemu-utils,rsync,strace,xz-utils

tree=${MOUNT_TREE:-}
if [ -z "$tree" ]; then
    tree=$abs_top_builddir/mount-tree
    [ -e "$tree/.whole" ] || need_program debootstrap apt-get
    debian=$(bash "$abs_top_srcdir/tests/debian-tree.sh" "$tree" testing "$packages" 2>&1) ||
        bail_out "$debian"
fi
need "Debian in $tree" test -e "$tree/etc/debian_version"

# in_tree COMMAND...: with the tree as root folder. What it mounts ends with it.
in_tree() {
    unshare --mount --fork --kill-child --propagation private bash -ec '
        mount --bind "$1" "$1"
        cd "$1"
        for folder in dev proc sys; do mount --rbind "/$folder" "$folder"; done
        mount -t tmpfs tmpfs tmp
        mkdir -p run/old
        pivot_root . run/old
        umount -l /run/old
        cd /build
        shift
        exec env -i ${http_proxy:+"http_proxy=$http_proxy"} CI=1 LC_ALL=C.UTF-8 HOME=/build \
            PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@"
    ' in_tree "$tree" "$@"
}

# ---- what the tree is given

mkdir -p "$tree/build"
rm -rf --one-file-system "$tree/build/nbdmount"
ok "make distdir" make -s -C "$abs_top_builddir" distdir distdir=build-testing
chmod -R u+w "$abs_top_builddir/build-testing"
mv "$abs_top_builddir/build-testing" "$tree/build/nbdmount" || bail_out "nothing can be built"
cp -L /etc/resolv.conf "$tree/etc" 2>/dev/null

# Debian leaves enable-custom-io out; then there is no way to io_uring, and nbdmount says so.
custom_libfuse='
    [ ! -e /opt/fuse/.whole ] || exit 0
    grep -q ^deb-src /etc/apt/sources.list ||
        sed -n "s/^deb /deb-src /p" /etc/apt/sources.list >/etc/apt/sources.list.d/source.list
    apt-get -q -o Acquire::Check-Valid-Until=false update
    rm -rf fuse3-*
    apt-get -q -o Acquire::Check-Valid-Until=false source fuse3
    cd fuse3-*/
    meson setup build -Denable-custom-io=true -Dexamples=false -Dtests=false -Dutils=false \
        -Duseroot=false --prefix=/opt/fuse --libdir=lib --buildtype=debugoptimized
    ninja -C build install
    touch /opt/fuse/.whole'
ok "libfuse with enable-custom-io" in_tree sh -ec "$custom_libfuse"
diag "gcc $(in_tree gcc -dumpfullversion), libfuse $(in_tree pkg-config --modversion fuse3)," \
    "$(in_tree nbdkit --version), $(in_tree cp --version | head -n 1), $(uname -sr)"

build='
    folder=$1
    shift
    rm -rf "$folder"
    mkdir "$folder"
    cd "$folder"
    "$@" ../nbdmount/configure --quiet --enable-werror CFLAGS="-O2 -g"
    make -j"$(nproc)"'
ok "it compiles without a warning" in_tree sh -ec "$build" build plain env
ok "with that libfuse too" in_tree sh -ec "$build" build custom env \
    PKG_CONFIG_PATH=/opt/fuse/lib/pkgconfig LDFLAGS=-Wl,-rpath,/opt/fuse/lib

# ---- the tests of the mount there

# passes NAME BUILD TESTS: all do, and none is left out.
passes() {
    run in_tree sh -c 'cd "$1/tests" && make -j"$(nproc)" check TESTS="$2"' tests "$2" "$3"
    diag "$(grep -E '^# [A-Z]*: ' <<<"$out" | tr -d '\n#')"
    is "$1" "$status $(grep -E '^(FAIL|ERROR|SKIP): ' <<<"$out")" "0 "
    like "$1: there are some" "$out" '# PASS: +[1-9]'
}
custom="fuse/test-interrupted.sh fuse/test-io-uring.sh fuse/test-bundle.sh"
all=" $(cd "$abs_top_srcdir/tests" && printf '%s ' fuse/test-*.sh)"
for test in $custom; do
    all=${all/ $test / }
done
passes "the mount's tests pass" plain "$all"
run in_tree sh -c 'cd plain/tests && make check TESTS=fuse/test-io-uring.sh'
like "Debian's libfuse cannot be used for io_uring, which is said" "$out" \
    'SKIP.*libfuse was built without enable-custom-io'
passes "with the other libfuse, io_uring too" custom "$custom fuse/test-join.sh fuse/test-behind.sh"

# ---- what it gives

switch=/sys/module/fuse/parameters/enable_uring
was=$(cat "$switch" 2>/dev/null)
trap 'code=$?; [ -z "$was" ] || echo "$was" >"$switch"; (exit "$code"); cleanup' EXIT
if [ -n "$was" ] && echo Y >"$switch"; then
    run in_tree env BENCH_PROGRAMS='^nbdmount$' BENCH_ROWS='^rand-qd32' \
        BENCH_ROUNDS="${BENCH_ROUNDS:-9}" make -C custom bench
    like "it can be measured" "$status $out" '^0 .*io_uring / without'
    diag "$(sed -n '/^Medians/,$p' <<<"$out")"
else
    skip "it can be measured" "the kernel has no FUSE over io_uring, or does not offer it"
fi
done_testing
