# local.mk - what tests/compat adds to tests/Makefile.am
compat_programs = \
	%D%/test-callbacks \
	%D%/test-connect \
	%D%/test-death \
	%D%/test-notes \
	%D%/test-options \
	%D%/test-poll \
	%D%/test-settings \
	%D%/test-states \
	%D%/test-strict \
	%D%/test-threads \
	%D%/test-tls

check_PROGRAMS += $(compat_programs)
%C%_test_callbacks_SOURCES = %D%/test-callbacks.c %D%/compat.h
%C%_test_callbacks_LDADD = $(lib_public)
%C%_test_connect_SOURCES = %D%/test-connect.c %D%/compat.h
%C%_test_connect_LDADD = $(lib_public)
%C%_test_death_SOURCES = %D%/test-death.c %D%/compat.h
%C%_test_death_LDADD = $(lib_public)
%C%_test_notes_SOURCES = %D%/test-notes.c %D%/compat.h
%C%_test_notes_LDADD = $(lib_public) -lpthread
%C%_test_options_SOURCES = %D%/test-options.c %D%/compat.h
%C%_test_options_LDADD = $(lib_public)
%C%_test_poll_SOURCES = %D%/test-poll.c %D%/compat.h
%C%_test_poll_LDADD = $(lib_public)
%C%_test_settings_SOURCES = %D%/test-settings.c %D%/compat.h
%C%_test_settings_LDADD = $(lib_public)
%C%_test_states_SOURCES = %D%/test-states.c %D%/compat.h
%C%_test_states_LDADD = $(lib_public)
%C%_test_strict_SOURCES = %D%/test-strict.c %D%/compat.h
%C%_test_strict_LDADD = $(lib_public)
%C%_test_threads_SOURCES = %D%/test-threads.c %D%/compat.h
%C%_test_threads_LDADD = $(lib_public)
%C%_test_tls_SOURCES = %D%/test-tls.c %D%/compat.h
%C%_test_tls_LDADD = $(lib_public)

# The library under libnbd's name, whatever configure was told: programs of others run
# on it.
check_LTLIBRARIES += %D%/libnbd.la
%C%_libnbd_la_SOURCES =
%C%_libnbd_la_LIBADD = $(lib_all)
%C%_libnbd_la_LDFLAGS = -no-undefined -version-info 0:0:0 -rpath $(abs_builddir) \
	-Wl,--version-script=$(top_srcdir)/lib/nbd.syms

compat_scripts = \
	%D%/test-copy.sh \
	%D%/test-info.sh \
	%D%/test-page.sh \
	%D%/test-tools.sh

TESTS += $(compat_programs) $(compat_scripts)
EXTRA_DIST += $(compat_scripts) %D%/on-libnbd.sh %D%/bench-nbdcopy.sh \
	%D%/bench-nbdcopy.pl %D%/check-testing.sh \
	%D%/nbd_aio_pread.3.txt %D%/README.md

# nbdcopy on this library and on the distribution's: not a test, for it takes minutes.
# And with the servers and programs of Debian testing, in a tree of its own.
.PHONY: bench-lib check-testing
check-testing: %D%/libnbd.la peer/client$(EXEEXT)
	abs_top_srcdir='$(abs_top_srcdir)' abs_top_builddir='$(abs_top_builddir)' \
	SANITIZER='$(SANITIZER)' TESTING_TREE='$(TESTING_TREE)' \
	$(BASH) $(srcdir)/%D%/check-testing.sh

bench-lib: %D%/libnbd.la
	abs_top_builddir='$(abs_top_builddir)' $(BASH) $(srcdir)/%D%/bench-nbdcopy.sh
