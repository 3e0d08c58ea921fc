/* The engine's limit: the same bytes as a client's put and get, by the fewest system calls that can move them.
 *
 * raw_client   (SSDB: unix:///path or host:port, SSDB_USER and SSDB_PASSWORD in the environment: a command line is public)
 *
 * Prints "ready", then reads requests from stdin, one a line, and answers each with one line of nanoseconds, one number a
 * repetition. BYTES are those of a value:
 *   put BYTES 1 N            SET from memory that was touched before
 *   get BYTES 1 N            GET into memory that was touched before
 *   fresh BYTES 1 N          the same into new memory each time, given back after it
 *   put_batch BYTES COUNT N  COUNT such SETs in one write, made before
 *   get_batch BYTES COUNT N  COUNT such GETs in one write, made before
 * No parsing, no error handling beyond noticing, no event loop: what is slower than this is the client's doing. */
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "array_memory.h"

#define KEY_PUT "bench_put"
#define KEY_GET "bench_get"
#define COMMAND_ROOM 128 /* what a command takes around its value, at most */

static void die(const char *what) {
    fprintf(stderr, "raw_client: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void write_all(int fd, struct iovec *pieces, int count) {
    while (count) {
        ssize_t sent = writev(fd, pieces, count);
        if (sent < 0)
            die("writev");
        size_t left = (size_t)sent;
        while (count && left >= pieces->iov_len) {
            left -= pieces->iov_len;
            pieces++;
            count--;
        }
        if (count) {
            pieces->iov_base = (char *)pieces->iov_base + left;
            pieces->iov_len -= left;
        }
    }
}

static void read_all(int fd, char *to, size_t bytes) {
    while (bytes) {
        ssize_t got = read(fd, to, bytes);
        if (got <= 0)
            die("read");
        to += got;
        bytes -= (size_t)got;
    }
}

/* A reply that must be exactly this text. */
static void expect(int fd, const char *text) {
    char reply[64];
    size_t bytes = strlen(text);
    read_all(fd, reply, bytes);
    if (memcmp(reply, text, bytes)) {
        fprintf(stderr, "raw_client: the engine said %.*s\n", (int)bytes, reply);
        exit(1);
    }
}

static int connect_unix(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        die(path);
    return fd;
}

static int connect_tcp(const char *host_and_port) {
    char host[256];
    const char *colon = strrchr(host_and_port, ':');
    snprintf(host, sizeof host, "%.*s", colon ? (int)(colon - host_and_port) : 0, host_and_port);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    if (!colon || getaddrinfo(host, colon + 1, &hints, &found))
        die(host_and_port);
    int fd = socket(found->ai_family, found->ai_socktype, 0), yes = 1;
    if (fd < 0 || connect(fd, found->ai_addr, found->ai_addrlen))
        die(host_and_port);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    freeaddrinfo(found);
    return fd;
}

static int connect_to_store(void) {
    const char *address = getenv("SSDB"), *user = getenv("SSDB_USER"), *password = getenv("SSDB_PASSWORD");
    if (!address || !user || !password) {
        fprintf(stderr, "raw_client: SSDB, SSDB_USER and SSDB_PASSWORD are not set\n");
        exit(2);
    }
    int fd = !strncmp(address, "unix://", 7) ? connect_unix(address + 7) : connect_tcp(address);
    dprintf(fd, "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(user), user, strlen(password), password);
    expect(fd, "+OK\r\n");
    return fd;
}

static char *touched_memory(size_t bytes) {
    char *memory = array_memory(bytes);
    if (!memory)
        die("malloc");
    memset(memory, 1, bytes);
    return memory;
}

static int64_t put(int fd, char *value, size_t bytes) {
    char head[COMMAND_ROOM];
    int64_t begin = now();
    int head_bytes = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(KEY_PUT), KEY_PUT, bytes);
    struct iovec pieces[] = {{head, (size_t)head_bytes}, {value, bytes}, {(char *)"\r\n", 2}};
    write_all(fd, pieces, 3);
    expect(fd, "+OK\r\n");
    return now() - begin;
}

static size_t reply_bytes(size_t bytes) {
    char head[32];
    return (size_t)snprintf(head, sizeof head, "$%zu\r\n", bytes) + bytes + 2;
}

static int64_t get(int fd, char *memory, size_t bytes, size_t room) {
    static const char command[] = "*2\r\n$3\r\nGET\r\n$9\r\n" KEY_GET "\r\n";
    size_t expected = reply_bytes(bytes);
    int64_t begin = now();
    struct iovec piece = {(char *)command, sizeof command - 1};
    char *to = memory ? memory : malloc(room);
    if (!to)
        die("malloc");
    write_all(fd, &piece, 1);
    read_all(fd, to, expected);
    if (!memory)
        free(to);
    return now() - begin;
}

/* The commands of a batch, one behind the other; returns their length. The values are whatever the memory holds. */
static size_t batch_commands(char *to, size_t bytes, size_t count, int is_put) {
    char *at = to, key[64];
    for (size_t i = 0; i < count; i++) {
        int key_bytes = snprintf(key, sizeof key, "%s_%zu", is_put ? KEY_PUT : KEY_GET, i);
        if (!is_put) {
            at += sprintf(at, "*2\r\n$3\r\nGET\r\n$%d\r\n%s\r\n", key_bytes, key);
            continue;
        }
        at += sprintf(at, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%zu\r\n", key_bytes, key, bytes);
        memset(at, 1, bytes);
        at += bytes;
        memcpy(at, "\r\n", 2);
        at += 2;
    }
    return (size_t)(at - to);
}

static int64_t batch(int fd, char *commands, size_t length, char *replies, size_t expected) {
    int64_t begin = now();
    struct iovec piece = {commands, length};
    write_all(fd, &piece, 1);
    read_all(fd, replies, expected);
    return now() - begin;
}

static void answer_batch(int fd, size_t bytes, size_t count, long repetitions, int is_put) {
    size_t expected = count * (is_put ? strlen("+OK\r\n") : reply_bytes(bytes));
    char *commands = touched_memory(count * (bytes + COMMAND_ROOM)), *replies = touched_memory(expected);
    size_t length = batch_commands(commands, bytes, count, is_put);
    for (long i = 0; i < repetitions; i++)
        printf("%lld ", (long long)batch(fd, commands, length, replies, expected));
    free(commands);
    free(replies);
}

static void answer(int fd, const char *operation, char *memory, size_t bytes, long repetitions) {
    for (long i = 0; i < repetitions; i++) {
        int64_t took = !strcmp(operation, "put")   ? put(fd, memory, bytes)
                       : !strcmp(operation, "get") ? get(fd, memory, bytes, bytes + 64)
                                                   : get(fd, NULL, bytes, bytes + 64);
        printf("%lld ", (long long)took);
    }
}

int main(void) {
    int fd = connect_to_store();
    char operation[16], *memory = NULL;
    size_t bytes, count, room = 0;
    long repetitions;
    puts("ready");
    fflush(stdout);
    while (scanf("%15s %zu %zu %ld", operation, &bytes, &count, &repetitions) == 4) {
        if (bytes + 64 > room) {
            room = bytes + 64;
            free(memory);
            memory = touched_memory(room);
        }
        if (strstr(operation, "_batch"))
            answer_batch(fd, bytes, count, repetitions, !strcmp(operation, "put_batch"));
        else
            answer(fd, operation, memory, bytes, repetitions);
        puts("");
        fflush(stdout);
    }
    return 0;
}
