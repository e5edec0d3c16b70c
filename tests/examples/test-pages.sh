# SPDX-License-Identifier: LGPL-2.1-or-later
# test-pages.sh - the manual pages of the library name the same functions, with the same
# prototypes, as its header
exec perl "$abs_top_srcdir/tests/examples/pages.pl" "$abs_top_srcdir/lib"
