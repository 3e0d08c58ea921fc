/* The floor of an inference: as many bytes as a request there, as many as a reply back, nothing computed.
 *
 * echo_worker serve SOCKET REQUEST REPLY   answers every REQUEST bytes with REPLY bytes, one connection at a time;
 *                                          prints "ready" when it listens, ends with its stdin
 * echo_worker call SOCKET REQUEST REPLY    reads "echo N" lines from stdin and answers each with N times in nanoseconds */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
    fprintf(stderr, "echo_worker: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* 0: the other side closed. */
static int read_all(int fd, char *to, size_t bytes) {
    while (bytes) {
        ssize_t got = read(fd, to, bytes);
        if (got < 0)
            die("read");
        if (got == 0)
            return 0;
        to += got;
        bytes -= (size_t)got;
    }
    return 1;
}

static void write_all(int fd, const char *from, size_t bytes) {
    while (bytes) {
        ssize_t sent = write(fd, from, bytes);
        if (sent < 0)
            die("write");
        from += sent;
        bytes -= (size_t)sent;
    }
}

static void serve(int listener, char *memory, size_t request, size_t reply) {
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct pollfd events[] = {{.fd = listener, .events = POLLIN}, {.fd = 0, .events = POLLIN}};
        if (poll(events, 2, -1) < 0)
            die("poll");
        if (events[1].revents)
            return;
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            die("accept");
        while (read_all(fd, memory, request))
            write_all(fd, memory, reply);
        close(fd);
    }
}

static void call(int fd, char *memory, size_t request, size_t reply) {
    long repetitions;
    while (scanf(" echo %ld", &repetitions) == 1) {
        for (long i = 0; i < repetitions; i++) {
            int64_t begin = now();
            write_all(fd, memory, request);
            if (!read_all(fd, memory, reply))
                die("the server closed");
            printf("%lld ", (long long)(now() - begin));
        }
        printf("\n");
        fflush(stdout);
    }
}

int main(int argc, char **argv) {
    if (argc != 5) {
        fprintf(stderr, "usage: echo_worker serve|call SOCKET REQUEST REPLY\n");
        return 2;
    }
    size_t request = strtoul(argv[3], NULL, 10), reply = strtoul(argv[4], NULL, 10);
    char *memory = calloc(1, request > reply ? request : reply);
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[2]);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (!memory || fd < 0)
        die("start");
    if (!strcmp(argv[1], "serve")) {
        if (bind(fd, (struct sockaddr *)&address, sizeof address) || listen(fd, 4))
            die(argv[2]);
        serve(fd, memory, request, reply);
    } else {
        if (connect(fd, (struct sockaddr *)&address, sizeof address))
            die(argv[2]);
        call(fd, memory, request, reply);
    }
    return 0;
}
