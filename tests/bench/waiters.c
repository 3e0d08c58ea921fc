/* Many waiters on one shard, a connection each, that do what a client's wait does and nothing else: the limit of waiting.
 *
 * waiters   (SSDB: unix:///path, SSDB_USER and SSDB_PASSWORD in the environment: a command line is public)
 *
 * Prints "ready", then reads requests from stdin, one a line, and answers each with one line:
 *   open N     connects N, with HELLO and CLIENT TRACKING ON OPTIN      how many are open, nanoseconds it took
 *   wait KEY   all wait until KEY exists: CLIENT CACHING YES and EXISTS, then the push, then EXISTS again
 *                                                                       when the first and the last knew (CLOCK_MONOTONIC)
 * Ends with its stdin, and when a connection is lost. */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define MOST_EVENTS 256

typedef enum { ASKING, WAITING, ASKING_AGAIN, WOKEN } waiter_state;

typedef struct {
    int fd;
    waiter_state state;
    size_t bytes; /* of an answer that is not complete */
    char answer[512];
} waiter;

static waiter *waiters;
static size_t waiter_count;
static int poll_fd;

static void die(const char *what) {
    fprintf(stderr, "waiters: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static const char *from_environment(const char *name) {
    const char *value = getenv(name);
    if (!value) {
        fprintf(stderr, "waiters: %s is not set\n", name);
        exit(2);
    }
    return value;
}

/* Blocks until the shard has answered: it takes connections one by one as well. */
static int open_connection(void) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *user = from_environment("SSDB_USER"), *password = from_environment("SSDB_PASSWORD");
    snprintf(address.sun_path, sizeof address.sun_path, "%s", from_environment("SSDB") + strlen("unix://"));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof address))
        die("connect");
    dprintf(fd,
            "*5\r\n$5\r\nHELLO\r\n$1\r\n3\r\n$4\r\nAUTH\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n"
            "*4\r\n$6\r\nCLIENT\r\n$8\r\nTRACKING\r\n$2\r\nON\r\n$5\r\nOPTIN\r\n*1\r\n$4\r\nPING\r\n",
            strlen(user), user, strlen(password), password);
    static const char end[] = "+PONG\r\n";
    char answer[4096];
    size_t bytes = 0;
    while (bytes < sizeof end || memcmp(answer + bytes - (sizeof end - 1), end, sizeof end - 1)) {
        ssize_t got = read(fd, answer + bytes, sizeof answer - bytes);
        if (got <= 0) {
            fprintf(stderr, "waiters: the shard said %.*s\n", (int)bytes, answer);
            exit(1);
        }
        bytes += (size_t)got;
    }
    return fd;
}

static void open_all(size_t count) {
    struct rlimit files;
    if (!getrlimit(RLIMIT_NOFILE, &files)) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    waiters = calloc(count, sizeof *waiters);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (!waiters || poll_fd < 0)
        die("start");
    int64_t begin = now();
    for (waiter_count = 0; waiter_count < count; waiter_count++) {
        waiter *w = &waiters[waiter_count];
        w->fd = open_connection();
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
        if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, w->fd, &event))
            die("epoll_ctl");
    }
    printf("%zu %lld\n", waiter_count, (long long)(now() - begin));
}

static void ask(waiter *w, const char *key, waiter_state state) {
    char command[256];
    int bytes = snprintf(command, sizeof command,
                         "*3\r\n$6\r\nCLIENT\r\n$7\r\nCACHING\r\n$3\r\nYES\r\n*2\r\n$6\r\nEXISTS\r\n$%zu\r\n%s\r\n",
                         strlen(key), key);
    if (write(w->fd, command, (size_t)bytes) != bytes)
        die("write");
    w->state = state;
    w->bytes = 0;
}

/* Whether the answer is complete and begins with this text; dies if it is something else. */
static int has_come(const waiter *w, const char *text) {
    size_t bytes = strlen(text), compared = w->bytes < bytes ? w->bytes : bytes;
    if (memcmp(w->answer, text, compared)) {
        fprintf(stderr, "waiters: the shard said %.*s\n", (int)w->bytes, w->answer);
        exit(1);
    }
    return w->bytes >= bytes;
}

/* What has come moves the waiter on; a push may come together with the answer before it. */
static void step(waiter *w, const char *key) {
    ssize_t got = read(w->fd, w->answer + w->bytes, sizeof w->answer - w->bytes);
    if (got <= 0)
        die("read");
    w->bytes += (size_t)got;
    static const char no[] = "+OK\r\n:0\r\n", yes[] = "+OK\r\n:1\r\n";
    char push[256];
    snprintf(push, sizeof push, ">2\r\n$10\r\ninvalidate\r\n*1\r\n$%zu\r\n%s\r\n", strlen(key), key);
    if (w->state == ASKING && has_come(w, no)) {
        w->state = WAITING;
        w->bytes -= sizeof no - 1;
        memmove(w->answer, w->answer + sizeof no - 1, w->bytes);
    }
    if (w->state == WAITING && has_come(w, push))
        ask(w, key, ASKING_AGAIN);
    else if (w->state == ASKING_AGAIN && has_come(w, yes))
        w->state = WOKEN;
}

static void wait_for(const char *key) {
    for (size_t i = 0; i < waiter_count; i++)
        ask(&waiters[i], key, ASKING);
    int64_t first = 0, last = 0;
    size_t woken = 0;
    while (woken < waiter_count) {
        struct epoll_event events[MOST_EVENTS];
        int count = epoll_wait(poll_fd, events, MOST_EVENTS, -1);
        if (count < 0)
            die("epoll_wait");
        for (int i = 0; i < count; i++) {
            waiter *w = events[i].data.ptr;
            step(w, key);
            if (w->state == WOKEN) {
                last = now();
                first = woken++ ? first : last;
            }
        }
    }
    printf("%lld %lld\n", (long long)first, (long long)last);
}

int main(void) {
    char word[16], argument[128];
    puts("ready");
    fflush(stdout);
    while (scanf("%15s %127s", word, argument) == 2) {
        if (!strcmp(word, "open"))
            open_all((size_t)atol(argument));
        else
            wait_for(argument);
        fflush(stdout);
    }
    return 0;
}
