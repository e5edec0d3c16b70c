# local.mk - what tests/soak adds to tests/Makefile.am: `make check` runs a minute of it at
# most, `make soak` as long as is wanted
check_PROGRAMS += %D%/workers
%C%_workers_SOURCES = %D%/workers.c
%C%_workers_LDADD = -lpthread
TESTS += %D%/soak.sh
EXTRA_DIST += %D%/soak.sh %D%/volatile.c %D%/README.md

SOAK_MINUTES = 10
.PHONY: soak
soak: %D%/workers
	$(AM_TESTS_ENVIRONMENT) SOAK_KILLS=$${SOAK_KILLS:-1000000} \
		SOAK_SECONDS=$$(( $(SOAK_MINUTES) * 60 )) $(BASH) $(srcdir)/%D%/soak.sh
