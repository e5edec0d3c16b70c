# local.mk - what tests/bench adds to tests/Makefile.am
# Built by "make check" too, so that they cannot rot; the test is of the report alone.
check_PROGRAMS += %D%/driver %D%/map
%C%_driver_SOURCES = %D%/driver.c %D%/driver.h %D%/driver-calibrate.c %D%/driver-run.c \
	%D%/driver-touch.c
%C%_driver_LDADD =
%C%_map_SOURCES = %D%/map.c
%C%_map_LDADD = $(src_all)

TESTS += %D%/test-report.sh
bench_files = \
	%D%/bench.sh \
	%D%/chart.gp \
	%D%/machine.sh \
	%D%/programs.sh \
	%D%/report.pl \
	%D%/rows.sh \
	%D%/rows.tsv \
	%D%/servers.sh
EXTRA_DIST += $(bench_files) %D%/README.md %D%/test-report.sh

# BENCH_... in the environment say what and how: see bench.sh.
bench_programs = %D%/driver %D%/map fuse/sparsefile
run_bench = abs_top_srcdir='$(abs_top_srcdir)' abs_top_builddir='$(abs_top_builddir)' \
	SANITIZER='$(SANITIZER)' $(BASH) $(srcdir)/%D%/bench.sh
.PHONY: bench bench-short
bench: $(bench_programs)
	BENCH_OUT="$${BENCH_OUT:-$(abs_top_builddir)/bench-result}" $(run_bench)
bench-short: $(bench_programs)
	BENCH_SHORT=1 BENCH_OUT="$${BENCH_OUT:-$(abs_top_builddir)/bench-result}" $(run_bench)

clean-local: clean-bench
.PHONY: clean-bench
clean-bench:
	rm -rf $(top_builddir)/bench-result
