# local.mk - what tests/unit adds to tests/Makefile.am

# URIs, connecting, streams.
unit_connect_tests = %D%/test-uri %D%/test-connect %D%/test-subprocess \
	%D%/test-stream %D%/test-tls-handshake %D%/test-tls-stream %D%/test-tls-end
check_PROGRAMS += $(unit_connect_tests)
TESTS += $(unit_connect_tests)
unit_tls = %D%/tls-server.h %D%/tls-pair.h
if HAVE_GNUTLS
unit_tls += %D%/tls-server.c %D%/tls-pair.c
endif
%C%_test_tls_handshake_SOURCES = %D%/test-tls-handshake.c $(unit_tls)
%C%_test_tls_handshake_LDADD = $(LDADD) $(GNUTLS_LIBS)
%C%_test_tls_stream_SOURCES = %D%/test-tls-stream.c $(unit_tls)
%C%_test_tls_stream_LDADD = $(LDADD) $(GNUTLS_LIBS)
%C%_test_tls_end_SOURCES = %D%/test-tls-end.c $(unit_tls)
%C%_test_tls_end_LDADD = $(LDADD) $(GNUTLS_LIBS)

# The wire's numbers and the protocol engine.
unit_proto_tests = %D%/test-wire %D%/test-proto %D%/test-proto-matrix %D%/test-proto-sessions
check_PROGRAMS += $(unit_proto_tests)
TESTS += $(unit_proto_tests)
noinst_HEADERS += %D%/proto-server.h %D%/proto-session.h %D%/proto-sessions.h \
	%D%/proto-lies.h %D%/proto-options.h %D%/proto-table.h

# What is not libnbd's.
check_PROGRAMS += %D%/test-hold
TESTS += %D%/test-hold
%C%_test_hold_SOURCES = %D%/test-hold.c
%C%_test_hold_LDADD = $(lib_public) -lpthread

# The library's calls of these go through the test.
if !SANITIZED
check_PROGRAMS += %D%/test-no-memory
TESTS += %D%/test-no-memory
endif
%C%_test_no_memory_SOURCES = %D%/test-no-memory.c
%C%_test_no_memory_LDFLAGS = -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc \
	-Wl,--wrap=reallocarray,--wrap=free,--wrap=strdup,--wrap=strndup \
	-Wl,--wrap=vasprintf,--wrap=asprintf

# The daemon's parts that need no mount; the tests of src/.
unit_daemon_tests = %D%/test-extent-map %D%/test-export-path %D%/test-options %D%/test-ordering \
	%D%/test-prefetch-window %D%/test-json %D%/test-latency %D%/test-log \
	%D%/test-quota %D%/test-replay-format %D%/test-replay-log %D%/test-map-picture \
	%D%/test-batch %D%/test-bundle %D%/test-spin %D%/test-buffer %D%/test-received %D%/test-behind \
	%D%/test-pool-submit %D%/test-gather %D%/test-ask %D%/test-mountinfo
check_PROGRAMS += $(unit_daemon_tests)
TESTS += $(unit_daemon_tests)
%C%_test_extent_map_LDADD = $(src_all)
%C%_test_options_LDADD = $(src_all)
%C%_test_export_path_LDADD = $(src_all)
%C%_test_ordering_LDADD = $(src_all)
%C%_test_json_LDADD = $(src_all)
%C%_test_map_picture_LDADD = $(src_all)
%C%_test_latency_LDADD = $(src_all)
%C%_test_log_LDADD = $(src_all)
%C%_test_prefetch_window_LDADD = $(src_all)
%C%_test_quota_LDADD = $(src_all)
%C%_test_replay_format_LDADD = $(src_all)
%C%_test_replay_log_LDADD = $(src_all)
%C%_test_batch_LDADD = $(src_all) -lpthread
%C%_test_bundle_LDADD = $(src_all) $(URING_LIBS) -lpthread
%C%_test_bundle_LDFLAGS = -Wl,--wrap=io_uring_submit_and_wait
%C%_test_pool_submit_LDADD = $(src_all) -lpthread
%C%_test_pool_submit_LDFLAGS = -Wl,--wrap=conn_is_live,--wrap=conn_is_simple,--wrap=conn_in_flight \
	-Wl,--wrap=conn_pace,--wrap=conn_submit,--wrap=conn_clock_ms
%C%_test_gather_LDADD = $(src_all) -lpthread
%C%_test_gather_LDFLAGS = -Wl,--wrap=conn_hand_over
%C%_test_ask_LDADD = $(src_all) -lpthread
%C%_test_mountinfo_LDADD = $(src_all)
%C%_test_mountinfo_LDFLAGS = -Wl,--wrap=fopen,--wrap=fopen64
%C%_test_spin_LDADD = $(src_all)
%C%_test_behind_LDADD = $(src_all) -lpthread
%C%_test_buffer_LDADD = $(src_all) -lpthread
%C%_test_received_LDADD = $(src_all) -lpthread
%C%_test_replay_log_SOURCES = %D%/test-replay-log.c
noinst_HEADERS += %D%/replay-image.h %D%/resident.h
EXTRA_DIST += %D%/README.md
