# local.mk - what tests/fuse adds to tests/Makefile.am
check_PROGRAMS += %D%/sparsefile %D%/readahead %D%/interrupted-open %D%/crowd \
	%D%/conn-refused %D%/replay-refused %D%/steps %D%/appends %D%/many-processors %D%/denied \
	%D%/overtake %D%/automounter
%C%_sparsefile_SOURCES = %D%/sparsefile.c
%C%_sparsefile_LDADD =
%C%_denied_SOURCES = %D%/denied.c
%C%_denied_LDADD =
%C%_automounter_SOURCES = %D%/automounter.c
%C%_automounter_LDADD =
%C%_overtake_SOURCES = %D%/overtake.c
%C%_overtake_LDADD = -lpthread
%C%_steps_SOURCES = %D%/steps.c
%C%_steps_LDADD =
%C%_appends_SOURCES = %D%/appends.c
%C%_appends_LDADD = -lpthread
%C%_readahead_SOURCES = %D%/readahead.c
%C%_readahead_LDADD = -lpthread
%C%_crowd_SOURCES = %D%/crowd.c
%C%_crowd_LDADD = @NO_SANITIZER@ -lpthread
# Under a sanitizer a thread takes 7 ms to begin; what is examined is the daemon.
%D%/crowd.$(OBJEXT): CFLAGS += @NO_SANITIZER@

%C%_interrupted_open_SOURCES = %D%/interrupted-open.c
%C%_interrupted_open_LDFLAGS = -Wl,--wrap=export_close
%C%_interrupted_open_LDADD = $(src_all) $(FUSE_LIBS) -lpthread
%C%_many_processors_SOURCES = %D%/many-processors.c
%C%_many_processors_LDFLAGS = -Wl,--wrap=processors
%C%_many_processors_LDADD = $(src_all) $(FUSE_LIBS) -lpthread
%C%_conn_refused_SOURCES = %D%/conn-refused.c
%C%_conn_refused_LDADD = $(src_all) -lpthread
%C%_replay_refused_SOURCES = %D%/replay-refused.c
%C%_replay_refused_LDFLAGS = -Wl,--wrap=handshake_same,--wrap=replay_send,--wrap=log_line
%C%_replay_refused_LDADD = $(src_all) -lpthread

fuse_tests = \
	%D%/test-sparse.sh \
	%D%/test-tools.sh \
	%D%/test-filesystem.sh \
	%D%/test-fio.sh \
	%D%/test-readahead.sh %D%/test-overtake.sh \
	%D%/test-sizes.sh \
	%D%/test-grow.sh \
	%D%/test-write.sh %D%/test-behind.sh %D%/test-join.sh %D%/test-writeback.sh %D%/test-io-uring.sh \
	%D%/test-blocksize.sh \
	%D%/test-share.sh \
	%D%/test-batch.sh \
	%D%/test-bundle.sh %D%/test-gather.sh \
	%D%/test-extents.sh \
	%D%/test-lifecycle.sh \
	%D%/test-refused.sh \
	%D%/test-options.sh \
	%D%/test-all.sh %D%/test-list.sh %D%/test-map.sh %D%/test-tls.sh %D%/test-session.sh %D%/test-mount.sh %D%/test-handover.sh %D%/test-automount.sh %D%/test-choice.sh %D%/test-names.sh \
	%D%/test-meta-context.sh \
	%D%/test-command.sh \
	%D%/test-server-dies.sh %D%/test-service.sh %D%/test-status.sh %D%/test-status-all.sh \
	%D%/test-interrupted.sh %D%/test-conn.sh %D%/test-simple.sh \
	%D%/test-reconnect.sh %D%/test-servers.sh %D%/test-network.sh \
	%D%/test-replay-file.sh %D%/test-limits.sh \
	%D%/test-garbage.sh %D%/test-garbage-write.sh
TESTS += $(fuse_tests)
EXTRA_DIST += $(fuse_tests)
EXTRA_DIST += %D%/README.md %D%/machine.sh %D%/check-testing.sh

# In a Debian testing, with a libfuse that is later than Debian 12's.
.PHONY: check-testing-mount
check-testing-mount:
	abs_top_srcdir='$(abs_top_srcdir)' abs_top_builddir='$(abs_top_builddir)' \
	SANITIZER='$(SANITIZER)' MOUNT_TREE='$(MOUNT_TREE)' \
	$(BASH) $(srcdir)/%D%/check-testing.sh
