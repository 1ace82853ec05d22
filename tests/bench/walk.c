/* The least that a scan can do: getdents64 and statx for every entry below a directory, by as many threads as are
 * told, and nothing with what comes back. What a scanner that counts needs beyond this is its own doing.
 *
 *     walk THREADS FOLDER
 *
 * Directories lie on a stack that the threads share; each keeps its own until it has more than others might want. */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { BUFFER_BYTES = 32 << 10, MOST_DIRECTORIES = 1 << 20 };

struct entry {
    unsigned long long ino;
    long long next;
    unsigned short length;
    unsigned char type;
    char name[];
};

/* An open directory, of which `users` threads and waiting children make use. */
struct directory {
    struct directory *parent;
    int fd;
    atomic_int users;
    char name[];
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct directory *stack[MOST_DIRECTORIES];
static int height, working;
static atomic_long entries, blocks;

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void release(struct directory *dir) {
    while (dir && atomic_fetch_sub(&dir->users, 1) == 1) {
        struct directory *parent = dir->parent;
        if (dir->fd >= 0) close(dir->fd);
        free(dir);
        dir = parent;
    }
}

static void push(struct directory *dir) {
    pthread_mutex_lock(&lock);
    if (height == MOST_DIRECTORIES) fail("stack");
    stack[height++] = dir;
    pthread_cond_signal(&more);
    pthread_mutex_unlock(&lock);
}

static struct directory *take(void) {
    struct directory *dir = NULL;
    pthread_mutex_lock(&lock);
    working--;
    while (height == 0 && working > 0) pthread_cond_wait(&more, &lock);
    if (height > 0) {
        dir = stack[--height];
        working++;
    } else {
        pthread_cond_broadcast(&more);
    }
    pthread_mutex_unlock(&lock);
    return dir;
}

static void look(struct directory *dir, char *data, long length, long *seen, long *taken) {
    for (long at = 0; at < length;) {
        struct entry *entry = (struct entry *)(data + at);
        at += entry->length;
        const char *name = entry->name;
        if (name[0] == '.' && (!name[1] || (name[1] == '.' && !name[2]))) continue;
        struct statx node;
        if (statx(dir->fd, name, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT, STATX_BASIC_STATS, &node)) fail(name);
        ++*seen;
        *taken += node.stx_blocks;
        if (!S_ISDIR(node.stx_mode)) continue;
        struct directory *child = malloc(sizeof *child + strlen(name) + 1);
        *child = (struct directory){.parent = dir, .fd = -1, .users = 1};
        strcpy(child->name, name);
        atomic_fetch_add(&dir->users, 1);
        push(child);
    }
}

/* Reads a directory, one buffer at a time. A full buffer is followed by more, which another thread may read. */
static void *work(void *unused) {
    char data[BUFFER_BYTES];
    long seen = 0, taken = 0;
    struct directory *dir;
    (void)unused;
    while ((dir = take())) {
        if (dir->fd < 0) {
            dir->fd = openat(dir->parent->fd, dir->name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
            if (dir->fd < 0) fail(dir->name);
        }
        for (;;) {
            long length = syscall(SYS_getdents64, dir->fd, data, sizeof data);
            if (length < 0) fail("getdents64");
            if (length == 0) break;
            int handed = length > BUFFER_BYTES / 2;
            if (handed) {
                atomic_fetch_add(&dir->users, 1);
                push(dir);
            }
            look(dir, data, length, &seen, &taken);
            if (handed) break;
        }
        release(dir);
    }
    atomic_fetch_add(&entries, seen);
    atomic_fetch_add(&blocks, taken);
    return NULL;
}

int main(int count, char **words) {
    int threads = count == 3 ? atoi(words[1]) : 0;
    if (threads < 1 || threads > 256) {
        fputs("usage: walk THREADS FOLDER\n", stderr);
        return 2;
    }
    struct directory *root = malloc(sizeof *root + 1);
    *root = (struct directory){.users = 1, .fd = open(words[2], O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    if (root->fd < 0) fail(words[2]);
    stack[height++] = root;
    working = threads;
    pthread_t others[256];
    for (int i = 1; i < threads; i++)
        if ((errno = pthread_create(&others[i], NULL, work, NULL))) fail("thread");
    work(NULL);
    for (int i = 1; i < threads; i++) pthread_join(others[i], NULL);
    printf("%ld entries, %ld bytes\n", entries, blocks * 512);
    return 0;
}
