# local.mk - what tests/check adds to tests/Makefile.am
check_scripts = \
	%D%/completion.sh \
	%D%/format.sh \
	%D%/headers.sh \
	%D%/installed.sh \
	%D%/layers.sh \
	%D%/pages.sh \
	%D%/symbols.sh \
	%D%/tap.sh \
	%D%/tree.sh
TESTS += $(check_scripts)
EXTRA_DIST += $(check_scripts) %D%/README.md %D%/api.tsv %D%/constants.tsv
