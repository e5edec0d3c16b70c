/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* test-strict.c - what is refused before it is sent, by which strict mode, and what the
 * server says where that mode is off */

#include "compat.h"

static char *buf;
#define BUF_SIZE (65 << 20)

static int
on_extent(void *user, const char *context, uint64_t offset, uint32_t *entries, size_t n,
          int *error)
{
    (void)user, (void)context, (void)offset, (void)entries, (void)n, (void)error;
    return 0;
}

static void
refused(int result, int want, const char *function, const char *name)
{
    is_int(result, -1, "%s is refused", name);
    is_int(nbd_get_errno(), want, "%s: the errno", name);
    ok(is_error_of(function), "%s: the message names the function", name);
}

static void
without(struct nbd_handle *h, uint32_t flag)
{
    nbd_set_strict_mode(h, LIBNBD_STRICT_MASK & ~flag);
}

static void
sizes(void)
{
    struct nbd_handle *h =
        connected(ARGV("nbdkit", "-s", "--exit-with-parent", "memory", "1G"));

    refused(nbd_pread(h, buf, 0, 0, 0), EINVAL, "nbd_pread", "a read of nothing");
    refused(nbd_pread(h, buf, (64 << 20) + 1, 0, 0), ERANGE, "nbd_pread",
            "a read of more than 64 MiB");
    refused(nbd_pwrite(h, buf, (32 << 20) + 1, 0, 0), ERANGE, "nbd_pwrite",
            "a write of more than the server takes");
    is_int(nbd_get_block_size(h, LIBNBD_SIZE_PAYLOAD), 32 << 20,
           "which is 32 MiB where the server does not say");
    without(h, LIBNBD_STRICT_PAYLOAD);
    refused(nbd_pwrite(h, buf, (64 << 20) + 1, 0, 0), ERANGE, "nbd_pwrite",
            "a write of more than 64 MiB in any mode");
    is_int(nbd_pread(h, buf, 32 << 20, 0, 0), 0, "a read of 32 MiB works");
    nbd_close(h);
}

static void
bounds(void)
{
    struct nbd_handle *h = connected(MEMORY);

    refused(nbd_pread(h, buf, 512, EXPORT_SIZE - 511, 0), EINVAL, "nbd_pread",
            "a read past the end");
    refused(nbd_pread(h, buf, 512, UINT64_MAX, 0), EINVAL, "nbd_pread",
            "a read whose end wraps");
    refused(nbd_pwrite(h, buf, 512, EXPORT_SIZE, 0), ENOSPC, "nbd_pwrite",
            "a write past the end");
    refused(nbd_zero(h, 512, EXPORT_SIZE, 0), ENOSPC, "nbd_zero",
            "zeroing past the end");
    refused(nbd_cache(h, 512, EXPORT_SIZE, 0), EINVAL, "nbd_cache",
            "caching past the end");
    refused(nbd_trim(h, UINT64_C(1) << 33, 0, 0), ENOSPC, "nbd_trim",
            "trimming more than there is");
    without(h, LIBNBD_STRICT_BOUNDS);
    is_int(nbd_pread(h, buf, 512, EXPORT_SIZE, 0), -1,
           "without the mode the server refuses it");
    ok(nbd_get_errno() == EINVAL && nbd_aio_is_ready(h), "and the handle lives on");
    refused(nbd_zero(h, UINT64_C(1) << 33, 0, 0), ERANGE, "nbd_zero",
            "a length that the header cannot say");
    nbd_close(h);
}

static void
flags(void)
{
    struct nbd_handle *h = connected(MEMORY);

    refused(nbd_pread(h, buf, 512, 0, LIBNBD_CMD_FLAG_DF), EINVAL, "nbd_pread",
            "a read with DF");
    refused(nbd_pread(h, buf, 512, 0, 0x10000), EINVAL, "nbd_pread",
            "a flag beyond 16 bits");
    refused(nbd_pwrite(h, buf, 512, 0, 0x80), EINVAL, "nbd_pwrite", "an unknown flag");
    refused(nbd_flush(h, LIBNBD_CMD_FLAG_FUA), EINVAL, "nbd_flush", "a flush with FUA");
    is_int(nbd_pwrite(h, buf, 512, 0, LIBNBD_CMD_FLAG_FUA), 0,
           "a write with FUA works");
    is_int(nbd_pwrite(h, buf, 512, 0, LIBNBD_CMD_FLAG_PAYLOAD_LEN), 0,
           "PAYLOAD_LEN is the library's own affair");
    is_int(nbd_zero(h, 512, 0, LIBNBD_CMD_FLAG_NO_HOLE), 0,
           "zeroing without a hole works");
    without(h, LIBNBD_STRICT_FLAGS);
    refused(nbd_pread(h, buf, 512, 0, 0x10000), EINVAL, "nbd_pread",
            "a flag beyond 16 bits without the mode");
    is_int(nbd_pread(h, buf, 512, 0, 0x80), -1, "an unknown flag goes to the server");
    is_int(nbd_get_errno(), EINVAL, "which refuses it");
    is_int(nbd_pread(h, buf, 512, 0, 0), 0, "and the handle lives on");
    nbd_close(h);
}

static void
commands(void)
{
    struct nbd_handle *h = connected(READ_ONLY);

    refused(nbd_pwrite(h, buf, 512, 0, 0), EPERM, "nbd_pwrite",
            "a write to a read-only export");
    refused(nbd_trim(h, 512, 0, 0), EINVAL, "nbd_trim", "a trim that is not supported");
    refused(nbd_zero(h, 512, 0, 0), EINVAL, "nbd_zero",
            "a zeroing that is not supported");
    refused(
        nbd_block_status(h, 512, 0, (nbd_extent_callback){.callback = on_extent}, 0),
        ENOTSUP, "nbd_block_status", "block status without a context");
    without(h, LIBNBD_STRICT_COMMANDS);
    is_int(nbd_pwrite(h, buf, 512, 0, 0), -1, "without the mode the server refuses");
    is_int(nbd_get_errno(), EPERM, "with its own error");
    is_int(nbd_pread(h, buf, 512, 0, 0), 0, "and the handle lives on");
    nbd_close(h);
}

static void
alignment(void)
{
    struct nbd_handle *h =
        connected(ARGV("nbdkit", "-s", "--exit-with-parent", "memory", "1049088",
                       "--filter=blocksize-policy", "blocksize-minimum=4096",
                       "blocksize-preferred=4096", "blocksize-maximum=2M"));

    is_int(nbd_get_block_size(h, LIBNBD_SIZE_MINIMUM), 4096, "the minimum is known");
    is_int(nbd_get_block_size(h, LIBNBD_SIZE_MAXIMUM), 2 << 20, "the maximum is known");
    is_int(nbd_get_block_size(h, LIBNBD_SIZE_PAYLOAD), 2 << 20, "and is kept");
    refused(nbd_pread(h, buf, 512, 0, 0), EINVAL, "nbd_pread", "an unaligned length");
    refused(nbd_pread(h, buf, 4096, 512, 0), EINVAL, "nbd_pread",
            "an unaligned offset");
    is_int(nbd_pread(h, buf, 4096, 4096, 0), 0, "an aligned read works");
    is_int(nbd_pread(h, buf, 512, EXPORT_SIZE, 0), 0, "so does one to the ragged end");
    without(h, LIBNBD_STRICT_ALIGN);
    is_int(nbd_pread(h, buf, 512, 512, 0), 0, "without the mode the server decides");
    nbd_close(h);
}

static void
clearing(void)
{
    struct nbd_handle *h = connected(MEMORY);

    memset(buf, 'x', 512);
    nbd_pread(h, buf, 512, EXPORT_SIZE, 0);
    ok(memchr(buf, 'x', 512) == NULL, "the buffer of a refused read is cleared");
    memset(buf, 'x', 512);
    nbd_aio_pread(h, buf, 512, EXPORT_SIZE, NBD_NULL_COMPLETION, 0);
    ok(memchr(buf, 'x', 512) == NULL, "asynchronous too");
    nbd_set_pread_initialize(h, false);
    memset(buf, 'x', 512);
    nbd_pread(h, buf, 512, EXPORT_SIZE, 0);
    ok(buf[0] == 'x', "but not where the caller asked to leave it");
    nbd_close(h);
}

int
main(void)
{
    struct nbd_handle *h = new_handle();

    buf = calloc(1, BUF_SIZE);
    is_int(nbd_get_strict_mode(h), LIBNBD_STRICT_MASK, "all modes are on");
    refused(nbd_set_strict_mode(h, 0x80), EINVAL, "nbd_set_strict_mode",
            "an unknown mode");
    nbd_close(h);
    sizes();
    bounds();
    flags();
    commands();
    alignment();
    clearing();
    free(buf);
    done_testing();
}
