/* Threads that share a client: each has its own answers, one that waits holds nobody up, and errors keep to their
 * thread. */
#include "face.h"

#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 8
#define ROUNDS 150

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static ssa_client *shared;
static atomic_long wrong;

static void expect(int holds, const char *what) {
    if (!holds) {
        atomic_fetch_add(&wrong, 1);
        printf("%s\n", what);
    }
}

static void join_all(pthread_t *threads, size_t count) {
    for (size_t i = 0; i < count; i++)
        pthread_join(threads[i], NULL);
}

/* ---- every thread its own tensors, short ones and long ones, blocking and as futures */

static void put_and_compare(const char *name, size_t bytes, double *data, int64_t elements, double value) {
    ssa_array array = face_array(data, SSA_FLOAT64, &elements, 1, SSA_ROW_MAJOR);
    for (int64_t i = 0; i < elements; i++)
        data[i] = value + (double)i;
    expect(!ssa_put_tensor(shared, name, bytes, &array, OWN), "put");
    memset(data, 0, (size_t)elements * sizeof *data);
    expect(!ssa_unpack_tensor(shared, name, bytes, &array, OWN), "unpack");
    for (int64_t i = 0; i < elements; i++)
        if (data[i] != value + (double)i) {
            expect(0, "somebody else's elements");
            break;
        }
}

static void get_as_future(const char *name, size_t bytes, double value) {
    ssa_future *future;
    ssa_tensor *tensor;
    expect(!ssa_start_get_tensor(shared, name, bytes, SSA_AS_STORED, OWN, &future), "start");
    while (ssa_future_test(future) == SSA_MORE)
        ;
    expect(!ssa_future_tensor(future, &tensor), "future");
    expect(tensor && *(double *)ssa_tensor_data(tensor) == value, "somebody else's tensor");
    ssa_tensor_free(tensor);
    ssa_future_free(future);
}

static void put_in_a_batch(const char *name, size_t bytes, double value) {
    ssa_batch *batch;
    ssa_future *future = NULL;
    double back = 0;
    int found = 0;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR), into = array;
    into.data = &back;
    expect(!ssa_batch_new(shared, &batch), "new batch");
    expect(!ssa_batch_put_tensor(batch, name, bytes, &array), "batch put");
    expect(!ssa_batch_unpack_tensor(batch, name, bytes, &into), "batch unpack");
    expect(!ssa_batch_tensor_exists(batch, name, bytes, &found), "batch exists");
    if ((long)value % 2) {
        expect(!ssa_start_batch(batch, OWN, &future) && !ssa_future_wait(future, -1), "start batch");
        ssa_future_free(future);
    } else {
        expect(!ssa_batch_execute(batch, OWN), "execute");
    }
    expect(back == value && found == 1, "somebody else's batch");
    ssa_batch_free(batch);
}

static void *work(void *number) {
    long me = (long)(intptr_t)number;
    int64_t elements = me % 4 == 3 ? 60000 : 100;
    double *data = malloc((size_t)elements * sizeof *data);
    char name[32], missing[32];
    size_t bytes = (size_t)snprintf(name, sizeof name, "thread_%ld", me);
    size_t missing_bytes = (size_t)snprintf(missing, sizeof missing, "missing_%ld", me);
    for (int round = 0; round < ROUNDS / (me % 4 == 3 ? 10 : 1); round++) {
        double value = (double)(me * 1000000 + round);
        ssa_tensor *tensor;
        put_and_compare(name, bytes, data, elements, value);
        get_as_future(name, bytes, value);
        put_in_a_batch(name, bytes, value);
        expect(ssa_get_tensor(shared, missing, missing_bytes, SSA_AS_STORED, &tensor, OWN) == SSA_ENOTFOUND, "found");
        expect(strstr(ssa_client_error(shared), missing) != NULL, "the error of another thread");
    }
    free(data);
    return NULL;
}

static void test_every_thread_has_its_own_answers(void) {
    pthread_t threads[THREADS];
    shared = face_open();
    for (long i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, work, (void *)(intptr_t)i);
    join_all(threads, THREADS);
    CHECK(wrong == 0);
    ssa_client_free(shared);
}

/* ---- one waits for what another one puts, on the same client */

static void *wait_for_it(void *name) {
    expect(!ssa_wait_for_tensor(shared, name, SSA_TEXT_ENDS, 60), "wait");
    return NULL;
}

static void test_who_waits_holds_nobody_up(void) {
    enum { WAITERS = 6 };
    static const char *const names[WAITERS] = {"a", "b", "c", "d", "e", "f"};
    pthread_t threads[WAITERS];
    double longest = 0;
    shared = face_open();
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < WAITERS; i++) {
            OK(ssa_delete_tensor(shared, names[i], 1, OWN));
            pthread_create(&threads[i], NULL, wait_for_it, (void *)(uintptr_t)names[i]);
        }
        for (int i = WAITERS; i-- > 0;) {
            double begin = seconds(), value = i;
            ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
            OK(ssa_put_tensor(shared, names[i], 1, &array, OWN));
            longest = fmax(longest, seconds() - begin);
        }
        join_all(threads, WAITERS);
    }
    CHECK(longest < 2);
    CHECK(wrong == 0);
    ssa_client_free(shared);
}

/* ---- a deadline of one is not that of another */

static void *wait_in_vain(void *result) {
    double begin = seconds();
    expect(ssa_wait_for_tensor(shared, NAME("never"), 0.2) == SSA_EWAIT, "not in vain");
    *(double *)result = seconds() - begin;
    return NULL;
}

static void test_each_thread_has_its_own_deadline(void) {
    pthread_t threads[2];
    double took;
    shared = face_open();
    OK(ssa_delete_tensor(shared, NAME("a"), OWN));
    pthread_create(&threads[0], NULL, wait_for_it, (void *)(uintptr_t)"a");
    pthread_create(&threads[1], NULL, wait_in_vain, &took);
    pthread_join(threads[1], NULL);
    CHECK(took >= 0.2 && took < 20);
    double value = 1;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    OK(ssa_put_tensor(shared, NAME("a"), &array, OWN));
    pthread_join(threads[0], NULL);
    CHECK(wrong == 0);
    ssa_client_free(shared);
}

/* ---- one takes the answer of another out of the socket that this one polls */

static _Thread_local int holds_its_poll;
static sem_t begins_to_poll, may_poll;
static struct pollfd held[16];
static nfds_t held_count;

/* In place of the system's, so that a thread begins to wait in the kernel when it is told to. */
int poll(struct pollfd *descriptors, nfds_t count, int milliseconds) {
    struct timespec time = {milliseconds / 1000, milliseconds % 1000 * 1000000L};
    if (holds_its_poll && milliseconds && count <= sizeof held / sizeof *held) {
        holds_its_poll = 0;
        memcpy(held, descriptors, count * sizeof *held);
        held_count = count;
        sem_post(&begins_to_poll);
        sem_wait(&may_poll);
    }
    return ppoll(descriptors, count, milliseconds < 0 ? NULL : &time, NULL);
}

static void *put_with_a_held_poll(void *took) {
    double value = 2, begin = seconds();
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    holds_its_poll = 1;
    expect(!ssa_put_tensor(shared, NAME("held"), &array, 20), "put");
    holds_its_poll = 0;
    *(double *)took = seconds() - begin;
    return NULL;
}

/* Twice: the second one looks into the sockets for what it was told, and asks nothing. */
static void control_poll_twice(void) {
    for (int i = 0; i < 2; i++) {
        ssa_texts *requests;
        OK(ssa_control_poll(shared, NAME("simulation"), &requests, OWN));
        ssa_texts_free(requests);
    }
}

static void test_who_polls_is_told_that_another_thread_received_its_answer(void) {
    pthread_t thread;
    double took = 0, value = 1;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    struct timespec deadline = {time(NULL) + 60, 0};
    sem_init(&begins_to_poll, 0, 0);
    sem_init(&may_poll, 0, 0);
    shared = face_open();
    OK(ssa_put_tensor(shared, NAME("held"), &array, OWN));
    control_poll_twice();
    pthread_create(&thread, NULL, put_with_a_held_poll, &took);
    CHECK(sem_timedwait(&begins_to_poll, &deadline) == 0);
    for (nfds_t i = 0; i < held_count; i++)
        held[i].events = POLLIN;
    CHECK(poll(held, held_count, 20000) > 0);
    control_poll_twice();
    sem_post(&may_poll);
    pthread_join(thread, NULL);
    CHECK(took < 10);
    CHECK(wrong == 0);
    ssa_client_free(shared);
}

/* ---- closing under those who wait */

static atomic_long inside[4]; /* thread ids */

static void *wait_until_closed(void *number) {
    atomic_store(&inside[(intptr_t)number], syscall(SYS_gettid));
    ssa_status status = ssa_wait_for_tensor(shared, NAME("never"), 60);
    expect(status == SSA_ECLOSED, "not closed");
    return NULL;
}

/* It sleeps nowhere but in the library. */
static int sleeps(long thread) {
    char path[64], text[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%ld/stat", thread);
    FILE *file = thread ? fopen(path, "r") : NULL;
    if (!file)
        return 0;
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[bytes] = 0;
    const char *state = strrchr(text, ')');
    return state && state[2] == 'S';
}

static void close_under_those_who_wait(void) {
    pthread_t threads[4];
    shared = face_open();
    for (long i = 0; i < 4; i++) {
        atomic_store(&inside[i], 0);
        pthread_create(&threads[i], NULL, wait_until_closed, (void *)(intptr_t)i);
    }
    for (int i = 0; i < 4; i++)
        while (!sleeps(inside[i]))
            sched_yield();
    ssa_client_free(shared);
    join_all(threads, 4);
    CHECK(wrong == 0);
}

/* Again and again: some of them sleep for an answer, some for the lock. */
static void test_closing_ends_the_calls_of_others(void) {
    for (int round = 0; round < 100; round++)
        close_under_those_who_wait();
}

FACE_MAIN(test_every_thread_has_its_own_answers, test_who_waits_holds_nobody_up, test_each_thread_has_its_own_deadline,
          test_who_polls_is_told_that_another_thread_received_its_answer, test_closing_ends_the_calls_of_others)
