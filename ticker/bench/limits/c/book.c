/* The yardstick of an ingest: the books of an ITCH 5.0 day, and nothing else.
 *
 *   python -m ticker.bench.limits book FILE
 *
 * FILE is Nasdaq BinaryFILE. Orders are in one open-addressed table, the levels of a side of a stock
 * in one array with its best price at the end, as fast books have them. There is no symbol, filter,
 * statistics, sequence, recovery or reader. Prints one line of JSON: messages, CPU time, and the sum
 * of all best bids and asks at the end (in 1e-4 units), by which a test holds the books to ours.
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

enum { STOCKS = 65536, FEW_ORDERS = 1 << 16 };

typedef struct {
    uint64_t reference; /* 0: free */
    uint32_t price, shares;
    uint16_t stock;
    uint8_t sell;
} Order;

typedef struct {
    uint32_t price;
    uint32_t orders;
    uint64_t shares;
} Level;

typedef struct {
    Level *levels; /* from the worst price to the best */
    uint32_t count, room;
} Side;

static Side sides[STOCKS][2];
static Order *orders;
static uint64_t mask, used, tops;

static void fail(const char *what) {
    fprintf(stderr, "book: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t cpu_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static uint32_t u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap32(value);
}

static uint64_t u64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return __builtin_bswap64(value);
}

static uint64_t home(uint64_t reference) {
    return (reference * 0x9E3779B97F4A7C15u >> 20) & mask;
}

static Order *find(uint64_t reference) {
    for (uint64_t at = home(reference);; at = (at + 1) & mask)
        if (orders[at].reference == reference || !orders[at].reference) return &orders[at];
}

static void grow(void) {
    Order *before = orders;
    uint64_t size = mask + 1;
    mask = 2 * size - 1;
    orders = calloc(mask + 1, sizeof *orders);
    if (!orders) fail("orders");
    for (uint64_t at = 0; at < size; at++)
        if (before[at].reference) *find(before[at].reference) = before[at];
    free(before);
}

/* Free the place of an order, and move those up that had to go past it. */
static void forget(Order *order) {
    uint64_t hole = (uint64_t)(order - orders);
    for (uint64_t at = (hole + 1) & mask; orders[at].reference; at = (at + 1) & mask)
        if (((at - home(orders[at].reference)) & mask) >= ((at - hole) & mask)) {
            orders[hole] = orders[at];
            hole = at;
        }
    orders[hole].reference = 0;
    used--;
}

static Level *level(Side *side, uint32_t price, int sell) {
    uint32_t at = side->count;
    while (at && (sell ? side->levels[at - 1].price < price : side->levels[at - 1].price > price))
        at--;
    if (at && side->levels[at - 1].price == price) return &side->levels[at - 1];
    if (side->count == side->room) {
        side->room = side->room ? 2 * side->room : 16;
        side->levels = realloc(side->levels, side->room * sizeof *side->levels);
        if (!side->levels) fail("levels");
    }
    memmove(&side->levels[at + 1], &side->levels[at], (side->count - at) * sizeof *side->levels);
    side->count++;
    side->levels[at] = (Level){price, 0, 0};
    return &side->levels[at];
}

static void add(uint64_t reference, uint16_t stock, uint8_t sell, uint32_t shares, uint32_t price) {
    if (!reference || !shares) return;
    if (4 * used > 3 * mask) grow();
    Order *order = find(reference);
    if (order->reference) return;
    *order = (Order){reference, price, shares, stock, sell};
    used++;
    Level *at = level(&sides[stock][sell], price, sell);
    at->orders++;
    at->shares += shares;
}

static void take(uint64_t reference, uint32_t shares) {
    Order *order = find(reference);
    if (!order->reference) return;
    Side *side = &sides[order->stock][order->sell];
    Level *at = level(side, order->price, order->sell);
    if (shares > order->shares) shares = order->shares;
    at->shares -= shares;
    order->shares -= shares;
    if (order->shares) return;
    if (!--at->orders) {
        uint32_t index = (uint32_t)(at - side->levels);
        side->count--;
        memmove(at, at + 1, (side->count - index) * sizeof *at);
    }
    forget(order);
}

static void replace(uint64_t before, uint64_t after, uint32_t shares, uint32_t price) {
    Order *order = find(before);
    if (!order->reference) return;
    uint16_t stock = order->stock;
    uint8_t sell = order->sell;
    take(before, UINT32_MAX);
    add(after, stock, sell, shares, price);
}

static uint32_t best(uint16_t stock, int sell) {
    Side *side = &sides[stock][sell];
    return side->count ? side->levels[side->count - 1].price : 0;
}

static void message(const uint8_t *data, size_t length) {
    uint16_t stock = (uint16_t)(data[1] << 8 | data[2]);
    switch (data[0]) {
    case 'A': case 'F':
        if (length >= 36) add(u64(data + 11), stock, data[19] == 'S', u32(data + 20), u32(data + 32));
        break;
    case 'E': case 'C': case 'X':
        if (length >= 23) take(u64(data + 11), u32(data + 19));
        break;
    case 'D':
        if (length >= 19) take(u64(data + 11), UINT32_MAX);
        break;
    case 'U':
        if (length >= 35) replace(u64(data + 11), u64(data + 19), u32(data + 27), u32(data + 31));
        break;
    default:
        return;
    }
    tops += best(stock, 0) + best(stock, 1); /* the top is read after each change */
}

static int book(int argc, char **argv) {
    struct stat status;
    if (argc != 2) {
        fprintf(stderr, "usage: book FILE\n");
        return 2;
    }
    int fd = open(argv[1], O_RDONLY);
    if (fd < 0 || fstat(fd, &status)) fail(argv[1]);
    size_t size = (size_t)status.st_size, at = 0;
    mask = FEW_ORDERS - 1;
    orders = calloc(mask + 1, sizeof *orders);
    if (!orders) fail("orders");
    uint64_t messages = 0;
    int64_t cpu = cpu_clock();
    const uint8_t *data = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    if (data == MAP_FAILED) fail("mmap");
    if (data) madvise((void *)data, size, MADV_SEQUENTIAL);
    while (at + 2 <= size) {
        size_t length = (size_t)data[at] << 8 | data[at + 1];
        if (length < 3 || length > size - at - 2) break;
        message(data + at + 2, length);
        messages++;
        at += 2 + length;
    }
    cpu = cpu_clock() - cpu;
    uint64_t bids = 0, asks = 0;
    for (int stock = 0; stock < STOCKS; stock++) {
        bids += best((uint16_t)stock, 0);
        asks += best((uint16_t)stock, 1);
    }
    printf("{\"messages\": %llu, \"cpu_ns\": %lld, \"orders\": %llu, \"bids\": %llu, "
           "\"asks\": %llu, \"tops\": %llu}\n", (unsigned long long)messages, (long long)cpu,
           (unsigned long long)used, (unsigned long long)bids, (unsigned long long)asks,
           (unsigned long long)tops);
    return 0;
}
