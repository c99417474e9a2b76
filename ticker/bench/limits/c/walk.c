/* The floor of an ingest: walk a file of messages and look at each one.
 *
 *   python -m ticker.bench.limits walk FRAMING FILE
 *
 *   binaryfile  Nasdaq BinaryFILE: u16 big-endian length, then so many bytes of one message,
 *               until the end or a zero length
 *   iextp       a pcap of UDP; 40 bytes of segment header, then u16 little-endian length + message
 *   unit        a pcap of UDP; 8 bytes of Cboe's unit header, then messages that begin with their
 *               own u8 length, itself included
 *   xdp         a pcap of UDP; 16 bytes of packet header, then messages that begin with their own
 *               u16 little-endian size, itself included
 *   fix         FIX frames: the length in tag 9 leads to the next one, every byte is summed up
 *   lines       a text a line
 *
 * Each message's type is counted and its next words are summed, of text every byte is looked at,
 * so every message's cache line is touched and nothing can be left out. Prints one line of JSON.
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

enum { FILE_HEADER = 24, RECORD = 16, ENVELOPE = 14 + 20 + 8 };

static uint64_t by_type[256], messages, sum;

static void die(const char *what) {
    fprintf(stderr, "walk: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void look(const uint8_t *message, size_t length) {
    by_type[message[0]]++;
    if (length >= 11) {
        uint64_t words;
        memcpy(&words, message + 1, sizeof words);
        sum += __builtin_bswap64(words) + message[10];
    }
    messages++;
}

static size_t binaryfile(const uint8_t *data, size_t size) {
    size_t at = 0;
    while (at + 2 <= size) {
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        if (!length || length > size - at - 2) break;
        look(data + at + 2, length);
        at += 2 + length;
    }
    return at;
}

/* Messages of one datagram. `width` of the length field, which counts itself if `inclusive`; the
 * type comes after it. */
static void datagram(const uint8_t *data, size_t size, size_t width, int inclusive) {
    size_t at = 0;
    while (at + width <= size) {
        size_t length = width == 1 ? data[at] : (size_t)data[at] | (size_t)data[at + 1] << 8;
        size_t whole = inclusive ? length : length + width;
        if (whole <= width || whole > size - at) return;
        look(data + at + width, whole - width);
        at += whole;
    }
}

static size_t pcap(const uint8_t *data, size_t size, size_t header, size_t width, int inclusive) {
    size_t at = FILE_HEADER;
    while (at + RECORD <= size) {
        uint32_t captured;
        memcpy(&captured, data + at + 8, sizeof captured);
        if (captured > size - at - RECORD) break;
        if (captured > ENVELOPE + header)
            datagram(data + at + RECORD + ENVELOPE + header, captured - ENVELOPE - header, width,
                     inclusive);
        at += RECORD + captured;
    }
    return at;
}

static size_t fix(const uint8_t *data, size_t size) {
    size_t at = 0;
    while (at + 20 < size) {
        const uint8_t *digit = memchr(data + at, 1, 20);
        size_t length = 0, start;
        if (!digit || digit[1] != '9' || digit[2] != '=') break;
        for (digit += 3; *digit >= '0' && *digit <= '9'; digit++) length = length * 10 + *digit - '0';
        start = (size_t)(digit + 1 - data);
        if (length + 7 > size - start) break;
        uint8_t bytes = 0;
        for (const uint8_t *byte = data + at; byte < data + start + length; byte++)
            bytes = (uint8_t)(bytes + *byte);
        sum += bytes;
        by_type[data[start + 3]]++;
        messages++;
        at = start + length + 7;
    }
    return at;
}

static size_t lines(const uint8_t *data, size_t size) {
    size_t at = 0;
    while (at < size) {
        const uint8_t *end = memchr(data + at, '\n', size - at);
        if (!end) break;
        by_type[data[at]]++;
        sum += (uint64_t)(end - data);
        messages++;
        at = (size_t)(end + 1 - data);
    }
    return at;
}

static size_t walk_over(const char *framing, const uint8_t *data, size_t size) {
    if (!strcmp(framing, "binaryfile")) return binaryfile(data, size);
    if (!strcmp(framing, "iextp")) return pcap(data, size, 40, 2, 0);
    if (!strcmp(framing, "unit")) return pcap(data, size, 8, 1, 1);
    if (!strcmp(framing, "xdp")) return pcap(data, size, 16, 2, 1);
    if (!strcmp(framing, "fix")) return fix(data, size);
    if (!strcmp(framing, "lines")) return lines(data, size);
    fprintf(stderr, "walk: no framing %s\n", framing);
    exit(2);
}

static int walk(int argc, char **argv) {
    struct stat status;
    if (argc != 3) {
        fprintf(stderr, "usage: walk FRAMING FILE\n");
        return 2;
    }
    int fd = open(argv[2], O_RDONLY);
    if (fd < 0 || fstat(fd, &status)) die(argv[2]);
    size_t size = (size_t)status.st_size;
    int64_t wall = clock_ns(CLOCK_MONOTONIC), cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
    const uint8_t *data = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (data == MAP_FAILED) die("mmap");
    if (data) madvise((void *)data, size, MADV_SEQUENTIAL);
    size_t at = walk_over(argv[1], data, size);
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    wall = clock_ns(CLOCK_MONOTONIC) - wall;
    printf("{\"messages\": %llu, \"bytes\": %zu, \"left\": %zu, \"cpu_ns\": %lld, "
           "\"wall_ns\": %lld, \"sum\": %llu, \"types\": {", (unsigned long long)messages, at,
           size > at ? size - at : 0, (long long)cpu, (long long)wall, (unsigned long long)sum);
    const char *comma = "";
    for (int type = 0; type < 256; type++)
        if (by_type[type] && type > 32 && type < 127 && type != '"' && type != '\\') {
            printf("%s\"%c\": %llu", comma, type, (unsigned long long)by_type[type]);
            comma = ", ";
        }
    printf("}}\n");
    return 0;
}
