/* A load generator for two protocols with the same code around them: backupd's JSON lines and RESP, redis's own. */
#include "wire.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("wire: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int64_t cpu_ns_of(int pid)
{
    char path[300];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *tasks = pid ? opendir(path) : NULL;
    int64_t sum = 0;
    for (struct dirent *task; tasks && (task = readdir(tasks));) {
        snprintf(path, sizeof path, "/proc/%d/task/%s/schedstat", pid, task->d_name);
        FILE *file = task->d_name[0] == '.' ? NULL : fopen(path, "r");
        long long used = 0;
        if (file) {
            sum += fscanf(file, "%lld", &used) == 1 ? used : 0;
            fclose(file);
        }
    }
    if (tasks) {
        closedir(tasks);
    }
    return sum;
}

const char *option(int argc, char **argv, const char *name, const char *otherwise)
{
    for (int i = 0; i + 1 < argc && strcmp(argv[i], "--") != 0; i++) {
        if (strcmp(argv[i], name) == 0) {
            return argv[i + 1];
        }
    }
    return otherwise;
}

long number_option(int argc, char **argv, const char *name, long otherwise)
{
    const char *text = option(argc, argv, name, NULL);
    return text ? strtol(text, NULL, 10) : otherwise;
}

int connect_to(int port, int receive_buffer)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        fail("no socket: %s", strerror(errno));
    }
    if (receive_buffer > 0) {
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        close(fd);
        return -1;
    }
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fd;
}

void make_non_blocking(int fd) { fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK); }

void send_all(int fd, const char *bytes, size_t count)
{
    while (count > 0) {
        ssize_t sent = send(fd, bytes, count, MSG_NOSIGNAL);
        if (sent > 0) {
            bytes += sent;
            count -= (size_t)sent;
        } else if (errno != EAGAIN && errno != EINTR) {
            fail("a connection broke: %s", strerror(errno));
        }
    }
}

size_t call(int fd, const struct protocol *protocol, uint64_t id)
{
    static char bytes[1 << 20];
    size_t count = protocol->write_request(bytes, id);
    send_all(fd, bytes, count);
    for (count = 0; count < sizeof bytes;) {
        ssize_t got = recv(fd, bytes + count, sizeof bytes - count, 0);
        if (got <= 0) {
            fail("the server closed a connection");
        }
        count += (size_t)got;
        size_t reply = protocol->read_reply(bytes, count, id);
        if (reply > 0) {
            if (reply != count) {
                fail("bytes after a reply that nobody asked for");
            }
            return reply;
        }
    }
    fail("a reply of more than a megabyte");
}

static const char Usage[] =
    "usage: wire rate  --protocol json|resp --port N [--connections N] [--depth N] [--warmup-ms N] [--ms N]\n"
    "                  [--server PID]                               its processor time an answer\n"
    "       wire paced --port N [--connections N] [--every-us N] [--ms N]\n"
    "       wire watch --port N [--connections N] [--stalled N]     until standard input ends\n"
    "       wire idle  --port N [--connections N]                   until standard input ends\n"
    "       wire start --port N -- PROGRAM ARGUMENT...\n"
    "resp: --key K. json: the token is read from the environment, WIRE_TOKEN. Prints one line of JSON.\n";

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        int (*run)(int, char **);
    } modes[] = {{"rate", run_rate}, {"paced", run_paced}, {"watch", run_watch}, {"idle", run_idle}, {"start", run_start}};
    for (size_t i = 0; argc > 1 && i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0) {
            return modes[i].run(argc - 2, argv + 2);
        }
    }
    fputs(Usage, stderr);
    return 2;
}
