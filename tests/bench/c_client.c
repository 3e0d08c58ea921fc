/* The C library as a subject of the benchmark: a process that is asked over its stdin, with SSDB in the environment.
 *
 * Prints "ready", or "error" and why it is not, then reads requests, one a line, and answers each with one line of
 * nanoseconds, one number a repetition, or "error" and why:
 *   put|get|unpack SIZE 1 N    one tensor of SIZE bytes of elements, N times
 * The tensors are those of tensor_subjects.py: float64, counted up from 0; what comes is compared once with that. */
#include <ssasync.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE_PAGE ((size_t)2 << 20)
#define NAME_PUT "bench_put"
#define NAME_GET "bench_get"

/* What one line asks for, and the memory for it. */
typedef struct subject {
    ssa_client *client;
    double *memory;
    size_t room, bytes;
    int64_t shape[1];
    ssa_array array;
} subject;

typedef ssa_status (*operation)(subject *s);

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* One line, whatever the text. */
static void say_error(const char *text) {
    fputs("error ", stdout);
    for (; *text; text++)
        putchar(*text == '\n' ? ' ' : *text);
    putchar('\n');
}

static ssa_status put(subject *s) {
    return ssa_put_tensor(s->client, NAME_PUT, sizeof NAME_PUT - 1, &s->array, SSA_CLIENT_TIMEOUT);
}

static ssa_status get(subject *s) {
    ssa_tensor *tensor;
    ssa_status status = ssa_get_tensor(s->client, NAME_GET, sizeof NAME_GET - 1, SSA_ROW_MAJOR, &tensor, SSA_CLIENT_TIMEOUT);
    ssa_tensor_free(tensor);
    return status;
}

static ssa_status unpack(subject *s) {
    return ssa_unpack_tensor(s->client, NAME_GET, sizeof NAME_GET - 1, &s->array, SSA_CLIENT_TIMEOUT);
}

static operation operation_of(const char *word) {
    static const struct { const char *word; operation call; } known[] = {{"put", put}, {"get", get}, {"unpack", unpack}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!strcmp(known[i].word, word))
            return known[i].call;
    return NULL;
}

/* In huge pages where they are to be had, like the arrays of numpy and the memory of the limit. 0: there is none. */
static int make_room(subject *s, size_t bytes) {
    if (bytes > s->room) {
        free(s->memory);
        s->room = (bytes + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
        s->memory = aligned_alloc(HUGE_PAGE, s->room);
        if (!s->memory) {
            s->room = 0;
            return 0;
        }
        madvise(s->memory, s->room, MADV_HUGEPAGE);
    }
    s->bytes = bytes;
    s->shape[0] = (int64_t)(bytes / sizeof *s->memory);
    for (int64_t i = 0; i < s->shape[0]; i++)
        s->memory[i] = (double)i;
    ssa_array_init(&s->array, sizeof s->array, s->memory, SSA_FLOAT64, s->shape, 1);
    return 1;
}

static int counts_up(const double *data, int64_t elements) {
    for (int64_t i = 0; i < elements; i++)
        if (data[i] != (double)i)
            return 0;
    return 1;
}

/* That both ways of reading give what was stored; NULL: they do. */
static const char *check(subject *s) {
    ssa_tensor *tensor;
    memset(s->memory, 0xa5, s->bytes);
    if (unpack(s) || ssa_get_tensor(s->client, NAME_GET, sizeof NAME_GET - 1, SSA_ROW_MAJOR, &tensor, SSA_CLIENT_TIMEOUT))
        return ssa_client_error(s->client);
    int same = ssa_tensor_bytes(tensor) == s->bytes && counts_up(ssa_tensor_data(tensor), s->shape[0]);
    ssa_tensor_free(tensor);
    return same && counts_up(s->memory, s->shape[0]) ? NULL : "it got something else than was put";
}

/* NULL: all is there to measure it; else why it is not. */
static const char *prepare(subject *s, operation call, size_t bytes) {
    if (bytes != s->bytes) {
        if (!make_room(s, bytes))
            return "no memory";
        const char *wrong = call == put ? NULL : check(s);
        if (wrong) {
            s->bytes = 0;
            return wrong;
        }
    }
    return call(s) ? ssa_client_error(s->client) : NULL;
}

static const char *measure(subject *s, operation call, long repetitions, int64_t *times) {
    for (long i = 0; i < repetitions; i++) {
        int64_t begin = now();
        ssa_status status = call(s);
        times[i] = now() - begin;
        if (status)
            return ssa_client_error(s->client);
    }
    return NULL;
}

static void answer(subject *s, const char *word, size_t bytes, size_t count, long repetitions) {
    operation call = operation_of(word);
    if (!call || count != 1 || bytes < sizeof *s->memory || repetitions < 1) {
        say_error("it has no such operation");
        return;
    }
    const char *wrong = prepare(s, call, bytes);
    int64_t *times = malloc((size_t)repetitions * sizeof *times);
    if (!wrong)
        wrong = times ? measure(s, call, repetitions, times) : "no memory";
    for (long i = 0; i < repetitions && !wrong; i++)
        printf("%lld ", (long long)times[i]);
    if (wrong)
        say_error(wrong);
    else
        putchar('\n');
    free(times);
}

int main(void) {
    subject s = {0};
    char word[16];
    size_t bytes, count;
    long repetitions;
    if (ssa_client_new(NULL, &s.client)) {
        say_error(ssa_client_error(s.client));
        return 1;
    }
    puts("ready");
    fflush(stdout);
    while (scanf("%15s %zu %zu %ld", word, &bytes, &count, &repetitions) == 4) {
        answer(&s, word, bytes, count, repetitions);
        fflush(stdout);
    }
    ssa_client_free(s.client);
    free(s.memory);
    return 0;
}
