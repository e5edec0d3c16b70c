# SPDX-License-Identifier: LGPL-2.1-or-later
# A connection is given up for what happened to it, not for what was before it, unless
# somebody waits until it is.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_nbdkit memory

start_nbdkit memory 1M
cases_of "the program" "$abs_top_builddir/tests/fuse/conn-refused" "$sock"
cases_of "the other one" "$abs_top_builddir/tests/fuse/replay-refused" "$sock"
done_testing
