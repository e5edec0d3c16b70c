/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* volatile.c - an nbdkit plugin: a disk that forgets
 *
 * What is written lies in memory until a FLUSH, which takes it to the file.  Killed
 * with -9, the server forgets what was not flushed, but for a part that had got to the
 * file early, as with a real disk.
 *
 *     nbdkit ./volatile.so file=IMAGE [early=PERCENT] [block=MINIMUM] [fail=N]
 * [full=FILE] [broken=FILE]
 *
 * fail: each so manieth command that is no flush fails with EIO and changes nothing.
 * full: while that file exists, nothing can be written (ENOSPC) where there is a hole.
 * broken: where that file exists, FLUSH takes it away, fails with EIO, and forgets what
 * it was to take to the other file; as a kernel does whose disk fails.
 */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#define BLOCK        4096
#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static const char *path;
static int early, block = 1, fail;
static const char *full, *broken;
static int fd = -1;
static uint64_t size;
static uint8_t *memory;     /* a private mapping: nothing in it reaches the file */
static atomic_uchar *dirty; /* for each block */
static pthread_rwlock_t lock = PTHREAD_RWLOCK_INITIALIZER; /* flush: for writing */

static int
volatile_config(const char *key, const char *value)
{
    if (strcmp(key, "file") == 0) {
        path = value;
        return 0;
    }
    if (strcmp(key, "early") == 0)
        return nbdkit_parse_int(key, value, &early);
    if (strcmp(key, "block") == 0)
        return nbdkit_parse_int(key, value, &block);
    if (strcmp(key, "fail") == 0)
        return nbdkit_parse_int(key, value, &fail);
    if (strcmp(key, "full") == 0) {
        full = value;
        return 0;
    }
    if (strcmp(key, "broken") == 0) {
        broken = value;
        return 0;
    }
    nbdkit_error("unknown parameter %s", key);
    return -1;
}

static int
volatile_get_ready(void)
{
    struct stat st;

    if (path == NULL || (fd = open(path, O_RDWR | O_CLOEXEC)) == -1 ||
        fstat(fd, &st) == -1) {
        nbdkit_error("file: %m");
        return -1;
    }
    size = (uint64_t)st.st_size;
    memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    dirty = calloc((size + BLOCK - 1) / BLOCK, 1);
    if (memory == MAP_FAILED || dirty == NULL) {
        nbdkit_error("memory: %m");
        return -1;
    }
    return 0;
}

static void *
volatile_open(int readonly)
{
    (void)readonly;
    return &fd;
}

static int64_t
volatile_get_size(void *handle)
{
    (void)handle;
    return (int64_t)size;
}

static int
yes(void *handle)
{
    (void)handle;
    return 1;
}

static int
volatile_block_size(void *handle, uint32_t *minimum, uint32_t *preferred,
                    uint32_t *maximum)
{
    (void)handle;
    *minimum = (uint32_t)block;
    *preferred = 4096;
    *maximum = 65536;
    return 0;
}

static int
to_file(uint64_t off, uint64_t end)
{
    while (off < end) {
        ssize_t n = pwrite(fd, memory + off, end - off, (off_t)off);
        if (n <= 0) {
            nbdkit_error("pwrite: %m");
            return -1;
        }
        off += (uint64_t)n;
    }
    return 0;
}

static int
changed(uint64_t off, uint32_t len)
{
    /* Early ones: whole, or their first half, as a disk without power leaves it. */
    int r = 0;
    static atomic_uint count;
    uint32_t mixed = (atomic_fetch_add(&count, 1) * 2654435761U) >> 8;

    for (uint64_t b = off / BLOCK; b * BLOCK < off + len; b++)
        atomic_store(&dirty[b], 1);
    if ((int)(mixed % 100) < early)
        r = to_file(off, off + (mixed % 2 ? len : len / 2));
    return r;
}

static bool
is_zero(uint64_t off, uint64_t len)
{
    return memory[off] == 0 && memcmp(memory + off, memory + off + 1, len - 1) == 0;
}

/* Whether this command is to fail; then errno is set. */
static bool
must_fail(uint64_t off, uint32_t len, bool writes)
{
    static atomic_uint count;

    if (fail > 0 &&
        atomic_fetch_add(&count, 1) % (unsigned)fail == (unsigned)fail - 1) {
        nbdkit_set_error(EIO);
        return true;
    }
    if (!writes || full == NULL || access(full, F_OK) == -1)
        return false;
    for (uint64_t at = off - off % BLOCK; at < off + len; at += BLOCK)
        if (is_zero(at, size - at < BLOCK ? size - at : BLOCK)) {
            nbdkit_set_error(ENOSPC);
            return true;
        }
    return false;
}

static int
volatile_pread(void *handle, void *buf, uint32_t len, uint64_t off, uint32_t flags)
{
    (void)handle;
    (void)flags;
    if (must_fail(off, len, false))
        return -1;
    pthread_rwlock_rdlock(&lock);
    memcpy(buf, memory + off, len);
    pthread_rwlock_unlock(&lock);
    return 0;
}

static int
volatile_pwrite(void *handle, const void *buf, uint32_t len, uint64_t off,
                uint32_t flags)
{
    (void)handle;
    (void)flags;
    if (must_fail(off, len, true))
        return -1;
    pthread_rwlock_rdlock(&lock);
    memcpy(memory + off, buf, len);
    int r = changed(off, len);
    pthread_rwlock_unlock(&lock);
    return r;
}

static int
volatile_zero(void *handle, uint32_t len, uint64_t off, uint32_t flags)
{
    (void)handle;
    (void)flags;
    if (must_fail(off, len, false))
        return -1;
    pthread_rwlock_rdlock(&lock);
    memset(memory + off, 0, len);
    int r = changed(off, len);
    pthread_rwlock_unlock(&lock);
    return r;
}

/* A block of zeros is a hole. */
static int
volatile_extents(void *handle, uint32_t len, uint64_t off, uint32_t flags,
                 struct nbdkit_extents *extents)
{
    int r = 0;

    (void)handle;
    (void)flags;
    pthread_rwlock_rdlock(&lock);
    for (uint64_t at = off - off % BLOCK; at < off + len && r == 0; at += BLOCK) {
        uint64_t n = size - at < BLOCK ? size - at : BLOCK;
        bool hole = is_zero(at, n);
        r = nbdkit_add_extent(extents, at, n,
                              hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0);
    }
    pthread_rwlock_unlock(&lock);
    return r;
}

/* What is dirty becomes what is in the file. */
static int
forget(void)
{
    for (uint64_t off = 0; off < size; off += BLOCK) {
        size_t len = size - off < BLOCK ? (size_t)(size - off) : BLOCK;
        if (atomic_exchange(&dirty[off / BLOCK], 0) &&
            pread(fd, memory + off, len, (off_t)off) != (ssize_t)len)
            abort();
    }
    nbdkit_set_error(EIO);
    return -1;
}

static int
volatile_flush(void *handle, uint32_t flags)
{
    int r = 0;

    (void)handle;
    (void)flags;
    pthread_rwlock_wrlock(&lock);
    if (broken != NULL && unlink(broken) == 0)
        r = forget();
    for (uint64_t off = 0; off < size && r == 0; off += BLOCK)
        if (atomic_exchange(&dirty[off / BLOCK], 0))
            r = to_file(off, off + BLOCK < size ? off + BLOCK : size);
    pthread_rwlock_unlock(&lock);
    return r;
}

static struct nbdkit_plugin plugin = {
    .name = "volatile",
    .config = volatile_config,
    .get_ready = volatile_get_ready,
    .open = volatile_open,
    .get_size = volatile_get_size,
    .block_size = volatile_block_size,
    .can_write = yes,
    .can_flush = yes,
    .can_trim = yes,
    .can_zero = yes,
    .can_multi_conn = yes,
    .pread = volatile_pread,
    .pwrite = volatile_pwrite,
    .zero = volatile_zero,
    .trim = volatile_zero,
    .flush = volatile_flush,
    .can_extents = yes,
    .extents = volatile_extents,
};

NBDKIT_REGISTER_PLUGIN(plugin)
