/* Many sends by one call of the kernel: io_uring without a library.
 *
 * A batch has at most RING_SLOTS sends, each to another socket. Every send has MSG_DONTWAIT, so
 * that the kernel does it, or says EAGAIN, before ring_submit() returns: the bytes may go away
 * then. One thread owns a ring: the one that opened it.
 * Source: io_uring_setup(2), io_uring_enter(2).
 */
#pragma once
#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdint.h>

enum {
    RING_SLOTS = 256,
    RING_UNSENT = INT32_MIN, /* a result: the kernel has not seen this send */
};

#if __has_include(<linux/io_uring.h>)
#include <linux/io_uring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Of newer kernels than the header may be. */
#define RING_SETUP_SUBMIT_ALL (1U << 7)
#define RING_SETUP_SINGLE_ISSUER (1U << 12)
#define RING_SETUP_DEFER_TASKRUN (1U << 13)

struct ticker_ring {
    int fd;
    uint32_t sq_mask, cq_mask;
    uint32_t *sq_tail, *cq_head, *cq_tail;
    struct io_uring_sqe *sqes;
    struct io_uring_cqe *cqes;
    void *rings;
    size_t rings_size, sqes_size;
};

static inline void ring_close(struct ticker_ring *ring) {
    if (ring->sqes) munmap(ring->sqes, ring->sqes_size);
    if (ring->rings) munmap(ring->rings, ring->rings_size);
    if (ring->fd >= 0) close(ring->fd);
    memset(ring, 0, sizeof *ring);
    ring->fd = -1;
}

static inline int ring_map(struct ticker_ring *ring, const struct io_uring_params *given) {
    size_t sq = given->sq_off.array + given->sq_entries * sizeof(uint32_t);
    size_t cq = given->cq_off.cqes + given->cq_entries * sizeof(struct io_uring_cqe);
    int shared = PROT_READ | PROT_WRITE;
    char *rings;
    ring->rings_size = sq > cq ? sq : cq;
    ring->sqes_size = given->sq_entries * sizeof(struct io_uring_sqe);
    rings = (char *)mmap(NULL, ring->rings_size, shared, MAP_SHARED | MAP_POPULATE, ring->fd,
                         IORING_OFF_SQ_RING);
    if (rings == MAP_FAILED) return -errno;
    ring->rings = rings;
    void *sqes = mmap(NULL, ring->sqes_size, shared, MAP_SHARED | MAP_POPULATE, ring->fd,
                      IORING_OFF_SQES);
    if (sqes == MAP_FAILED) return -errno;
    ring->sqes = (struct io_uring_sqe *)sqes;
    ring->sq_tail = (uint32_t *)(rings + given->sq_off.tail);
    ring->cq_head = (uint32_t *)(rings + given->cq_off.head);
    ring->cq_tail = (uint32_t *)(rings + given->cq_off.tail);
    ring->cqes = (struct io_uring_cqe *)(rings + given->cq_off.cqes);
    ring->sq_mask = given->sq_entries - 1;
    ring->cq_mask = given->cq_entries - 1;
    for (uint32_t slot = 0; slot < given->sq_entries; slot++)
        ((uint32_t *)(rings + given->sq_off.array))[slot] = slot;
    return 0;
}

/* 0, or -errno: EPERM (a seccomp profile, or kernel.io_uring_disabled), ENOSYS, EINVAL (a kernel
 * before 6.1). */
static inline int ring_open(struct ticker_ring *ring) {
    struct io_uring_params given;
    int failed;
    memset(ring, 0, sizeof *ring);
    memset(&given, 0, sizeof given);
    given.flags =
        RING_SETUP_SINGLE_ISSUER | RING_SETUP_DEFER_TASKRUN | RING_SETUP_SUBMIT_ALL;
    ring->fd = (int)syscall(__NR_io_uring_setup, RING_SLOTS, &given);
    if (ring->fd < 0) return -errno;
    failed = given.features & IORING_FEAT_SINGLE_MMAP ? ring_map(ring, &given) : -EINVAL;
    if (failed) ring_close(ring);
    return failed;
}

/* Send number `slot` of the next batch: slots are put in order, from 0 on. */
static inline void ring_put(struct ticker_ring *ring, uint32_t slot, int fd, const void *data,
                            uint32_t length) {
    struct io_uring_sqe *sqe = ring->sqes + ((*ring->sq_tail + slot) & ring->sq_mask);
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_SEND;
    sqe->fd = fd;
    sqe->addr = (uint64_t)(uintptr_t)data;
    sqe->len = length;
    sqe->msg_flags = MSG_DONTWAIT | MSG_NOSIGNAL;
    sqe->user_data = slot;
}

static inline uint32_t ring_reap(struct ticker_ring *ring, int32_t *results) {
    uint32_t head = *ring->cq_head, first = head;
    uint32_t tail = __atomic_load_n(ring->cq_tail, __ATOMIC_ACQUIRE);
    for (; head != tail; head++) {
        const struct io_uring_cqe *cqe = ring->cqes + (head & ring->cq_mask);
        results[cqe->user_data] = cqe->res;
    }
    __atomic_store_n(ring->cq_head, head, __ATOMIC_RELEASE);
    return head - first;
}

/* Do the first `count` sends. `results` gets for each what send(2) returns, or -errno, or
 * RING_UNSENT. Returns 0, or -errno: the ring is of no more use, though what has a result is
 * done. */
static inline int ring_submit(struct ticker_ring *ring, uint32_t count, int32_t *results) {
    uint32_t submitted = 0, reaped = 0;
    for (uint32_t slot = 0; slot < count; slot++) results[slot] = RING_UNSENT;
    __atomic_store_n(ring->sq_tail, *ring->sq_tail + count, __ATOMIC_RELEASE);
    while (reaped < count) {
        long done = syscall(__NR_io_uring_enter, ring->fd, count - submitted, count - reaped,
                            IORING_ENTER_GETEVENTS, NULL, 0);
        int failed = done < 0 && errno != EINTR ? errno : 0;
        if (done > 0) submitted += (uint32_t)done;
        reaped += ring_reap(ring, results);
        if (failed) {
            /* what was taken, and is not told of, must not be sent again */
            for (uint32_t slot = 0; slot < submitted; slot++)
                if (results[slot] == RING_UNSENT) results[slot] = -EIO;
            return -failed;
        }
    }
    return 0;
}

#else /* built without the kernel's header */

struct ticker_ring { int fd; };

static inline int ring_open(struct ticker_ring *ring) { ring->fd = -1; return -EOPNOTSUPP; }
static inline void ring_close(struct ticker_ring *ring) { ring->fd = -1; }
static inline void ring_put(struct ticker_ring *ring, uint32_t slot, int fd, const void *data,
                            uint32_t length) {}
static inline int ring_submit(struct ticker_ring *ring, uint32_t count, int32_t *results) {
    return -EOPNOTSUPP;
}

#endif
