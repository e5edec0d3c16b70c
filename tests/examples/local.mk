# local.mk - what tests/examples adds to tests/Makefile.am
example_programs = \
	%D%/connect-read \
	%D%/copy-extents \
	%D%/epoll-loop \
	%D%/list-exports \
	%D%/threads \
	%D%/tls

check_PROGRAMS += $(example_programs)
%C%_connect_read_SOURCES = %D%/connect-read.c
%C%_connect_read_LDADD = $(lib_public)
%C%_copy_extents_SOURCES = %D%/copy-extents.c
%C%_copy_extents_LDADD = $(lib_public)
%C%_epoll_loop_SOURCES = %D%/epoll-loop.c
%C%_epoll_loop_LDADD = $(lib_public)
%C%_list_exports_SOURCES = %D%/list-exports.c
%C%_list_exports_LDADD = $(lib_public)
%C%_threads_SOURCES = %D%/threads.c
%C%_threads_LDADD = $(lib_public)
%C%_tls_SOURCES = %D%/tls.c
%C%_tls_LDADD = $(lib_public)

example_tests = \
	%D%/test-pages.sh \
	%D%/test-page-examples.sh \
	%D%/test-programs.sh

TESTS += $(example_tests)
EXTRA_DIST += $(example_tests) %D%/README.md %D%/extract.pl %D%/pages.pl
