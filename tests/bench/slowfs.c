/* A file system that answers each call only after a while, as a server at a distance does.
 *
 *     slowfs MOUNTPOINT DELAY_US FOLDERS FILES BIG [HANG]        (as root; it ends when it is unmounted)
 *
 * There are FOLDERS directories d0, d1 ... of FILES files each, and one more, "big", of BIG files. A file is named by its
 * number and is as large in bytes. The name HANG is in every directory; a call that asks for it is not answered until
 * the caller is killed.
 *
 * It speaks the kernel's protocol (linux/fuse.h) itself: Debian's libfuse does not tell the kernel that several calls of
 * one directory may go on at a time. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CALLS = 128, REQUEST_BYTES = 64 << 10, PAGE_BYTES = 4096, ROOT = FUSE_ROOT_ID, HELD_SECONDS = 3600 };

static int device;
static long delay_us, folders, files, big;
static const char *hang = "";

/* Node ids: directories follow the root; a file is the id of its directory and its number plus one. */
static int is_directory(uint64_t node) { return node < 1ull << 32; }
static uint64_t file_node(uint64_t folder, long number) { return folder << 32 | (uint64_t)(number + 1); }
static long files_of(uint64_t folder) { return folder == (uint64_t)(ROOT + 1 + folders) ? big : files; }

static void fill(uint64_t node, struct fuse_attr *attr) {
    *attr = (struct fuse_attr){.ino = node, .mode = S_IFDIR | 0755, .nlink = 2, .blksize = PAGE_BYTES};
    if (is_directory(node)) return;
    attr->size = (uint32_t)node - 1;
    attr->mode = S_IFREG | 0644;
    attr->nlink = 1;
    attr->uid = 1000 + attr->size % 7;
}

static void answer(const struct fuse_in_header *request, int error, const void *data, size_t length) {
    struct fuse_out_header head = {.len = sizeof head + length, .error = error, .unique = request->unique};
    struct iovec parts[] = {{&head, sizeof head}, {(void *)data, length}};
    if (writev(device, parts, 2) < 0 && errno != ENOENT && errno != ENODEV) perror("slowfs: answer");
}

static uint64_t find(uint64_t folder, const char *name) {
    char *end;
    if (folder == ROOT && !strcmp(name, "big")) return ROOT + 1 + folders;
    const char *digits = folder == ROOT ? name + (name[0] == 'd') : name;
    long number = strtol(digits, &end, 10);
    if (*end || end == digits || number < 0) return 0;
    if (folder == ROOT) return digits != name && number < folders ? (uint64_t)(ROOT + 1 + number) : 0;
    return number < files_of(folder) ? file_node(folder, number) : 0;
}

static void look_up(const struct fuse_in_header *request, const char *name) {
    uint64_t node = find(request->nodeid, name);
    if (!node) {
        answer(request, -ENOENT, NULL, 0);
        return;
    }
    struct fuse_entry_out found = {
        .nodeid = node, .generation = 1, .entry_valid = HELD_SECONDS, .attr_valid = HELD_SECONDS};
    fill(node, &found.attr);
    answer(request, 0, &found, sizeof found);
}

static size_t add(char *data, size_t length, size_t room, uint64_t node, long next, const char *name) {
    size_t size = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + strlen(name));
    if (length + size > room) return 0;
    struct fuse_dirent *entry = (struct fuse_dirent *)(data + length);
    memset(entry, 0, size);
    entry->ino = node;
    entry->off = next;
    entry->namelen = strlen(name);
    entry->type = (is_directory(node) ? S_IFDIR : S_IFREG) >> 12;
    memcpy(entry->name, name, entry->namelen);
    return size;
}

static void list(const struct fuse_in_header *request, const struct fuse_read_in *wanted) {
    char data[PAGE_BYTES], name[32];
    size_t length = 0, room = wanted->size < sizeof data ? wanted->size : sizeof data;
    int root = request->nodeid == ROOT;
    long count = root ? folders + 1 : files_of(request->nodeid);
    for (long at = wanted->offset; at <= count; at++) {
        uint64_t node = root ? (uint64_t)(ROOT + 1 + at) : file_node(request->nodeid, at);
        if (at == count && (root || !*hang)) break;
        snprintf(name, sizeof name, root ? "d%ld" : "%ld", at);
        if (root && at == folders) strcpy(name, "big");
        size_t size = add(data, length, room, node, at + 1, at == count ? hang : name);
        if (!size) break;
        length += size;
    }
    answer(request, 0, data, length);
}

/* The caller was killed: without an answer it would never be gone. */
static void interrupt(const struct fuse_interrupt_in *which) {
    struct fuse_in_header request = {.unique = which->unique};
    if (*hang) answer(&request, -EINTR, NULL, 0);
}

static void serve(const struct fuse_in_header *request, const void *body) {
    static const struct fuse_init_out started = {.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION,
                                                 .flags = FUSE_PARALLEL_DIROPS, .max_write = PAGE_BYTES};
    struct fuse_attr_out attr = {.attr_valid = HELD_SECONDS};
    struct fuse_statfs_out room = {.st = {.blocks = 1 << 20, .bsize = PAGE_BYTES, .frsize = PAGE_BYTES, .namelen = 255}};
    struct fuse_open_out opened = {0};
    switch (request->opcode) {
        case FUSE_INIT: answer(request, 0, &started, sizeof started); break;
        case FUSE_OPENDIR: answer(request, 0, &opened, sizeof opened); break;
        case FUSE_STATFS: answer(request, 0, &room, sizeof room); break;
        case FUSE_RELEASEDIR: answer(request, 0, NULL, 0); break;
        case FUSE_FORGET:
        case FUSE_BATCH_FORGET: break;
        case FUSE_INTERRUPT: interrupt(body); break;
        case FUSE_GETATTR:
            usleep(delay_us);
            fill(request->nodeid, &attr.attr);
            answer(request, 0, &attr, sizeof attr);
            break;
        case FUSE_LOOKUP:
            if (*hang && !strcmp(body, hang)) break; /* not answered */
            usleep(delay_us);
            look_up(request, body);
            break;
        case FUSE_READDIR:
            usleep(delay_us);
            list(request, body);
            break;
        default: answer(request, -ENOSYS, NULL, 0);
    }
}

static void *work(void *unused) {
    char *buffer = malloc(REQUEST_BYTES);
    (void)unused;
    for (;;) {
        ssize_t length = read(device, buffer, REQUEST_BYTES);
        if (length < 0 && (errno == EINTR || errno == EAGAIN || errno == ENOENT)) continue;
        if (length < 0) exit(errno != ENODEV); /* ENODEV: it was unmounted */
        serve((const struct fuse_in_header *)buffer, buffer + sizeof(struct fuse_in_header));
    }
}

int main(int count, char **words) {
    if (count != 6 && count != 7) {
        fputs("usage: slowfs MOUNTPOINT DELAY_US FOLDERS FILES BIG [HANG]\n", stderr);
        return 2;
    }
    delay_us = atol(words[2]), folders = atol(words[3]), files = atol(words[4]), big = atol(words[5]);
    if (count == 7) hang = words[6];
    device = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    char options[100];
    snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", device);
    if (device < 0 || mount("slowfs", words[1], "fuse.slowfs", MS_NOSUID | MS_NODEV, options)) {
        perror("slowfs: mount");
        return 1;
    }
    pthread_t thread;
    for (int i = 1; i < CALLS; i++)
        if (pthread_create(&thread, NULL, work, NULL)) return 1;
    work(NULL);
}
