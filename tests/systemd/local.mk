# local.mk - what tests/systemd adds to tests/Makefile.am
TESTS += %D%/test-units.sh
EXTRA_DIST += %D%/README.md %D%/test-units.sh %D%/boot.sh

# As root; SYSTEMD_TREE is a folder with a Debian system, made if it is not given.
# Making it takes longer than a test may.
.PHONY: check-systemd
check-systemd:
	$(MAKE) check TESTS=%D%/boot.sh TEST_TIMEOUT=1800
