/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* stream-tls-buffer.c - the two buffers between GnuTLS and the stream below
 *
 * Knows nothing of what is in them.
 */

#include "config.h"

#ifdef HAVE_GNUTLS

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base-cleanup.h"
#include "stream-tls.h"

/* ---- what GnuTLS calls, under session_lock ---- */

static ssize_t
pull(gnutls_transport_ptr_t pointer, void *data, size_t len)
{
    struct stream_tls *s = pointer;
    size_t n = s->in_end - s->in_begin;

    if (n == 0) {
        if (s->in_closed)
            return 0;
        gnutls_transport_set_errno(s->session, EAGAIN);
        return -1;
    }
    if (n > len)
        n = len;
    memcpy(data, s->in + s->in_begin, n);
    s->in_begin += n;
    return (ssize_t)n;
}

static int
pull_timeout(gnutls_transport_ptr_t pointer, unsigned ms)
{
    const struct stream_tls *s = pointer;

    (void)ms; /* nothing here waits */
    return s->in_end > s->in_begin || s->in_closed;
}

static bool
reserve_out(struct stream_tls *s, size_t more)
{
    if (s->out_begin == s->out_end)
        s->out_begin = s->out_end = 0;
    if (more <= s->out_capacity - s->out_end)
        return true;
    memmove(s->out, s->out + s->out_begin, s->out_end - s->out_begin);
    s->out_end -= s->out_begin;
    s->out_begin = 0;
    if (more <= s->out_capacity - s->out_end)
        return true;

    size_t capacity = s->out_end + more + s->out_capacity;
    uint8_t *grown = realloc(s->out, capacity);
    if (!grown)
        return false;
    s->out = grown;
    s->out_capacity = capacity;
    return true;
}

static ssize_t
push(gnutls_transport_ptr_t pointer, const giovec_t *iov, int n)
{
    struct stream_tls *s = pointer;
    size_t total = 0;

    for (int i = 0; i < n; i++)
        total += iov[i].iov_len;
    LOCK_SCOPE(&s->out_lock);
    if (!reserve_out(s, total)) {
        gnutls_transport_set_errno(s->session, ENOMEM);
        return -1;
    }
    for (int i = 0; i < n; i++) {
        if (iov[i].iov_len > 0)
            memcpy(s->out + s->out_end, iov[i].iov_base, iov[i].iov_len);
        s->out_end += iov[i].iov_len;
    }
    return (ssize_t)total;
}

/* ---- moving the buffers ---- */

int
tls_flush(struct stream_tls *s, struct error *e)
{
    LOCK_SCOPE(&s->out_lock);

    while (s->out_begin < s->out_end) {
        struct iovec iov = {.iov_base = s->out + s->out_begin,
                            .iov_len = s->out_end - s->out_begin};
        ssize_t n = stream_writev(s->lower, &iov, 1, e);
        if (n == -1)
            return -1;
        s->out_begin += (size_t)n;
    }
    return 0;
}

int
tls_fill(struct stream_tls *s, struct error *e)
{
    struct iovec iov = {.iov_base = s->in, .iov_len = TLS_IN_SIZE};
    ssize_t n = stream_readv(s->lower, &iov, 1, e);

    if (n == -1) {
        s->in_full = false;
        return -1;
    }
    s->in_begin = 0;
    s->in_end = (size_t)n;
    s->in_full = n == TLS_IN_SIZE;
    s->in_closed = n == 0;
    return 0;
}

int
tls_buffers_init(struct stream_tls *s)
{
    s->in = malloc(TLS_IN_SIZE);
    s->gather = malloc(TLS_RECORD_SIZE);
    s->out_capacity = TLS_BATCH_SIZE + 4096;
    s->out = malloc(s->out_capacity);
    if (!s->in || !s->gather || !s->out) {
        errno = ENOMEM;
        return -1;
    }
    gnutls_transport_set_ptr(s->session, s);
    gnutls_transport_set_pull_function(s->session, pull);
    gnutls_transport_set_pull_timeout_function(s->session, pull_timeout);
    gnutls_transport_set_vec_push_function(s->session, push);
    return 0;
}

void
tls_buffers_clear(struct stream_tls *s)
{
    free(s->in);
    free(s->out);
    /* The only one that has held plain text. */
    if (s->gather)
        explicit_bzero(s->gather, TLS_RECORD_SIZE);
    free(s->gather);
}

#endif /* HAVE_GNUTLS */
