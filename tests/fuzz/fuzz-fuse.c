/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* fuzz-fuse.c - the daemon against any requests of the kernel
 *
 * Of one export, or of all that the server has.  The input is settings, and then
 * messages as they come from /dev/fuse: any operation, inode, flag, offset and length.
 * What the kernel guarantees is kept to: a message has its length, a handle is one that
 * the daemon gave and not yet released, no read is larger than was negotiated.  Each
 * request is answered once, a read gives what the server's disk has, nothing is left
 * over, and there is an end.
 */

#define FUSE_USE_VERSION 314

#include "fuse-server.h"

#include "all.h"
#include "choose.h"
#include "fs.h"
#include "options.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <linux/fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#define REQUESTS_MAX 64
#define HANDLES_MAX  8
#define TRANSFER_MAX (1 << 20)
#define ANSWER_S     20
#define FILE_INODE   (FUSE_ROOT_ID + 1)
#define NODES_MAX    8

#define PROMISE(condition)                                                             \
    do {                                                                               \
        if (!(condition)) {                                                            \
            dprintf(2, "%s:%d: broken promise: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                   \
        }                                                                              \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct asked {
    uint32_t opcode, size;
    bool check;   /* nothing else is under way */
    uint64_t off; /* of a read */
    unsigned answers;
    int error;
    uint64_t node;
    uint64_t got; /* the handle of an open, the inode of a lookup */
};

struct handle {
    uint64_t handle, node;
};

/* What the kernel knows. */
struct kernel {
    struct fuse_session *session;
    struct fuse_buf buf;
    const void *message; /* to be read next */
    size_t message_len;

    pthread_mutex_t lock; /* all below: answers come from several threads */
    pthread_cond_t answered;
    struct asked asked[REQUESTS_MAX]; /* the unique number is the index, and 1 */
    unsigned n, waits_for;
    struct handle handle[HANDLES_MAX];
    unsigned handles;
    uint64_t node[NODES_MAX]; /* that it may ask about */
    unsigned nodes;
    unsigned interrupts;
    bool all;
    uint64_t size;
};

static struct kernel *kernel; /* of the input */

static bool
is_answered(uint32_t opcode)
{
    return opcode != FUSE_FORGET && opcode != FUSE_BATCH_FORGET &&
           opcode != FUSE_INTERRUPT;
}

/* ---- libfuse's reading and writing */

static ssize_t
on_read(int fd, void *buf, size_t len, void *userdata)
{
    (void)fd;
    (void)userdata;
    PROMISE(kernel->message_len <= len);
    memcpy(buf, kernel->message, kernel->message_len);
    return (ssize_t)kernel->message_len;
}

static void
check_read(const struct asked *asked, const struct iovec *iov, int count, size_t len)
{
    uint64_t off = asked->off;
    uint64_t most = off < kernel->size ? kernel->size - off : 0;

    PROMISE(len == (asked->size < most ? asked->size : most));
    for (int i = 1; i < count && asked->check && !kernel->all; i++) {
        PROMISE(server_has(off, iov[i].iov_base, iov[i].iov_len));
        off += iov[i].iov_len;
    }
}

static ssize_t
on_write(int fd, struct iovec *iov, int count, void *userdata)
{
    const struct fuse_out_header *out = iov[0].iov_base;
    size_t len = 0;

    (void)fd;
    (void)userdata;
    for (int i = 0; i < count; i++)
        len += iov[i].iov_len;
    PROMISE(iov[0].iov_len == sizeof *out && out->len == len);
    PROMISE(out->error <= 0 && out->error > -1000);
    PROMISE(out->error == 0 || len == sizeof *out);
    PROMISE(out->unique > 0);
    pthread_mutex_lock(&kernel->lock);
    PROMISE(out->unique <= kernel->n);
    struct asked *asked = &kernel->asked[out->unique - 1];
    PROMISE(asked->answers++ == 0);
    PROMISE(asked->opcode != FUSE_FORGET && asked->opcode != FUSE_BATCH_FORGET);
    asked->error = out->error;
    len -= sizeof *out;
    if (out->error == 0 && asked->opcode == FUSE_READ)
        check_read(asked, iov, count, len);
    if (asked->opcode == FUSE_READDIR)
        PROMISE(len <= asked->size);
    if (out->error == 0 && asked->opcode == FUSE_OPEN) {
        PROMISE(len == sizeof(struct fuse_open_out));
        memcpy(&asked->got, iov[1].iov_base, sizeof asked->got);
    }
    if (out->error == 0 && asked->opcode == FUSE_LOOKUP) {
        PROMISE(len == sizeof(struct fuse_entry_out));
        memcpy(&asked->got, iov[1].iov_base, sizeof asked->got);
    }
    if (is_answered(asked->opcode))
        kernel->waits_for--;
    pthread_cond_signal(&kernel->answered);
    pthread_mutex_unlock(&kernel->lock);
    return (ssize_t)(len + sizeof *out);
}

static void
wait_for_all(void)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += ANSWER_S;
    pthread_mutex_lock(&kernel->lock);
    while (kernel->waits_for > 0)
        PROMISE(pthread_cond_timedwait(&kernel->answered, &kernel->lock, &end) == 0);
    pthread_mutex_unlock(&kernel->lock);
}

/* ---- requests */

struct message {
    struct fuse_in_header header;
    uint8_t body[256 + 65536];
};

/* alone: nothing else is under way, nor will be before the answer. */
static void
ask(struct message *m, size_t body_len, bool alone)
{
    pthread_mutex_lock(&kernel->lock);
    struct asked *asked = &kernel->asked[kernel->n++];
    m->header.unique = kernel->n;
    m->header.len = (uint32_t)(sizeof m->header + body_len);
    m->header.pid = (uint32_t)getpid();
    asked->opcode = m->header.opcode;
    asked->node = m->header.nodeid;
    if (asked->opcode == FUSE_READ || asked->opcode == FUSE_READDIR) {
        const struct fuse_read_in *in = (void *)m->body;
        asked->check = alone;
        asked->off = in->offset;
        asked->size = in->size;
    }
    kernel->waits_for += is_answered(asked->opcode);
    kernel->message = m;
    kernel->message_len = m->header.len;
    pthread_mutex_unlock(&kernel->lock);
    PROMISE(fuse_session_receive_buf(kernel->session, &kernel->buf) ==
            (int)kernel->message_len);
    fuse_session_process_buf(kernel->session, &kernel->buf);
    if (alone)
        wait_for_all();
}

/* Where in the body the handle is; -1: there is none. */
static int
handle_place(uint32_t opcode)
{
    switch (opcode) {
    case FUSE_READ:
    case FUSE_WRITE:
    case FUSE_RELEASE:
    case FUSE_FSYNC:
    case FUSE_FLUSH:
    case FUSE_FALLOCATE:
    case FUSE_LSEEK:
        return 0;
    case FUSE_GETATTR:
    case FUSE_SETATTR:
        return 8;
    default:
        return -1;
    }
}

/* Offsets and lengths that mean something, in place of any. */
static void
make_small(struct message *m)
{
    uint64_t *word = (uint64_t *)(void *)m->body;

    switch (m->header.opcode) {
    case FUSE_FALLOCATE:
        word[1] %= DISK_MAX + 8192;
        word[2] %= 2 * DISK_MAX;
        break;
    case FUSE_READ:
    case FUSE_WRITE:
    case FUSE_LSEEK:
        word[1] %= DISK_MAX + 8192;
        break;
    case FUSE_SETATTR:
        word[2] %= DISK_MAX + 8192;
        break;
    }
}

static size_t
body_length(struct message *m)
{
    struct fuse_write_in *in = (void *)m->body;

    switch (m->header.opcode) {
    case FUSE_READ:
    case FUSE_READDIR:
    case FUSE_READDIRPLUS:
        in->size %= TRANSFER_MAX + 1;
        return sizeof(struct fuse_read_in);
    case FUSE_WRITE:
        in->size %= 65537;
        for (uint32_t i = 0; i < in->size; i++)
            m->body[sizeof *in + i] = (uint8_t)(i * kernel->n + (i >> 8));
        return sizeof *in + in->size;
    default:
        return 256; /* more than any other; names end in it */
    }
}

static void
learn_node(uint64_t node)
{
    for (unsigned i = 0; i < kernel->nodes; i++)
        if (kernel->node[i] == node)
            return;
    if (kernel->nodes < NODES_MAX)
        kernel->node[kernel->nodes++] = node;
}

/* All that were asked are answered; what was opened and found is known. */
static void
collect(void)
{
    wait_for_all();
    for (unsigned i = 0; i < kernel->n; i++) {
        struct asked *asked = &kernel->asked[i];
        if (asked->error != 0 || asked->answers != 1)
            continue;
        asked->answers++; /* once */
        if (asked->opcode == FUSE_LOOKUP)
            learn_node(asked->got);
        if (asked->opcode == FUSE_OPEN) {
            PROMISE(kernel->handles < HANDLES_MAX);
            kernel->handle[kernel->handles++] =
                (struct handle){asked->got, asked->node};
        }
    }
}

static void
release(struct message *m, unsigned i)
{
    memset(m, 0, sizeof m->header + 256);
    m->header.opcode = FUSE_RELEASE;
    m->header.nodeid = kernel->handle[i].node;
    memcpy(m->body, &kernel->handle[i].handle, sizeof(uint64_t));
    kernel->handle[i] = kernel->handle[--kernel->handles];
    ask(m, sizeof(struct fuse_release_in), false);
}

/* Gives it a handle where it needs one.  False: there is none. */
static bool
give_handle(struct message *m, unsigned i)
{
    int place = handle_place(m->header.opcode);

    if (place == -1 || (place > 0 && i >= kernel->handles))
        return true; /* GETATTR and SETATTR may be without */
    if (kernel->handles == 0)
        return false;
    const struct handle *handle = &kernel->handle[i % kernel->handles];
    m->header.nodeid = handle->node;
    memcpy(m->body + place, &handle->handle, sizeof handle->handle);
    return true;
}

static bool
is_possible(uint32_t opcode)
{
    if (opcode == FUSE_DESTROY || opcode == FUSE_NOTIFY_REPLY || opcode == 0)
        return false;
    if (opcode == FUSE_OPEN && kernel->handles == HANDLES_MAX)
        return false;
    return kernel->n + HANDLES_MAX + kernel->interrupts + 2 < REQUESTS_MAX;
}

/* One message from the input: what it is, who, how, and the body. */
static size_t
take_message(struct message *m, const uint8_t *data, size_t size)
{
    if (size < 4)
        return size;
    size_t len = data[3] < size - 4 ? data[3] : size - 4;
    if (len > 128)
        len = 128;
    uint32_t opcode = data[0] % 53;
    bool small = data[2] & 1, wait = data[2] & 2;
    unsigned i = data[2] >> 4;
    if (wait || opcode == FUSE_OPEN || opcode == FUSE_RELEASE)
        collect();
    if (!is_possible(opcode))
        return 4 + len;
    if (opcode == FUSE_RELEASE) {
        if (kernel->handles > 0)
            release(m, i % kernel->handles);
        return 4 + len;
    }
    memset(m, 0, sizeof m->header + 256);
    m->header.opcode = opcode;
    m->header.nodeid = kernel->node[data[1] % kernel->nodes];
    memcpy(m->body, data + 4, len);
    if (!give_handle(m, i))
        return 4 + len;
    if (small)
        make_small(m);
    if (opcode == FUSE_INTERRUPT) {
        memcpy(m->body, &(uint64_t){1 + m->body[0] % kernel->n}, sizeof(uint64_t));
        kernel->interrupts++;
    }
    ask(m, body_length(m), wait);
    return 4 + len;
}

/* ---- one input */

static void
choose(const uint8_t *data, struct disk *disk, struct options *options,
       struct source *source)
{
    static const uint32_t blocks[] = {0, 1, 512, 4096};
    uint16_t flags = 1 | 4 | 8 | 32 | 64; /* flush, FUA, trim, zeroes */

    disk->block = blocks[data[1] >> 4 & 3];
    disk->size = DISK_MAX - (disk->block < 2 ? 777 : 0);
    disk->structured = !(data[0] & 4);
    disk->extents = disk->structured && !(data[0] & 8);
    disk->flags = flags | (data[0] & 1 ? 2 : 0);
    disk->flags &= (uint16_t) ~(data[0] & 16 ? 4 : 0);
    disk->flags &= (uint16_t) ~(data[0] & 32 ? 64 : 0);
    disk->bad = data[2] & 15;
    disk->hangs_up = data[2] & 16;
    static const uint8_t caches[] = {CACHE_ALWAYS, CACHE_READAHEAD, CACHE_OPEN,
                                     CACHE_NONE};
    options->cache = data[2] & 64 ? CACHE_WRITEBACK : caches[data[1] & 3];
    options->discard = (data[1] >> 2 & 3) % 3;
    options->truncate = data[0] & 64 ? TRUNCATE_ZERO : TRUNCATE_ERROR;
    options->mode = 0600;
    options->attr_timeout_s = 1;
    options->fuse = (char *)(uintptr_t) "";
    source->retry_ms = data[1] & 64 ? 0 : 5000;
    source->replay = data[1] & 128 ? 0 : 1 << 20;
    /* as options-check.c has it */
    bool through = options->cache == CACHE_NONE || options->cache == CACHE_WRITEBACK;
    options->writebehind = through || data[2] & 32 ? 0 : 1 << 20;
    source->behind = options->writebehind;
}

static void
run(struct fs *fs, const uint8_t *data, size_t size)
{
    static struct message m;
    static const struct fuse_custom_io io = {.read = on_read, .writev = on_write};
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);

    PROMISE(fuse_opt_add_arg(&args, "fuzz-fuse") == 0 &&
            fuse_opt_add_arg(&args, "-o") == 0 &&
            fuse_opt_add_arg(&args, "max_read=1048576") == 0);
    kernel->session = fuse_session_new(&args, fs->all != NULL ? all_fs_ops() : &fs_ops,
                                       sizeof fs_ops, fs);
    fuse_opt_free_args(&args);
    PROMISE(kernel->session != NULL);
    PROMISE(fuse_session_custom_io(kernel->session, &io, dup(2)) == 0);
    memset(&m, 0, sizeof m.header + 256);
    m.header.opcode = FUSE_INIT;
    struct fuse_init_in init = {.major = 7,
                                .minor = 38,
                                .max_readahead = 131072,
                                .flags = data[3] & 1 ? 0x73fffffb : 0xffffU};
    memcpy(m.body, &init, sizeof init);
    ask(&m, sizeof init, true);
    for (size_t at = 4; at < size;)
        at += take_message(&m, data + at, size - at);
    collect();
    /* libfuse keeps an interrupt that came too late until another request comes. */
    memset(&m, 0, sizeof m.header + 256);
    m.header.opcode = FUSE_STATFS;
    m.header.nodeid = FUSE_ROOT_ID;
    while (kernel->interrupts-- > 0)
        ask(&m, 256, true);
    while (kernel->handles > 0)
        release(&m, 0);
    wait_for_all();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *path;
    struct disk disk = {0};
    struct options options = {0};
    struct source source = {.text = "fuzz"};
    struct fs fs = {.options = &options};
    struct kernel k = {.lock = PTHREAD_MUTEX_INITIALIZER,
                       .answered = PTHREAD_COND_INITIALIZER};
    char *why = NULL;

    if (size < 8 || size > 4096)
        return 0;
    if (path == NULL) {
        path = server_begin();
        stderr = fopen("/dev/null", "we"); /* the daemon's log */
    }
    source.socket = path;
    choose(data, &disk, &options, &source);
    server_disk(&disk);
    fs.filename = data[0] & 2 ? NULL : "nbd";
    kernel = &k;
    k.size = disk.size;
    k.all = data[3] & 2;
    learn_node(FUSE_ROOT_ID);
    options.connections = 1;
    options.idle_s = 60;
    if (k.all) {
        struct choice choice = {0};
        fs.all = all_open(&source, &options, &fs, &choice, &why);
    } else {
        fs.export = export_open(&source, 1, data[0] & 128, &why);
        learn_node(FILE_INODE);
    }
    free(why);
    PROMISE(fs.export != NULL || fs.all != NULL);
    run(&fs, data, size);
    if (k.all)
        all_close(fs.all, conn_clock_ms() + 10000, -1);
    else
        export_close(fs.export, conn_clock_ms() + 10000, -1);
    fuse_session_destroy(k.session);
    free(k.buf.mem);
    for (unsigned i = 0; i < k.n; i++)
        PROMISE(k.asked[i].answers > 0 || !is_answered(k.asked[i].opcode));
    return 0;
}
