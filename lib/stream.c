/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream.c - hands each call on to the kind of stream that it is for */

#include "stream-ops.h"

ssize_t
stream_readv(struct stream *s, const struct iovec *iov, int n, struct error *e)
{
    return s->ops->readv(s, iov, n, e);
}

ssize_t
stream_writev(struct stream *s, const struct iovec *iov, int n, struct error *e)
{
    return s->ops->writev(s, iov, n, e);
}

bool
stream_pending(struct stream *s)
{
    return s->ops->pending(s);
}

unsigned
stream_read_wants(struct stream *s)
{
    return s->ops->read_wants(s);
}

unsigned
stream_write_wants(struct stream *s)
{
    return s->ops->write_wants(s);
}

int
stream_shutdown_write(struct stream *s, struct error *e)
{
    return s->ops->shutdown_write(s, e);
}

int
stream_fd(const struct stream *s)
{
    return s->ops->fd(s);
}

void
stream_free(struct stream *s)
{
    if (s)
        s->ops->free(s);
}
