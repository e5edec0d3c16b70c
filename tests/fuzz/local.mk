# local.mk - what tests/fuzz adds to tests/Makefile.am
#
# Each target is one file fuzz-NAME.c with LLVMFuzzerTestOneInput, and a folder
# corpus-NAME.  With --enable-fuzzers libFuzzer drives it; otherwise replay.c does, and
# "make check" runs the corpus through it.
fuzz_names = proto uri extent-map client replay-log
fuzz_programs = %D%/fuzz-proto %D%/fuzz-uri %D%/fuzz-extent-map %D%/fuzz-client \
	%D%/fuzz-replay-log
check_PROGRAMS += $(fuzz_programs) %D%/record-client
if FUSE_CUSTOM_IO
fuzz_names += fuse
fuzz_programs += %D%/fuzz-fuse
endif

if FUZZERS
fuzz_main =
else
fuzz_main = %D%/replay.c
endif

%C%_fuzz_proto_SOURCES = %D%/fuzz-proto.c $(fuzz_main)
%C%_fuzz_proto_LDFLAGS = $(FUZZ_LDFLAGS)
%C%_fuzz_uri_SOURCES = %D%/fuzz-uri.c $(fuzz_main)
%C%_fuzz_uri_LDFLAGS = $(FUZZ_LDFLAGS)
%C%_fuzz_extent_map_SOURCES = %D%/fuzz-extent-map.c $(fuzz_main)
%C%_fuzz_extent_map_LDFLAGS = $(FUZZ_LDFLAGS)
%C%_fuzz_extent_map_LDADD = $(src_all)
%C%_fuzz_client_SOURCES = %D%/fuzz-client.c %D%/client-run.c %D%/client-run.h \
	%D%/client-frames.c %D%/client-frames.h $(fuzz_main)
%C%_fuzz_client_LDFLAGS = $(FUZZ_LDFLAGS)
%C%_fuzz_fuse_SOURCES = %D%/fuzz-fuse.c %D%/fuse-server.c %D%/fuse-server.h $(fuzz_main)
%C%_fuzz_fuse_LDFLAGS = $(FUZZ_LDFLAGS)
%C%_fuzz_fuse_LDADD = $(src_all) $(FUSE_LIBS) -lpthread
%C%_fuzz_replay_log_SOURCES = %D%/fuzz-replay-log.c $(fuzz_main)
%C%_fuzz_replay_log_LDFLAGS = $(FUZZ_LDFLAGS)
%C%_fuzz_replay_log_LDADD = $(src_all)
%C%_record_client_SOURCES = %D%/record-client.c %D%/client-run.c %D%/client-run.h

TESTS += %D%/corpus.sh
EXTRA_DIST += %D%/replay.c %D%/corpus.sh %D%/record-client.sh %D%/README.md \
	%D%/corpus-proto %D%/corpus-uri %D%/corpus-extent-map %D%/corpus-client \
	%D%/corpus-fuse %D%/corpus-replay-log

# make fuzz FUZZ_SECONDS=600 [FUZZ_TARGETS="proto uri"]: what it finds is left in the
# build folder.
FUZZ_SECONDS = 60
FUZZ_TARGETS = $(fuzz_names)
.PHONY: fuzz fuzz-targets
fuzz-targets:
	@echo $(fuzz_names)
if FUZZERS
fuzz: $(fuzz_programs)
	@set -e; for target in $(FUZZ_TARGETS); do \
		mkdir -p %D%/new-$$target; \
		echo "fuzz-$$target: $(FUZZ_SECONDS) seconds"; \
		%D%/fuzz-$$target -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 \
			-timeout=40 -rss_limit_mb=1024 -malloc_limit_mb=64 -artifact_prefix=%D%/found-$$target- \
			%D%/new-$$target $(srcdir)/%D%/corpus-$$target; \
	done
else
fuzz:
	@echo "configure with --enable-fuzzers first, or use 'make fuzz' at the top" >&2; exit 1
endif
