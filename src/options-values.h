/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options-values.h - values of options that are not just numbers and words
 *
 * For options-table.c.  Each takes the value that was given; false: *why says what is
 * wrong with it.
 */

#ifndef NBDMOUNT_OPTIONS_VALUES_H
#define NBDMOUNT_OPTIONS_VALUES_H

#include "options.h"

bool option_uid(struct options *options, const char *value, char **why);
bool option_gid(struct options *options, const char *value, char **why);
bool option_mode(struct options *options, const char *value, char **why);
bool option_umask(struct options *options, const char *value, char **why);
bool option_readahead(struct options *options, const char *value, char **why);
bool option_writebehind(struct options *options, const char *value, char **why);
bool option_filename(struct options *options, const char *value, char **why);
bool option_also(struct options *options, const char *value, char **why);
bool option_export(struct options *options, const char *value, char **why);
bool option_verify_peer(struct options *options, const char *value, char **why);
bool option_retry(struct options *options, const char *value, char **why);
bool option_timeout(struct options *options, const char *value, char **why);
bool option_replay(struct options *options, const char *value, char **why);
bool option_setuid(struct options *options, const char *value, char **why);
bool option_io_uring(struct options *options, const char *value, char **why);
bool option_remount(struct options *options, const char *value, char **why);
bool option_clean(struct options *options, const char *value, char **why);

#endif
