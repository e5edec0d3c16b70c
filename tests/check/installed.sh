# SPDX-License-Identifier: LGPL-2.1-or-later
# installed.sh - "make install" into a folder of its own: a program written for libnbd
# compiles and runs against what pkg-config says, nothing hides a distribution's libnbd,
# and "make uninstall" takes everything away
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"

cc=${CC:-gcc}
need_program make pkg-config nm
export -n DESTDIR
unset MAKEFLAGS MFLAGS MAKELEVEL

root=$(new_dir root)
for folder in lib src; do
    ok "make install in $folder" make -C "$abs_top_builddir/$folder" install DESTDIR="$root"
done

for name in mount.nbd mount.fuse.nbdmount; do
    like "mount(8)'s helper $name is a link to nbdmount" \
        "$(readlink "$(find "$root" -name $name -type l)")" "/nbdmount\$"
done

# Where configure wanted it to go, below $root.
setting() { sed -n "s,^$1 = ,,p" "$abs_top_builddir/lib/Makefile" | head -n 1; }
prefix=$(setting prefix)
pc=$(find "$root" -name nbdclient.pc)
isnt "nbdclient.pc is installed" "$pc" ""
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root
libdir=$root$(PKG_CONFIG_SYSROOT_DIR='' pkg-config --variable=libdir nbdclient)
like "pkg-config says where the header is" "$(pkg-config --cflags nbdclient)" \
    "^-I$root$prefix/include/nbdclient *\$"
like "pkg-config says what to link" "$(pkg-config --libs nbdclient)" "-lnbdclient"

compat=
[ ! -e "$abs_top_builddir/lib/libnbd.la" ] || compat=1
[ -n "$compat" ] || is "nothing of libnbd's names is where it would be found first" \
    "$(find "$root" -name 'libnbd.so*' -o -name 'libnbd.pc' -o -path '*/include/libnbd.h')" ""

cat >"$tmp/program.c" <<'C'
#include <stdio.h>
#include <stdlib.h>
#include <libnbd.h>

int
main(int argc, char **argv)
{
    struct nbd_handle *nbd = nbd_create();

    if (nbd == NULL) {
        fprintf(stderr, "%s\n", nbd_get_error());
        exit(EXIT_FAILURE);
    }
    if (argc > 1) {
        if (nbd_connect_uri(nbd, argv[1]) == -1) {
            fprintf(stderr, "%s\n", nbd_get_error());
            exit(EXIT_FAILURE);
        }
        printf("%jd\n", (intmax_t)nbd_get_size(nbd));
    }
    nbd_close(nbd);
    exit(EXIT_SUCCESS);
}
C
sanitizers=$(setting CFLAGS | grep -oE -e '-f(no-)?sanitize[^ ]*|--coverage' | tr '\n' ' ')
ok "a program compiles against it" $cc $sanitizers -o "$tmp/program" "$tmp/program.c" \
    $(pkg-config --cflags --libs nbdclient)
export LD_LIBRARY_PATH=$libdir
ok "and runs" "$tmp/program"
need_nbdkit memory
start_nbdkit memory 1234567
run "$tmp/program" "$uri"
is "and reads the size of an export" "$out$err" 1234567

if [ -n "$compat" ]; then
    ok "a program compiles against the library as libnbd" $cc $sanitizers -o "$tmp/program" \
        "$tmp/program.c" $(pkg-config --cflags --libs libnbd)
    run "$tmp/program" "$uri"
    is "and runs with it" "$out$err" 1234567
    like "it asks for libnbd.so.0" "$(readelf -d "$tmp/program")" 'libnbd\.so\.0'
    is "both libraries show the same symbols" \
        "$(nm -D --defined-only "$libdir/libnbd.so.0" | cut -d' ' -f2-)" \
        "$(nm -D --defined-only "$libdir/libnbdclient.so.0" | cut -d' ' -f2-)"
fi

like "the program nbdmount runs from there" \
    "$("$root$(setting bindir | sed "s,\${exec_prefix},$prefix,;s,\$(exec_prefix),$prefix,;s,\${prefix},$prefix,")/nbdmount" --version 2>&1)" \
    "^nbdmount "
for page in man1/nbdmount.1 man7/nbdmount-recipes.7 man3/nbdclient.3 man3/nbd_aio_pread.3 man3/nbd_aio_block_status.3; do
    ok "the manual page $page is installed" test -s "$root$prefix/share/man/$page"
done

for folder in src lib; do
    ok "make uninstall in $folder" make -C "$abs_top_builddir/$folder" uninstall DESTDIR="$root"
done
is "nothing is left" "$(find "$root" -type f -o -type l)" ""
done_testing
