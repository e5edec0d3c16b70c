# SPDX-License-Identifier: LGPL-2.1-or-later
# An open file that nobody has any more keeps no export open.
. "${abs_top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}/tests/lib.sh"
need_nbdkit memory

start_nbdkit memory 1M
cases_of "the program" "$abs_top_builddir/tests/fuse/interrupted-open" "$sock"
done_testing
