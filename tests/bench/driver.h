/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* driver.h - what the parts of the benchmark's driver share: see driver.c */

#ifndef BENCH_DRIVER_H
#define BENCH_DRIVER_H

#include <stdint.h>

/* Each is one subcommand; argv[0] is its name.  They print key=value words and return
 * an exit status, or end the program with a message. */
int driver_run(int argc, char **argv);       /* driver-run.c */
int driver_start(int argc, char **argv);     /* driver-run.c */
int driver_listen(int argc, char **argv);    /* driver-run.c */
int driver_calibrate(int argc, char **argv); /* driver-calibrate.c */
int driver_touch(int argc, char **argv);     /* driver-touch.c */

/* The monotonic clock, in seconds. */
double now_s(void);

/* Ends the program with a message and status 2. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A number of bytes; K, M, G and T are powers of 1024. */
int64_t parse_size(const char *text);
/* A number of seconds; 0 is "no limit". */
double parse_seconds(const char *text);

#endif
