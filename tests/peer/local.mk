# local.mk - what tests/peer adds to tests/Makefile.am
#
# Each .peer file is a test: run-cases plays its cases.  The library is seen through its
# public header only, in the shared library.

peer_server_sources = %D%/script.c %D%/script.h %D%/value.c %D%/value.h \
	%D%/play.c %D%/play.h %D%/player.h %D%/play-io.c %D%/play-handshake.c \
	%D%/play-command.c %D%/servers.c %D%/servers.h
peer_client_sources = %D%/client.c %D%/client.h %D%/client-core.h \
	%D%/client-query.c %D%/client-command.c

check_PROGRAMS += %D%/run-cases %D%/peer %D%/client
%C%_run_cases_SOURCES = %D%/run-cases.c $(peer_server_sources) $(peer_client_sources)
%C%_run_cases_CFLAGS = $(AM_CFLAGS) -pthread
%C%_run_cases_LDADD = $(lib_public)
%C%_peer_SOURCES = %D%/peer.c $(peer_server_sources)
%C%_peer_CFLAGS = $(AM_CFLAGS) -pthread
%C%_peer_LDADD =
%C%_client_SOURCES = %D%/client-main.c $(peer_client_sources) \
	%D%/script.h %D%/value.c %D%/value.h
%C%_client_LDADD = $(lib_public)

peer_scripts = \
	%D%/handshake.peer \
	%D%/options.peer \
	%D%/options-new.peer \
	%D%/read.peer \
	%D%/status.peer \
	%D%/extended.peer \
	%D%/security.peer \
	%D%/security-new.peer
PEER_LOG_DRIVER = $(tap_driver)
PEER_LOG_COMPILER = timeout -k 10 $(TEST_TIMEOUT) $(LIBTOOL) --silent --mode=execute \
	$(builddir)/peer/run-cases

TESTS += $(peer_scripts) %D%/test-peer.sh
EXTRA_DIST += $(peer_scripts) %D%/test-peer.sh %D%/README.md
