# SPDX-License-Identifier: LGPL-2.1-or-later
# on-libnbd.sh - sourced after tests/lib.sh: programs that were built for libnbd, and
# what makes them take this library for it
#
#     on_ours COMMAND...     on this library
#     on_theirs COMMAND...   on the distribution's
# shellcheck shell=bash

[ "$SANITIZER" = none ] || skip_all "foreign programs do not bear a sanitizer"
need_program nbdinfo nbdcopy

# nbdsh takes the python3 that it finds; the module nbd is the system's.
export PATH=/usr/bin:$PATH
their_path=${LD_LIBRARY_PATH:-}
shared=$(new_dir shared)
cp "$abs_top_builddir/tests/compat/.libs/libnbd.so.0" "$shared/" ||
    bail_out "the test build has made no libnbd.so.0"

on_ours() {
    LD_LIBRARY_PATH=$shared${their_path:+:$their_path} "$@"
}
on_theirs() {
    LD_LIBRARY_PATH=$their_path "$@"
}

# takes_ours FILE: is it this library that a program or plugin gets?
takes_ours() {
    on_ours ldd "$1" | grep -q "libnbd.so.0 => $shared/"
}
