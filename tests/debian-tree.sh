#!/bin/bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# debian-tree.sh - a folder with a Debian in it, for tests of another system than this one
#
#     debian-tree.sh FOLDER testing|same PACKAGES
#
# Made by debootstrap, as root, from the mirror that apt uses here; "same" is the release
# that apt uses here. PACKAGES are separated by commas. A folder that is there and whole,
# with the same packages, stays as it is; else it is made anew, and whatever was in it is
# gone. What debootstrap says is in FOLDER.log, its last lines on stderr if it fails.
set -u
[ $# -eq 3 ] || { sed -n '3,5s/^# *//p' "$0" >&2; exit 2; }
tree=$1 suite=$2 packages=$3 script=()

[ "$(cat "$tree/.whole" 2>/dev/null)" != "$packages" ] || exit 0
for program in debootstrap apt-get; do
    command -v "$program" >/dev/null || { echo "debian-tree.sh: $program is missing" >&2; exit 1; }
done
# Not that of an update or of security: their names have a dash in it.
read -r mirror same < <(apt-get indextargets --format '$(SITE) $(CODENAME)' \
    'Identifier: Packages' | grep -v -- - | head -n 1)
[ -n "$mirror" ] || { echo "debian-tree.sh: apt has no mirror" >&2; exit 1; }
case $suite in
same) suite=$same ;;
testing) script=(/usr/share/debootstrap/scripts/sid) ;; # an old debootstrap does not know it
esac
# An interrupted debootstrap leaves these.
umount "$tree/proc" "$tree/sys" 2>/dev/null
rm -rf --one-file-system "$tree" || exit 1
debootstrap --variant=minbase --include="$packages" "$suite" "$tree" "$mirror" \
    "${script[@]}" >"$tree.log" 2>&1 ||
    { echo "debian-tree.sh: debootstrap failed, and said in $tree.log:" >&2
      tail -n 5 "$tree.log" >&2; exit 1; }
echo "$packages" >"$tree/.whole"
