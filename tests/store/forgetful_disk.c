/* A disk that a test can let forget: LD_PRELOAD this, and each change of a file below the folder that
   TICKER_DISK_FOLDER names is told in the file that TICKER_DISK_JOURNAL names, in the order of time:
   a letter (w: written, t: cut to a length, s: synced, u: its name is gone), the lengths of path and
   bytes, the offset, all three native uint64, then the path and the bytes. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int journal = -1;
static const char *folder;

__attribute__((constructor)) static void start(void) {
    const char *path = getenv("TICKER_DISK_JOURNAL");
    folder = getenv("TICKER_DISK_FOLDER");
    if (path && folder) journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

static void put(const void *bytes, size_t length) {
    static ssize_t (*write_to)(int, const void *, size_t);
    if (!write_to) write_to = (ssize_t(*)(int, const void *, size_t))real("write");
    if (write_to(journal, bytes, length) != (ssize_t)length) abort();
}

static void tell(char kind, const char *path, uint64_t offset, const void *bytes, uint64_t length) {
    uint64_t words[3] = {strlen(path), length, offset};
    if (journal < 0 || strncmp(path, folder, strlen(folder))) return;
    put(&kind, 1);
    put(words, sizeof(words));
    put(path, words[0]);
    if (length) put(bytes, length);
}

static void tell_of(char kind, int fd, uint64_t offset, const void *bytes, uint64_t length) {
    char link[64], path[4096];
    ssize_t size;
    if (journal < 0 || fd == journal) return;
    snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    size = readlink(link, path, sizeof(path) - 1);
    if (size <= 0) return;
    path[size] = 0;
    tell(kind, path, offset, bytes, length);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) {
    ssize_t (*call)(int, const void *, size_t, off_t) = real("pwrite");
    ssize_t done = call(fd, bytes, length, offset);
    if (done > 0) tell_of('w', fd, offset, bytes, done);
    return done;
}

ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) {
    ssize_t (*call)(int, const void *, size_t, off64_t) = real("pwrite64");
    ssize_t done = call(fd, bytes, length, offset);
    if (done > 0) tell_of('w', fd, offset, bytes, done);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t length) {
    ssize_t (*call)(int, const void *, size_t) = real("write");
    ssize_t done = call(fd, bytes, length);
    off_t end = done > 0 ? lseek(fd, 0, SEEK_CUR) : -1;
    if (end >= done) tell_of('w', fd, end - done, bytes, done);
    return done;
}

int ftruncate64(int fd, off64_t length) {
    int (*call)(int, off64_t) = real("ftruncate64");
    int failed = call(fd, length);
    if (!failed) tell_of('t', fd, length, NULL, 0);
    return failed;
}

int ftruncate(int fd, off_t length) { return ftruncate64(fd, length); }

int fsync(int fd) {
    int (*call)(int) = real("fsync");
    int failed = call(fd);
    if (!failed) tell_of('s', fd, 0, NULL, 0);
    return failed;
}

int fdatasync(int fd) {
    int (*call)(int) = real("fdatasync");
    int failed = call(fd);
    if (!failed) tell_of('s', fd, 0, NULL, 0);
    return failed;
}

int unlink(const char *path) {
    int (*call)(const char *) = real("unlink");
    int failed = call(path);
    if (!failed) tell('u', path, 0, NULL, 0);
    return failed;
}
