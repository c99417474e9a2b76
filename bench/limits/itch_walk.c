/* The floor of an ingest: walk a BinaryFILE of ITCH messages and look at each one.
 *
 *   itch_walk FILE
 *
 * BinaryFILE (Nasdaq): u16 big-endian length, then so many bytes of one message, until the end
 * or a zero length. Each message's type is counted and its locate and time are summed, so every
 * message's cache line is touched and nothing can be left out. Prints one line of JSON.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
    fprintf(stderr, "itch_walk: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int main(int argc, char **argv) {
    uint64_t by_type[256] = {0}, messages = 0, sum = 0;
    struct stat status;
    if (argc != 2) {
        fprintf(stderr, "usage: itch_walk FILE\n");
        return 2;
    }
    int fd = open(argv[1], O_RDONLY);
    if (fd < 0 || fstat(fd, &status)) die(argv[1]);
    size_t size = (size_t)status.st_size, at = 0;
    int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const uint8_t *data = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (data == MAP_FAILED) die("mmap");
    if (data) madvise((void *)data, size, MADV_SEQUENTIAL);
    while (at + 2 <= size) {
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        if (!length || length > size - at - 2) break;
        const uint8_t *message = data + at + 2;
        by_type[message[0]]++;
        if (length >= 11) {
            uint64_t words;
            memcpy(&words, message + 1, sizeof words);
            sum += __builtin_bswap64(words) + message[10];
        }
        messages++;
        at += 2 + length;
    }
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    printf("{\"messages\": %llu, \"bytes\": %zu, \"left\": %zu, \"cpu_ns\": %lld, "
           "\"wall_ns\": %lld, \"sum\": %llu, \"types\": {", (unsigned long long)messages, at,
           size - at, (long long)cpu, (long long)wall, (unsigned long long)sum);
    const char *comma = "";
    for (int type = 0; type < 256; type++)
        if (by_type[type] && type > 32 && type < 127 && type != '"' && type != '\\') {
            printf("%s\"%c\": %llu", comma, type, (unsigned long long)by_type[type]);
            comma = ", ";
        }
    printf("}}\n");
    return 0;
}
