/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client-core.h - what the parts of the client share */
#ifndef PEER_CLIENT_CORE_H
#define PEER_CLIENT_CORE_H

#include "client.h"
#include "value.h"

#include <libnbd.h>

#define DEADLINE_MS 15000
#define MAX_GROUP   4096

struct command {
    const char *name;
    uint64_t offset, count;
    uint32_t flags;
    uint8_t *buf;
    char **contexts; /* of status-filter */
    int64_t cookie;  /* 0: refused, or not asynchronous */
    char *lines;     /* from its callbacks */
    size_t lines_len;
    FILE *callback_out;
    int completed, freed, callback_error;
};

struct client {
    struct nbd_handle *nbd;
    bool async;
    bool grouped; /* between begin and finish */
    FILE *out;
    const struct client_env *env;
    struct command *group[MAX_GROUP];
    size_t nr_group;
    struct vars vars; /* none; for messages */
};

/* "NAME: error ERRNO text" of the last call. */
void print_error(struct client *c, const char *name);
/* prints "NAME: ok", or the error where r is -1 */
void print_result(struct client *c, const char *name, int64_t r);
const char *errno_text(int number);
/* Makes the handle progress once; -1: failed, or it hung (then it ends the program) */
int step(struct client *c);
/* words[i] as text, for the caller to free; "" where there is none */
char *text_arg(struct client *c, char *const *words, size_t nr, size_t i);
uint64_t number_arg(struct client *c, char *const *words, size_t nr, size_t i);

/* The groups of operations; false: no such one.  */
bool client_setting(struct client *c, char *const *words, size_t nr);
bool client_query(struct client *c, char *const *words, size_t nr);
bool client_option(struct client *c, char *const *words, size_t nr);
bool client_command(struct client *c, char *const *words, size_t nr);
void finish_group(struct client *c);

#endif /* PEER_CLIENT_CORE_H */
