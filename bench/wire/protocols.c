/* How requests are written and replies are checked, in either protocol. */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char request_start[MAX_REQUEST / 2];
static char request_end[MAX_REQUEST / 2];
static size_t request_start_length;
static size_t request_end_length;

/* Of the first reply, its extID aside; 0 before it or when lengths may differ. */
static size_t fixed_length;
static int lengths_are_fixed;

static size_t write_number(char *to, uint64_t value)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[count++] = (char)('0' + value % 10);
        value /= 10;
    } while (value > 0);
    for (size_t i = 0; i < count; i++) {
        to[i] = digits[count - 1 - i];
    }
    return count;
}

/* RESP: GET of one key. Every reply is "$N", N bytes and a line end, with the N of the first. */

static size_t write_resp(char *to, uint64_t id)
{
    (void)id;
    memcpy(to, request_start, request_start_length);
    return request_start_length;
}

static size_t read_resp(const char *bytes, size_t count, uint64_t id)
{
    (void)id;
    const char *end = memchr(bytes, '\n', count < 32 ? count : 32);
    if (!end) {
        return 0;
    }
    if (bytes[0] != '$' || end[-1] != '\r') {
        fail("not a RESP value: %.*s", (int)(end - bytes), bytes);
    }
    size_t value = strtoul(bytes + 1, NULL, 10);
    size_t whole = (size_t)(end + 1 - bytes) + value + 2;
    if (whole > count) {
        return 0;
    }
    if (bytes[whole - 2] != '\r' || bytes[whole - 1] != '\n') {
        fail("a RESP value of another length than it says");
    }
    if (fixed_length == 0) {
        fixed_length = whole;
    } else if (fixed_length != whole) {
        fail("a reply of %zu bytes after one of %zu", whole, fixed_length);
    }
    return whole;
}

const struct protocol *resp_protocol(const char *key)
{
    static const struct protocol resp = {"resp", write_resp, read_resp};
    request_start_length =
        (size_t)snprintf(request_start, sizeof request_start, "*2\r\n$3\r\nGET\r\n$%zu\r\n%s\r\n", strlen(key), key);
    fixed_length = 0;
    return &resp;
}

/* JSON lines: the member order and the spacing of clients of this family, another extID each time. */

static size_t write_json(char *to, uint64_t id)
{
    memcpy(to, request_start, request_start_length);
    size_t at = request_start_length;
    at += write_number(to + at, id);
    memcpy(to + at, request_end, request_end_length);
    return at + request_end_length;
}

static size_t read_json(const char *bytes, size_t count, uint64_t id)
{
    static const char start[] = "{\"extID\":";
    const char *end = memchr(bytes, '\n', count);
    if (!end) {
        return 0;
    }
    size_t whole = (size_t)(end + 1 - bytes);
    char expected[64];
    size_t length = sizeof start - 1;
    memcpy(expected, start, length);
    length += write_number(expected + length, id);
    expected[length++] = ',';
    if (whole < length + 3 || memcmp(bytes, expected, length) != 0 || memcmp(end - 2, "}\r", 2) != 0) {
        fail("not the reply to %llu: %.*s", (unsigned long long)id, (int)(whole < 200 ? whole : 200), bytes);
    }
    /* An error reply begins with its status. */
    if (memcmp(bytes + length, "\"status\":", 9) == 0) {
        fail("an error: %.*s", (int)(whole < 300 ? whole : 300), bytes);
    }
    if (lengths_are_fixed && fixed_length == 0) {
        fixed_length = whole - length;
    } else if (lengths_are_fixed && fixed_length != whole - length) {
        fail("a reply of %zu bytes after one of %zu", whole - length, fixed_length);
    }
    return whole;
}

const struct protocol *json_protocol(const char *command, const char *token, int is_fixed)
{
    static const struct protocol json = {"json", write_json, read_json};
    if (!token || strlen(token) + 64 > sizeof request_end) {
        fail("WIRE_TOKEN is missing or too long");
    }
    request_start_length =
        (size_t)snprintf(request_start, sizeof request_start, "{\"command\":\"%s\",\"extID\":", command);
    request_end_length =
        (size_t)snprintf(request_end, sizeof request_end, ",\"data\":{},\"__token\":\"%s\"}\r\n", token);
    fixed_length = 0;
    lengths_are_fixed = is_fixed;
    return &json;
}

/* Latencies: 32 steps within each power of two. */

void latencies_clear(struct latencies *of) { memset(of, 0, sizeof *of); }

void latencies_add(struct latencies *of, int64_t ns)
{
    uint64_t value = ns > 0 ? (uint64_t)ns : 0;
    int shift = value < 64 ? 0 : 58 - __builtin_clzll(value);
    of->counts[(size_t)shift * 64 + (value >> shift)]++;
    of->total++;
    of->max = ns > of->max ? ns : of->max;
}

double latencies_percentile(const struct latencies *of, double percent)
{
    uint64_t wanted = (uint64_t)((double)of->total * percent / 100.0);
    uint64_t seen = 0;
    for (size_t i = 0; i < sizeof of->counts / sizeof of->counts[0]; i++) {
        seen += of->counts[i];
        if (seen > wanted) {
            return (double)((uint64_t)(i % 64) << (i / 64)) / 1000.0;
        }
    }
    return (double)of->max / 1000.0;
}
