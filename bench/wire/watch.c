/* watch: subscribers, some of which never read. idle: connections that have shown who they are and then say nothing.
 * start: how long a server takes from its start to its first answer. */
#include "wire.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LARGEST_EVENT (64 * 1024)

struct subscriber {
    int fd;
    char *bytes;
    size_t count;
};

static uint64_t events_seen;
static uint64_t endings_seen;
static uint64_t bytes_seen;
static int64_t first_at;
static int64_t last_at;

static int open_caller(const struct protocol *protocol, int port, int receive_buffer)
{
    int fd = connect_to(port, receive_buffer);
    if (fd < 0) {
        fail("no connection to port %d: %s", port, strerror(errno));
    }
    call(fd, protocol, 1);
    return fd;
}

static void raise_descriptors(int wanted)
{
    struct rlimit limit = {(rlim_t)wanted + 64, (rlim_t)wanted + 64};
    struct rlimit now;
    getrlimit(RLIMIT_NOFILE, &now);
    if (now.rlim_cur < limit.rlim_cur && setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        fail("%d descriptors are needed; see ulimit -n", wanted + 64);
    }
}

static void take_events(struct subscriber *s)
{
    static const char start[] = "{\"event\":\"backup.progress\",\"type\":3,\"data\":{\"active\":";
    size_t taken = 0;
    char *end;
    while ((end = memchr(s->bytes + taken, '\n', s->count - taken))) {
        char *line = s->bytes + taken;
        size_t length = (size_t)(end + 1 - line);
        if (length < sizeof start + 2 || memcmp(line, start, sizeof start - 1) != 0 || memcmp(end - 3, "}}\r", 3) != 0) {
            fail("not an event: %.*s", (int)(length < 200 ? length : 200), line);
        }
        events_seen++;
        endings_seen += line[sizeof start - 1] == 'f';
        taken += length;
    }
    s->count -= taken;
    memmove(s->bytes, s->bytes + taken, s->count);
}

static int receive_events(struct subscriber *s)
{
    ssize_t got = recv(s->fd, s->bytes + s->count, LARGEST_EVENT - s->count, 0);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        return 0;
    }
    if (got > 0) {
        last_at = now_ns();
        first_at = first_at ? first_at : last_at;
        bytes_seen += (uint64_t)got;
        s->count += (size_t)got;
        take_events(s);
        if (s->count == LARGEST_EVENT) {
            fail("an event of more than %d bytes", LARGEST_EVENT);
        }
    }
    return 1;
}

int run_watch(int argc, char **argv)
{
    int port = (int)number_option(argc, argv, "--port", 0);
    int count = (int)number_option(argc, argv, "--connections", 1000);
    int stalled = (int)number_option(argc, argv, "--stalled", 0);
    const struct protocol *protocol = json_protocol("SubscribeAll", getenv("WIRE_TOKEN"), 1);
    raise_descriptors(count);
    int poll = epoll_create1(0);
    struct subscriber *subscribers = calloc((size_t)count, sizeof *subscribers);
    for (int i = 0; i < count; i++) {
        struct subscriber *s = &subscribers[i];
        int reads = i >= stalled;
        s->fd = open_caller(protocol, port, reads ? 0 : 4096);
        if (reads) {
            s->bytes = malloc(LARGEST_EVENT);
            make_non_blocking(s->fd);
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
            epoll_ctl(poll, EPOLL_CTL_ADD, s->fd, &event);
        }
    }
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, STDIN_FILENO, &input);
    puts("ready");
    fflush(stdout);
    int is_told = 0, lost = 0;
    for (;;) {
        struct epoll_event events[256];
        /* Told to stop: what is on its way still counts. */
        int ready = epoll_wait(poll, events, 256, is_told ? 500 : -1);
        if (ready == 0) {
            break;
        }
        for (int i = 0; i < ready; i++) {
            struct subscriber *s = events[i].data.ptr;
            char ignored[64];
            if (!s && read(STDIN_FILENO, ignored, sizeof ignored) == 0) {
                is_told = 1;
                epoll_ctl(poll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
            } else if (s && !receive_events(s)) {
                lost++;
                epoll_ctl(poll, EPOLL_CTL_DEL, s->fd, NULL);
            }
        }
    }
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    double seconds = (double)(last_at - first_at) / 1e9;
    printf("{\"subscribers\":%d,\"stalled\":%d,\"lost\":%d,\"seconds\":%.3f,\"events\":%llu,\"endings\":%llu,"
           "\"bytes\":%llu,\"rate\":%.0f,\"own_cpu_seconds\":%.3f}\n",
        count, stalled, lost, seconds, (unsigned long long)events_seen, (unsigned long long)endings_seen,
        (unsigned long long)bytes_seen, seconds > 0 ? (double)events_seen / seconds : 0.0,
        (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) + (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6);
    return 0;
}

int run_idle(int argc, char **argv)
{
    int port = (int)number_option(argc, argv, "--port", 0);
    int count = (int)number_option(argc, argv, "--connections", 1000);
    const struct protocol *protocol = json_protocol("GetBackupProgress", getenv("WIRE_TOKEN"), 1);
    raise_descriptors(count);
    for (int i = 0; i < count; i++) {
        open_caller(protocol, port, 0);
    }
    puts("ready");
    fflush(stdout);
    char ignored[64];
    while (read(STDIN_FILENO, ignored, sizeof ignored) > 0) {
    }
    return 0;
}

int run_start(int argc, char **argv)
{
    int port = (int)number_option(argc, argv, "--port", 0);
    const struct protocol *protocol = json_protocol("GetServerInfo", getenv("WIRE_TOKEN"), 0);
    int at = 0;
    while (at < argc && strcmp(argv[at], "--") != 0) {
        at++;
    }
    if (at + 1 >= argc) {
        fail("start needs -- PROGRAM");
    }
    int64_t began = now_ns();
    pid_t child = fork();
    if (child == 0) {
        /* However this program ends, the server ends with it. */
        prctl(PR_SET_PDEATHSIG, SIGTERM);
        execv(argv[at + 1], argv + at + 1);
        fail("%s: %s", argv[at + 1], strerror(errno));
    }
    int fd = -1;
    while ((fd = connect_to(port, 0)) < 0) {
        if (now_ns() - began > 10000000000LL || waitpid(child, NULL, WNOHANG) == child) {
            fail("%s does not listen on port %d", argv[at + 1], port);
        }
        struct timespec pause = {0, 100000};
        nanosleep(&pause, NULL);
    }
    call(fd, protocol, 1);
    double ready = (double)(now_ns() - began) / 1e6;
    /* What it holds when it has come to rest. */
    struct timespec rest = {0, 500000000};
    nanosleep(&rest, NULL);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)child);
    long resident = 0;
    FILE *status = fopen(path, "r");
    for (char line[256]; status && fgets(line, sizeof line, status);) {
        sscanf(line, "VmRSS: %ld", &resident);
    }
    kill(child, SIGTERM);
    waitpid(child, NULL, 0);
    printf("{\"ready_ms\":%.2f,\"idle_rss_kib\":%ld}\n", ready, resident);
    return 0;
}
