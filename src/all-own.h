/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* all-own.h - what all.c and all-fs.c share; nobody else includes it */

#ifndef NBDMOUNT_ALL_OWN_H
#define NBDMOUNT_ALL_OWN_H

#define FUSE_USE_VERSION 314

#include "all.h"
#include "asker.h"
#include "fs.h"

#include <fuse_lowlevel.h>
#include <limits.h>
#include <pthread.h>
#include <sys/stat.h>

struct all;
struct node;

/* A request that waits for the listing, for what an export is like, or for one to be
 * open; resume gets the errno that the waiting ended with, or 0, and answers. */
struct pending {
    struct pending *next;
    fuse_req_t req;
    struct node *node; /* NULL where it waits for the listing */
    void (*resume)(struct all *all, struct pending *pending, int error);
    /* resume where it had to be opened instead; it is held then */
    void (*resume_opened)(struct all *all, struct pending *pending, int error);
    bool lookup; /* an entry is wanted, not its attributes only */
    struct fuse_file_info fi;
    bool has_fi;
    struct stat attr;
    int to_set;
    uint64_t parent;
    char name[NAME_MAX + 1]; /* of an entry, or of an attribute */
    size_t size;             /* room for an attribute */
};

/* A folder or a file; never freed before the end, so that inode numbers last. */
struct node {
    uint64_t ino;
    uint64_t parent;
    struct node *chain; /* of the same hash */
    bool is_file;
    unsigned seen; /* the listing that had it last */
    char *name;
    size_t place; /* among the parent's children */

    /* of a folder: its children, in the order in which they came */
    struct node **children;
    size_t n_children, room;
    size_t looked_at; /* the place of the child that somebody looked at last */
    size_t steps;     /* that went on from one child to the next */
    size_t ahead;     /* up to there it was asked what they are like */

    /* of a file */
    char *export_name;
    char *description;    /* or NULL */
    struct source source; /* its own uri and text, once it was opened */
    struct export *export;
    bool opening, closing;
    unsigned holds; /* open files, and requests being handed over */
    int64_t used_ms;
    struct conn_info info; /* what the server said at info_ms */
    int64_t info_ms;       /* 0: nothing yet */
    bool asking;           /* it is in the queue */
    struct node *ask_next;
    struct pending *for_info, *for_open;
};

#define HASH_SIZE 4096

struct all {
    const struct source *source;
    const struct options *options;
    struct fs *fs;

    pthread_mutex_t
        lock; /* before those of an export; guards all below and all nodes */
    pthread_cond_t changed;
    struct node **nodes; /* nodes[ino - 1]; the first is the root */
    size_t n_nodes, room;
    struct node *hash[HASH_SIZE];
    unsigned listing; /* the number of the last one */
    int64_t listed_ms;
    struct pending *for_list;
    struct node *ask_first, *ask_last;
    unsigned queued;  /* nodes there */
    unsigned helpers; /* threads that ask, beside the one that is always there */
    bool alone;       /* for now nobody is to help it */
    unsigned opening; /* threads */
    bool stopping;
    bool lost;           /* something could not be flushed, and was logged */
    bool told;           /* that listing fails */
    bool tells;          /* the server lists; only who asks for it looks at this */
    unsigned reloads;    /* listings that all_reload has asked for */
    struct figures past; /* of exports that were closed */
    pthread_t thread;
    struct asker first_asker; /* the thread's, once there is one */
    atomic_uint limit;        /* all askers' */
};

/* Under the lock. */
struct node *all_node(struct all *all, uint64_t ino);
struct node *all_find(struct all *all, uint64_t parent, const char *name);
struct node *all_find_kind(struct all *all, uint64_t parent, const char *name,
                           bool is_file); /* also one that is not there any more */
struct node *all_add(struct all *all, uint64_t parent, const char *name, bool is_file);
bool all_is_there(const struct all *all, const struct node *node);
bool all_listing_is_old(const struct all *all);
bool all_knows(const struct node *node);

/* Somebody looks at it: those behind it may be next. */
void all_looked_at(struct all *all, struct node *node);

/* Not under the lock.  all_ask_list: 0, or an errno and *why. */
void all_take_listing(struct all *all, const struct listing *listing);
int all_ask_list(struct all *all, struct asker *asker, char **why);
int all_start_asking(struct all *all); /* an errno, or 0 */
void all_stop_asking(struct all *all);
void all_resume(struct all *all, struct pending *pending, int error);

/* CLOCK_MONOTONIC */
struct timespec all_time_in(long ms);

/* Signals are for the main thread.  An errno, or 0. */
int all_start_thread(pthread_t *thread, void *(*function)(void *), void *argument);

/* Closes what has been idle.  The lock is held, and let go meanwhile. */
void all_close_idle(struct all *all);

/* A file that is open stays so until all_unhold; NULL: it is not open.  This is no use
 * of the file: it is closed no later for that. */
struct export *all_hold(struct all *all, struct node *node);
void all_unhold(struct all *all, struct node *node);

/* The operations in all-xattr.c. */
void all_getxattr(fuse_req_t req, fuse_ino_t ino, const char *name, size_t size);
void all_listxattr(fuse_req_t req, fuse_ino_t ino, size_t size);

/* Memory for a request that is put off; without that it is answered.  NULL: it was. */
struct pending *all_put_off(fuse_req_t req, struct node *node,
                            struct fuse_file_info *fi,
                            void (*resume)(struct all *, struct pending *, int));

/* Put a request off; called without the lock.  They own pending. */
void all_wait_for_list(struct all *all, struct pending *pending);
void all_wait_for_info(struct all *all, struct pending *pending);
void all_wait_for_open(struct all *all, struct pending *pending);

#endif
