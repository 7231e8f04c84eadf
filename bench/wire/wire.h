/* The load generator's shared parts: sockets, requests, the framing of replies, latencies. */
#ifndef WIRE_H
#define WIRE_H

#include <stddef.h>
#include <stdint.h>

/* Ends the program with a sentence. */
void fail(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* Nanoseconds of the monotonic clock. */
int64_t now_ns(void);

/* Nanoseconds of processor that all threads of a process have used; 0 for process 0. */
int64_t cpu_ns_of(int pid);

/* The value of an option "--name value" or a default. */
const char *option(int argc, char **argv, const char *name, const char *otherwise);
long number_option(int argc, char **argv, const char *name, long otherwise);

/* Connects to a port of 127.0.0.1. */
int connect_to(int port, int receive_buffer);
void make_non_blocking(int fd);

/* Writes everything, waiting where it must. */
void send_all(int fd, const char *bytes, size_t count);

/* Either protocol: how a request is written and where a reply ends. */
struct protocol {
    const char *name;
    size_t (*write_request)(char *to, uint64_t id);
    /* Length of the whole reply at the start of the bytes, 0 when it is not all there. Checks its framing, that it
     * answers the request with this id, and its length; fails when something is wrong. */
    size_t (*read_reply)(const char *bytes, size_t count, uint64_t id);
};

/* Longest request that write_request makes. */
#define MAX_REQUEST 4096

const struct protocol *resp_protocol(const char *key);
/* command: any that needs no data. is_fixed: whether every reply has the length of the first, its extID aside. */
const struct protocol *json_protocol(const char *command, const char *token, int is_fixed);

/* One request and its reply, waited for; the reply's length. */
size_t call(int fd, const struct protocol *protocol, uint64_t id);

/* Latencies by value, to three per cent. */
struct latencies {
    uint64_t counts[64 * 64];
    uint64_t total;
    int64_t max;
};

void latencies_clear(struct latencies *of);
void latencies_add(struct latencies *of, int64_t ns);
double latencies_percentile(const struct latencies *of, double percent); /* microseconds */

int run_rate(int argc, char **argv);
int run_paced(int argc, char **argv);
int run_watch(int argc, char **argv);
int run_idle(int argc, char **argv);
int run_start(int argc, char **argv);

#endif
