/* A trap on a page: the first read of it in this process waits while other bytes change.

   So a reader of shared memory meets a writer at one certain instruction, without a second process. */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>

static char* page;
static size_t page_size;
static void* target;
static const void* source;
static size_t length;
static int sprung;
static struct sigaction before;

static void spring(int number, siginfo_t* what, void* context) {
    char* at = what->si_addr;
    (void)context;
    if (at < page || at >= page + page_size) {
        sigaction(number, &before, NULL); /* a real fault: it comes again */
        return;
    }
    memcpy(target, source, length);
    sprung++;
    mprotect(page, page_size, PROT_READ);
}

int arm(void* on, size_t size, void* to, const void* from, size_t bytes) {
    struct sigaction action = {0};
    page = on;
    page_size = size;
    target = to;
    source = from;
    length = bytes;
    sprung = 0;
    action.sa_sigaction = spring;
    action.sa_flags = SA_SIGINFO;
    if (sigaction(SIGSEGV, &action, &before)) return -1;
    return mprotect(page, page_size, PROT_NONE);
}

/* How often it sprang. */
int disarm(void) {
    mprotect(page, page_size, PROT_READ);
    sigaction(SIGSEGV, &before, NULL);
    return sprung;
}
