/* The floor of a fan-out: nothing but send(2), as many bytes on as many sockets.
 *
 *   python -m ticker.bench.limits send_loop CORE
 *
 * Listens on a free port of 127.0.0.1 and takes commands on stdin, one line each; answers each
 * with one line of JSON on stdout, the port first. Ends with stdin.
 *
 *   accept N                  wait until N connections in all are there
 *   payload HEX               the bytes that every send sends from now on (between runs that
 *                             met no full socket)
 *   paced SECONDS INTERVAL    a round (one send on every socket) at every INTERVAL seconds
 *   tight SECONDS             round after round, no pause
 *
 * CPU is CLOCK_PROCESS_CPUTIME_ID from the first send to the last, the sleeps between included.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

/* `at`: bytes of the current payload that a full socket has taken already */
static struct { int fd; size_t at; } *sockets;
static size_t socket_count, socket_room;
static char *payload;
static size_t payload_length;

static void die(const char *what) {
    fprintf(stderr, "send_loop: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t clock_ns(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int listen_somewhere(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    /* what a gateway worker gives to its sockets; accepted ones inherit it */
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int));
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4096))
        die("listen");
    if (getsockname(fd, (struct sockaddr *)&address, &length)) die("getsockname");
    printf("{\"port\": %d}\n", ntohs(address.sin_port));
    return fd;
}

static void accept_until(int listener, size_t wanted) {
    int one = 1;
    while (socket_count < wanted) {
        int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd < 0) die("accept");
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (socket_count == socket_room) {
            socket_room = socket_room ? 2 * socket_room : 1024;
            sockets = realloc(sockets, socket_room * sizeof *sockets);
            if (!sockets) die("realloc");
        }
        sockets[socket_count].at = 0;
        sockets[socket_count++].fd = fd;
    }
    printf("{\"connections\": %zu}\n", socket_count);
}

static void take_payload(const char *hex) {
    size_t length = strspn(hex, "0123456789abcdefABCDEF") / 2;
    payload = realloc(payload, length + 1);
    if (!payload) die("realloc");
    for (size_t i = 0; i < length; i++) {
        unsigned byte;
        sscanf(hex + 2 * i, "%2x", &byte);
        payload[i] = (char)byte;
    }
    payload_length = length;
    printf("{\"payload\": %zu}\n", length);
}

/* The hot loop. A socket that is full gets the rest of its payload at its next turn. */
static size_t send_round(size_t *blocked, size_t *bytes) {
    size_t whole = 0;
    for (size_t i = 0; i < socket_count; i++) {
        size_t left = payload_length - sockets[i].at;
        ssize_t sent = send(sockets[i].fd, payload + sockets[i].at, left,
                            MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) *bytes += (size_t)sent;
        if (sent == (ssize_t)left) {
            whole++;
            sockets[i].at = 0;
        } else {
            ++*blocked;
            if (sent > 0) sockets[i].at += (size_t)sent;
        }
    }
    return whole;
}

static void run(double seconds, double interval) {
    int64_t start = clock_ns(CLOCK_MONOTONIC), end = start + (int64_t)(seconds * 1e9);
    int64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), next = start;
    size_t rounds = 0, sends = 0, blocked = 0, bytes = 0;
    while (clock_ns(CLOCK_MONOTONIC) < end) {
        sends += send_round(&blocked, &bytes);
        rounds++;
        if (interval > 0) {
            next += (int64_t)(interval * 1e9);
            struct timespec until = {next / 1000000000, next % 1000000000};
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        }
    }
    cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    printf("{\"rounds\": %zu, \"sends\": %zu, \"blocked\": %zu, \"bytes\": %zu, "
           "\"cpu_ns\": %lld, \"wall_ns\": %lld}\n", rounds, sends, blocked,
           bytes, (long long)cpu,
           (long long)(clock_ns(CLOCK_MONOTONIC) - start));
}

static int send_loop(int argc, char **argv) {
    char *line = NULL;
    size_t room = 0, wanted;
    double seconds, interval;
    struct rlimit files;
    if (argc != 2) {
        fprintf(stderr, "usage: send_loop CORE\n");
        return 2;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    cpu_set_t cores;
    CPU_ZERO(&cores);
    CPU_SET(atoi(argv[1]), &cores);
    if (sched_setaffinity(0, sizeof cores, &cores)) die("sched_setaffinity");
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
    setvbuf(stdout, NULL, _IOLBF, 0);
    int listener = listen_somewhere();
    while (getline(&line, &room, stdin) > 0) {
        if (sscanf(line, "accept %zu", &wanted) == 1) accept_until(listener, wanted);
        else if (!strncmp(line, "payload ", 8)) take_payload(line + 8);
        else if (sscanf(line, "paced %lf %lf", &seconds, &interval) == 2) run(seconds, interval);
        else if (sscanf(line, "tight %lf", &seconds) == 1) run(seconds, 0);
        else printf("{\"error\": \"unknown command\"}\n");
    }
    return 0;
}
