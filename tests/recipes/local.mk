# local.mk - what tests/recipes adds to tests/Makefile.am
TESTS += %D%/test-recipes.sh
EXTRA_DIST += %D%/README.md %D%/test-recipes.sh %D%/blocks.awk
