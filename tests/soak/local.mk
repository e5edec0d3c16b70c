# local.mk - what tests/soak adds to tests/Makefile.am: `make check` runs a minute of it at
# most, `make soak`, `make soak-daemon` and `make soak-fsx` as long as is wanted
check_PROGRAMS += %D%/workers %D%/fsx %D%/faulty
%C%_workers_SOURCES = %D%/workers.c
%C%_workers_LDADD = -lpthread
%C%_faulty_SOURCES = %D%/faulty.c
%C%_faulty_LDADD = -lpthread
%C%_fsx_SOURCES = %D%/fsx.c %D%/fsx-model.c %D%/fsx-model.h
%C%_fsx_LDADD =
TESTS += %D%/soak.sh %D%/soak-daemon.sh %D%/fsx.sh %D%/outage.sh
EXTRA_DIST += %D%/soak.sh %D%/soak-daemon.sh %D%/fsx.sh %D%/outage.sh %D%/servers.sh %D%/rounds.sh \
	%D%/volatile.c %D%/README.md

SOAK_MINUTES = 10
.PHONY: soak
soak: %D%/workers %D%/faulty
	$(AM_TESTS_ENVIRONMENT) SOAK_SECONDS=$$(( $(SOAK_MINUTES) * 60 )); \
		export SOAK_SECONDS; $(BASH) $(srcdir)/%D%/soak.sh

# The same for the daemon: 200 kills.
.PHONY: soak-daemon
soak-daemon: %D%/workers
	$(AM_TESTS_ENVIRONMENT) SOAK_KILLS=$${SOAK_KILLS:-200} \
		SOAK_SECONDS=$${SOAK_SECONDS:-3600} $(BASH) $(srcdir)/%D%/soak-daemon.sh

# A server that is away for ten seconds.
.PHONY: soak-outage
soak-outage:
	$(AM_TESTS_ENVIRONMENT) OUTAGE_SECONDS=$${OUTAGE_SECONDS:-10}; \
		export OUTAGE_SECONDS; $(BASH) $(srcdir)/%D%/outage.sh

# A million operations; FSX_SEED does the same ones again.
.PHONY: soak-fsx
soak-fsx: %D%/fsx
	$(AM_TESTS_ENVIRONMENT) FSX_OPERATIONS=$${FSX_OPERATIONS:-1000000}; \
		export FSX_OPERATIONS; $(BASH) $(srcdir)/%D%/fsx.sh
