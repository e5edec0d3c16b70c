# local.mk - what tests/nbdkit adds to tests/Makefile.am

check_PROGRAMS += %D%/model
%C%_model_SOURCES = %D%/model.c %D%/loops.c %D%/loops.h
%C%_model_LDADD = $(lib_public)

nbdkit_tests = %D%/test-model.sh %D%/test-exports.sh %D%/test-tls.sh
TESTS += $(nbdkit_tests)
EXTRA_DIST += $(nbdkit_tests) %D%/README.md
