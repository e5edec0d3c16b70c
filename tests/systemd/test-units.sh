# SPDX-License-Identifier: LGPL-2.1-or-later
# The unit and the examples are what systemd-analyze calls right.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_program systemd-analyze

source=$abs_top_srcdir/contrib/systemd
units=$(new_dir units)
# What the units run must be there for systemd-analyze; it is not run.
sed "s,@bindir@,$units," "$source/nbdmount@.service.in" >"$units/nbdmount@.service"
cp "$source"/examples/*.service "$source"/examples/*.socket "$source"/examples/*.mount \
    "$source"/examples/*.automount "$units"
printf '#!/bin/sh\n' >"$units/nbdmount"
chmod +x "$units/nbdmount"
sed -i "s,/usr/bin/nbdkit,$units/nbdmount," "$units"/*.service

# verify UNIT: what is said of our units; of others on this machine we know nothing, and
# the pages are not installed.
verify() {
    SYSTEMD_UNIT_PATH=$units: systemd-analyze --man=no verify "$units/$1" 2>&1 |
        grep -E 'nbd|srv-disk' || true
}
mkdir "$units/nbdmount@disk.service.d"
cp "$source/examples/replay.conf" "$units/nbdmount@disk.service.d"
for unit in nbdmount@disk.service nbdkit-disk.service nbdkit-disk.socket srv-disk.mount \
    srv-disk.automount; do
    is "systemd-analyze verify finds nothing in $unit" "$(verify "$unit")" ""
done
echo 'Nonsense=yes' >>"$units/nbdkit-disk.service"
like "it finds what is wrong" "$(verify nbdkit-disk.service)" Nonsense

if systemd-analyze --help | grep -q -- --offline; then
    figure=$(systemd-analyze security --offline=true --no-pager "$units/nbdmount@.service" |
        sed -n 's/.*exposure level for.*: \([0-9]*\)\.\([0-9]\).*/\1\2/p')
    # Times ten.
    told=$(sed -n 's/.*C<systemd-analyze security> of systemd 252 gives it \([0-9]\)\.\([0-9]\),.*/\1\2/p' \
        "$abs_top_srcdir/src/nbdmount@.service.pod")
    at_most "systemd-analyze security gives no more than nbdmount@.service(8) says" "$figure" "${told:-0}"
else
    skip "systemd-analyze security" "this systemd cannot do it offline"
fi

# What would hide the mount from everybody else.
is "nothing gives the unit a mount namespace" \
    "$(grep -cE '^(Protect(System|Home|Proc|Kernel.*|ControlGroups)|Private(Tmp|Devices|Mounts|Users)|ReadOnly.*|TemporaryFileSystem|RootDirectory)=' \
        "$source/nbdmount@.service.in")" 0
for file in "$source"/examples/*; do
    case $file in */README.md) continue ;; esac
    ok "${file##*/} is in the table of README.md" grep -qF "${file##*.}" "$source/README.md"
done
done_testing
