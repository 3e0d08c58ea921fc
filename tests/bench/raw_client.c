/* The engine's limit: the same bytes as a client's put and get, by the fewest system calls that can move them.
 *
 * raw_client SOCKET   (SSDB_USER and SSDB_PASSWORD in the environment: a command line is public)
 *
 * Reads requests from stdin, one a line, and answers each with one line of nanoseconds, one number a repetition:
 *   put BYTES N    SET of a value of BYTES bytes from memory that was touched before
 *   get BYTES N    GET of that value into memory that was touched before
 *   fresh BYTES N  the same into new memory each time, given back after it
 * No parsing, no error handling beyond noticing, no event loop: what is slower than this is the client's doing. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define KEY_PUT "bench_put"
#define KEY_GET "bench_get"

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

static int connect_to(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        die(path);
    const char *user = getenv("SSDB_USER"), *password = getenv("SSDB_PASSWORD");
    if (!user || !password) {
        fprintf(stderr, "raw_client: SSDB_USER and SSDB_PASSWORD are not set\n");
        exit(1);
    }
    dprintf(fd, "*3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(user), user, strlen(password), password);
    expect(fd, "+OK\r\n");
    return fd;
}

/* In huge pages where they are to be had, like the arrays of numpy: copying from small ones takes longer. */
static char *touched_memory(size_t bytes) {
    char *memory = aligned_alloc(HUGE_PAGE, (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE);
    if (!memory)
        die("aligned_alloc");
    madvise(memory, bytes / HUGE_PAGE * HUGE_PAGE, MADV_HUGEPAGE);
    memset(memory, 1, bytes);
    return memory;
}

static int64_t put(int fd, char *value, size_t bytes) {
    char head[128];
    int64_t begin = now();
    int head_bytes = snprintf(head, sizeof head, "*3\r\n$3\r\nSET\r\n$%zu\r\n%s\r\n$%zu\r\n", strlen(KEY_PUT), KEY_PUT, bytes);
    struct iovec pieces[] = {{head, (size_t)head_bytes}, {value, bytes}, {(char *)"\r\n", 2}};
    write_all(fd, pieces, 3);
    expect(fd, "+OK\r\n");
    return now() - begin;
}

static int64_t get(int fd, char *memory, size_t bytes, size_t room) {
    static const char command[] = "*2\r\n$3\r\nGET\r\n$9\r\n" KEY_GET "\r\n";
    char head[32];
    size_t reply_bytes = (size_t)snprintf(head, sizeof head, "$%zu\r\n", bytes) + bytes + 2;
    int64_t begin = now();
    struct iovec piece = {(char *)command, sizeof command - 1};
    char *to = memory ? memory : malloc(room);
    if (!to)
        die("malloc");
    write_all(fd, &piece, 1);
    read_all(fd, to, reply_bytes);
    if (!memory)
        free(to);
    return now() - begin;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: raw_client SOCKET\n");
        return 2;
    }
    int fd = connect_to(argv[1]);
    char operation[8], *memory = NULL;
    size_t bytes, room = 0;
    long repetitions;
    while (scanf("%7s %zu %ld", operation, &bytes, &repetitions) == 3) {
        if (bytes + 64 > room) {
            room = bytes + 64;
            free(memory);
            memory = touched_memory(room);
        }
        for (long i = 0; i < repetitions; i++) {
            int64_t took = !strcmp(operation, "put")   ? put(fd, memory, bytes)
                           : !strcmp(operation, "get") ? get(fd, memory, bytes, room)
                                                       : get(fd, NULL, bytes, bytes + 64);
            printf("%lld ", (long long)took);
        }
        printf("\n");
        fflush(stdout);
    }
    return 0;
}
