/* The C library as a subject of the client benchmark: a program as a user writes it, over ssasync.h.
 *
 * c_client   (SSDB, SSDB_USER and SSDB_PASSWORD in the environment)
 *
 * Prints "ready", then reads requests from stdin, one a line, and answers each with one line: nanoseconds, one number a
 * repetition, or "error" and its reason. SIZE is the bytes of elements:
 *   put|get|unpack SIZE 1 N              one tensor
 *   put_batch|get_batch SIZE COUNT N     a batch of COUNT tensors
 *   control_poll 8 1 N                   a look for requests, of which there are none
 *   look 8 1 N                           its limit: a recv from a socket in which nothing lies
 * Tensors are those of tensor_subjects.py: element i of tensor number k is the float64 i + k; what a get gives is compared. */
#include <ssasync.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "array_memory.h"

#define MOST_TENSORS 4096
#define NAME_ROOM 64

/* Of the tensors of batches; made beforehand, like the commands of raw_client.c. */
static char put_names[MOST_TENSORS][NAME_ROOM], get_names[MOST_TENSORS][NAME_ROOM];

typedef struct {
    ssa_client *client;
    const char *failure; /* what went wrong besides the library's calls; NULL: nothing */
    int64_t elements;    /* of each tensor */
    size_t count;        /* of tensors */
    double *values;      /* of all tensors, one behind the other */
    double *target;      /* of one */
    int ends[2];         /* of the pair of sockets for `look`; 0: not made */
} bench;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double *values_of(int64_t elements, size_t count) {
    size_t bytes = (size_t)elements * count * sizeof(double);
    double *values = array_memory(bytes);
    for (size_t k = 0; values && k < count; k++)
        for (int64_t i = 0; i < elements; i++)
            values[k * (size_t)elements + (size_t)i] = (double)i + (double)k;
    return values;
}

static ssa_array array_of(const bench *b, const double *data) {
    ssa_array array;
    ssa_array_init(&array, sizeof array, data, SSA_FLOAT64, &b->elements, 1);
    return array;
}

static ssa_status compare(bench *b, const double *data, size_t number) {
    if (memcmp(data, b->values + number * (size_t)b->elements, (size_t)b->elements * sizeof *data)) {
        b->failure = "a get gave something else than was put";
        return SSA_EINTERNAL;
    }
    return SSA_OK;
}

/* ---- What is timed; compared only where `first`: that is not part of an operation */

static ssa_status put(bench *b, int first) {
    (void)first;
    ssa_array array = array_of(b, b->values);
    return ssa_put_tensor(b->client, "bench_put", strlen("bench_put"), &array, SSA_CLIENT_TIMEOUT);
}

static ssa_status get(bench *b, int first) {
    ssa_tensor *tensor;
    ssa_status status =
        ssa_get_tensor(b->client, "bench_get", strlen("bench_get"), SSA_AS_STORED, &tensor, SSA_CLIENT_TIMEOUT);
    if (status == SSA_OK && first)
        status = compare(b, ssa_tensor_data(tensor), 0);
    ssa_tensor_free(tensor);
    return status;
}

static ssa_status unpack(bench *b, int first) {
    ssa_array into = array_of(b, b->target);
    ssa_status status = ssa_unpack_tensor(b->client, "bench_get", strlen("bench_get"), &into, SSA_CLIENT_TIMEOUT);
    return status == SSA_OK && first ? compare(b, b->target, 0) : status;
}

static ssa_status put_batch(bench *b, int first) {
    (void)first;
    ssa_batch *batch;
    ssa_status status = ssa_batch_new(b->client, &batch);
    for (size_t k = 0; k < b->count && status == SSA_OK; k++) {
        ssa_array array = array_of(b, b->values + k * (size_t)b->elements);
        status = ssa_batch_put_tensor(batch, put_names[k], strlen(put_names[k]), &array);
    }
    if (status == SSA_OK)
        status = ssa_batch_execute(batch, SSA_CLIENT_TIMEOUT);
    ssa_batch_free(batch);
    return status;
}

static ssa_status get_batch(bench *b, int first) {
    static ssa_tensor *tensors[MOST_TENSORS];
    ssa_batch *batch;
    ssa_status status = ssa_batch_new(b->client, &batch);
    for (size_t k = 0; k < b->count; k++) {
        tensors[k] = NULL;
        if (status == SSA_OK)
            status = ssa_batch_get_tensor(batch, get_names[k], strlen(get_names[k]), SSA_AS_STORED, &tensors[k]);
    }
    if (status == SSA_OK)
        status = ssa_batch_execute(batch, SSA_CLIENT_TIMEOUT);
    ssa_batch_free(batch);
    for (size_t k = 0; k < b->count; k++) {
        if (status == SSA_OK && first)
            status = compare(b, ssa_tensor_data(tensors[k]), k);
        ssa_tensor_free(tensors[k]);
    }
    return status;
}

static ssa_status control_poll(bench *b, int first) {
    (void)first;
    ssa_texts *requests;
    ssa_status status = ssa_control_poll(b->client, "bench", strlen("bench"), &requests, SSA_CLIENT_TIMEOUT);
    if (status == SSA_OK)
        ssa_texts_free(requests);
    return status;
}

static ssa_status look(bench *b, int first) {
    char byte;
    if (first && !b->ends[0] && socketpair(AF_UNIX, SOCK_STREAM, 0, b->ends)) {
        b->failure = "there is no pair of sockets";
        return SSA_ESYSTEM;
    }
    if (recv(b->ends[0], &byte, 1, MSG_DONTWAIT) >= 0) {
        b->failure = "something lies in the socket";
        return SSA_EINTERNAL;
    }
    return SSA_OK;
}

/* ---- Requests */

typedef ssa_status operation(bench *b, int first);

static operation *operation_of(const char *name) {
    static const struct {
        const char *name;
        operation *run;
    } operations[] = {{"put", put}, {"get", get}, {"unpack", unpack}, {"put_batch", put_batch}, {"get_batch", get_batch},
                    {"control_poll", control_poll}, {"look", look}};
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (!strcmp(name, operations[i].name))
            return operations[i].run;
    return NULL;
}

/* On one line. */
static void say_error(bench *b, ssa_status status) {
    const char *text = b->failure ? b->failure : ssa_client_error(b->client);
    printf("error %s: ", ssa_status_name(status));
    for (; *text; text++)
        putchar(*text == '\n' ? ' ' : *text);
    putchar('\n');
    b->failure = NULL;
}

/* Memory for tensors of this size; kept as long as requests are of the same. */
static ssa_status prepare(bench *b, size_t size, size_t count) {
    if (b->values && (size_t)b->elements * sizeof(double) == size && b->count == count)
        return SSA_OK;
    free(b->values);
    free(b->target);
    b->elements = (int64_t)(size / sizeof(double));
    b->count = count;
    b->values = values_of(b->elements, count);
    b->target = values_of(b->elements, 1);
    return b->values && b->target ? SSA_OK : SSA_ENOMEM;
}

static void make_names(void) {
    for (int k = 0; k < MOST_TENSORS; k++) {
        snprintf(put_names[k], NAME_ROOM, "bench_put_%d", k);
        snprintf(get_names[k], NAME_ROOM, "bench_get_%d", k);
    }
}

static void answer(bench *b, operation *run, size_t size, size_t count, long repetitions) {
    int64_t *times = malloc((size_t)repetitions * sizeof *times);
    ssa_status status = times ? prepare(b, size, count) : SSA_ENOMEM;
    if (status == SSA_OK)
        status = run(b, 1);
    for (long i = 0; status == SSA_OK && i < repetitions; i++) {
        int64_t begin = now();
        status = run(b, 0);
        times[i] = now() - begin;
    }
    if (status != SSA_OK) {
        say_error(b, status);
    } else {
        for (long i = 0; i < repetitions; i++)
            printf("%lld ", (long long)times[i]);
        putchar('\n');
    }
    free(times);
}

int main(void) {
    bench b = {0};
    char name[16];
    size_t size, count;
    long repetitions;
    int exists;
    make_names();
    ssa_status status = ssa_client_new(NULL, &b.client);
    if (status == SSA_OK)
        status = ssa_key_exists(b.client, "bench_get", strlen("bench_get"), &exists, SSA_CLIENT_TIMEOUT);
    if (status == SSA_OK)
        puts("ready");
    else
        say_error(&b, status);
    fflush(stdout);
    while (status == SSA_OK && scanf("%15s %zu %zu %ld", name, &size, &count, &repetitions) == 4) {
        operation *run = operation_of(name);
        if (run && count <= MOST_TENSORS && repetitions > 0)
            answer(&b, run, size, count, repetitions);
        else
            puts("error it has no such operation");
        fflush(stdout);
    }
    ssa_client_free(b.client);
    free(b.values);
    free(b.target);
    return status != SSA_OK;
}
