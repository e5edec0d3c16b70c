/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-ops.h - what a kind of stream must give to stream.c; for stream*.c only */

#ifndef STREAM_OPS_H
#define STREAM_OPS_H

#include "stream.h"

/* Every member has the contract of the function of stream.h with the same name. */
struct stream_ops {
    ssize_t (*readv)(struct stream *s, const struct iovec *iov, int n, struct error *e);
    ssize_t (*writev)(struct stream *s, const struct iovec *iov, int n,
                      struct error *e);
    bool (*pending)(struct stream *s);
    unsigned (*read_wants)(struct stream *s);
    unsigned (*write_wants)(struct stream *s);
    int (*shutdown_write)(struct stream *s, struct error *e);
    int (*fd)(const struct stream *s);
    void (*free)(struct stream *s);
};

/* Each kind begins with this. */
struct stream {
    const struct stream_ops *ops;
};

#endif /* STREAM_OPS_H */
