/* rate: every connection keeps so many requests in flight, as fast as the server answers: a batch is sent when the last
 * reply to the one before it is there. paced: every connection asks at fixed times, as pollers do. */
#include "wire.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define BUFFER (256 * 1024)

struct connection {
    int fd;
    uint64_t asked;    /* id of the last request sent */
    uint64_t answered; /* id of the last request answered */
    int64_t sent_at;   /* when the requests in flight were due */
    char *bytes;       /* received and not taken */
    size_t count;
};

static const struct protocol *protocol;
static struct connection *connections;
static int connection_count;
static struct latencies latencies;
static size_t reply_length;

static void open_connections(int port, int poll)
{
    connections = calloc((size_t)connection_count, sizeof *connections);
    for (int i = 0; i < connection_count; i++) {
        struct connection *c = &connections[i];
        c->fd = connect_to(port, 0);
        if (c->fd < 0) {
            fail("connection %d to port %d: %s", i + 1, port, strerror(errno));
        }
        /* Each shows who it is before the next one comes: servers allow few that have not. */
        c->asked = c->answered = 1;
        reply_length = call(c->fd, protocol, 1);
        c->bytes = malloc(BUFFER);
        make_non_blocking(c->fd);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
        epoll_ctl(poll, EPOLL_CTL_ADD, c->fd, &event);
    }
}

static void ask(struct connection *c, int depth, int64_t due)
{
    static char requests[64 * MAX_REQUEST];
    size_t count = 0;
    for (int i = 0; i < depth; i++) {
        count += protocol->write_request(requests + count, ++c->asked);
    }
    c->sent_at = due;
    send_all(c->fd, requests, count);
}

/* Takes what has come; the number of replies. */
static int receive(struct connection *c)
{
    ssize_t got = recv(c->fd, c->bytes + c->count, BUFFER - c->count, 0);
    if (got <= 0) {
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return 0;
        }
        fail("the server closed a connection");
    }
    c->count += (size_t)got;
    int64_t now = now_ns();
    int replies = 0;
    size_t taken = 0;
    while (c->answered < c->asked && taken < c->count) {
        size_t reply = protocol->read_reply(c->bytes + taken, c->count - taken, c->answered + 1);
        if (reply == 0) {
            break;
        }
        taken += reply;
        c->answered++;
        replies++;
        latencies_add(&latencies, now - c->sent_at);
    }
    c->count -= taken;
    if (c->count > 0) {
        if (c->answered == c->asked) {
            fail("bytes after the last reply that was asked for");
        }
        memmove(c->bytes, c->bytes + taken, c->count);
    }
    return replies;
}

static void print(int depth, double seconds, uint64_t replies, int64_t server_ns)
{
    printf("{\"protocol\":\"%s\",\"connections\":%d,\"depth\":%d,\"seconds\":%.3f,\"replies\":%llu,\"rate\":%.0f,"
           "\"server_ns\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,\"reply_bytes\":%zu}\n",
        protocol->name, connection_count, depth, seconds, (unsigned long long)replies, (double)replies / seconds,
        replies ? (double)server_ns / (double)replies : 0.0, latencies_percentile(&latencies, 50), latencies_percentile(&latencies, 99),
        (double)latencies.max / 1000.0, reply_length);
}

static void read_common(int argc, char **argv, int is_fixed)
{
    connection_count = (int)number_option(argc, argv, "--connections", 1);
    if (strcmp(option(argc, argv, "--protocol", "json"), "resp") == 0) {
        protocol = resp_protocol(option(argc, argv, "--key", "k"));
    } else {
        protocol = json_protocol("GetBackupProgress", getenv("WIRE_TOKEN"), is_fixed);
    }
}

int run_rate(int argc, char **argv)
{
    read_common(argc, argv, 1);
    int depth = (int)number_option(argc, argv, "--depth", 1);
    if (depth < 1 || depth > 64) {
        fail("--depth is from 1 to 64");
    }
    int poll = epoll_create1(0);
    open_connections((int)number_option(argc, argv, "--port", 0), poll);
    int64_t begin = now_ns() + number_option(argc, argv, "--warmup-ms", 300) * 1000000LL;
    int64_t end = begin + number_option(argc, argv, "--ms", 1000) * 1000000LL;
    for (int i = 0; i < connection_count; i++) {
        ask(&connections[i], depth, now_ns());
    }
    int server = (int)number_option(argc, argv, "--server", 0);
    uint64_t replies = 0;
    int is_warm = 0;
    int64_t now, server_began = 0;
    while ((now = now_ns()) < end) {
        if (!is_warm && now >= begin) {
            is_warm = 1;
            begin = now;
            server_began = cpu_ns_of(server);
            replies = 0;
            latencies_clear(&latencies);
        }
        struct epoll_event events[256];
        int count = epoll_wait(poll, events, 256, 1000);
        if (count == 0) {
            fail("no reply for a second");
        }
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            replies += (uint64_t)receive(c);
            if (c->answered == c->asked) {
                ask(c, depth, now_ns());
            }
        }
    }
    print(depth, (double)(now - begin) / 1e9, replies, cpu_ns_of(server) - server_began);
    return 0;
}

int run_paced(int argc, char **argv)
{
    read_common(argc, argv, 0);
    int poll = epoll_create1(0);
    open_connections((int)number_option(argc, argv, "--port", 0), poll);
    long every = number_option(argc, argv, "--every-us", 2000);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct itimerspec interval = {.it_interval.tv_sec = every / 1000000, .it_interval.tv_nsec = every % 1000000 * 1000};
    interval.it_value = interval.it_interval;
    timerfd_settime(timer, 0, &interval, NULL);
    struct epoll_event tick = {.events = EPOLLIN, .data.ptr = NULL};
    epoll_ctl(poll, EPOLL_CTL_ADD, timer, &tick);
    int64_t begin = now_ns();
    int64_t end = begin + number_option(argc, argv, "--ms", 1000) * 1000000LL;
    int64_t now;
    while ((now = now_ns()) < end) {
        struct epoll_event events[256];
        int count = epoll_wait(poll, events, 256, 1000);
        for (int i = 0; i < count; i++) {
            struct connection *c = events[i].data.ptr;
            uint64_t ticks;
            if (c) {
                receive(c);
            } else if (read(timer, &ticks, sizeof ticks) == sizeof ticks) {
                for (int k = 0; k < connection_count; k++) {
                    /* Who still waits asks no second time: its one latency counts the whole wait. */
                    if (connections[k].answered == connections[k].asked) {
                        ask(&connections[k], 1, now_ns());
                    }
                }
            }
        }
    }
    /* A reply that has not come at all is as slow as it has been so far. */
    for (int k = 0; k < connection_count; k++) {
        if (connections[k].answered < connections[k].asked) {
            latencies_add(&latencies, now - connections[k].sent_at);
        }
    }
    print(1, (double)(now - begin) / 1e9, latencies.total, 0);
    return 0;
}
