/* After a fork: the child's calls are refused, it may free what it has, and the parent does not notice. */
#include "face.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static ssa_client *client;

static int child(ssa_future *future, ssa_batch *gathered, ssa_batch *started) {
    double value = 0;
    size_t index;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    if (ssa_unpack_tensor(client, NAME("forked"), &array, OWN) != SSA_EFORK)
        return 2;
    if (!strstr(ssa_client_error(client), "before a fork"))
        return 3;
    if (ssa_future_test(future) != SSA_EFORK || ssa_wait_any(&future, 1, 0, &index) != SSA_EFORK)
        return 4;
    if (!strstr(ssa_future_error(future), "before a fork"))
        return 7;
    int found;
    if (ssa_batch_execute(gathered, OWN) != SSA_EFORK || ssa_batch_key_exists(gathered, NAME("x"), &found) != SSA_EFORK)
        return 6;
    ssa_future_free(future);
    ssa_batch_free(gathered);
    ssa_batch_free(started);
    ssa_client_free(client);
    ssa_client *own;
    if (ssa_client_new(NULL, &own) || ssa_unpack_tensor(own, NAME("forked"), &array, OWN) || value != 4.5)
        return 5;
    ssa_client_free(own);
    return 0;
}

static void test_fork(void) {
    double value = 4.5, back = 0;
    ssa_future *future;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    client = face_open();
    OK(ssa_put_tensor(client, NAME("forked"), &array, OWN));
    array.data = &back;
    OK(ssa_start_unpack_tensor(client, NAME("forked"), &array, OWN, &future));
    ssa_batch *gathered, *started;
    ssa_future *of_batch;
    int before = 0, after = 0;
    OK(ssa_batch_new(client, &gathered));
    OK(ssa_batch_new(client, &started));
    OK(ssa_batch_tensor_exists(gathered, NAME("forked"), &after));
    OK(ssa_batch_tensor_exists(started, NAME("forked"), &before));
    OK(ssa_start_batch(started, OWN, &of_batch));
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(future, gathered, started));
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(ssa_future_wait(future, -1));
    CHECK(back == 4.5);
    ssa_future_free(future);
    OK(ssa_future_wait(of_batch, -1));
    OK(ssa_batch_execute(gathered, OWN));
    CHECK(before == 1 && after == 1);
    ssa_batch_free(started);
    ssa_future_free(of_batch);
    ssa_batch_free(gathered);
    OK(ssa_delete_tensor(client, NAME("forked"), OWN));
    ssa_client_free(client);
}

/* ---- while another thread frees something */

static sem_t holds_the_lock, may_go_on;
static atomic_int holds;

/* Called with the lock of the client held. */
static void hold_the_lock(void *user, ssa_log_level level, const char *text, size_t bytes) {
    (void)user, (void)level, (void)text, (void)bytes;
    if (atomic_exchange(&holds, 0)) {
        sem_post(&holds_the_lock);
        sem_wait(&may_go_on);
    }
}

typedef struct freed {
    ssa_future *future;
    ssa_batch *batch;
    ssa_client *client;
} freed;

static void *free_them(void *given) {
    const freed *them = given;
    ssa_future_free(them->future);
    ssa_batch_free(them->batch);
    ssa_client_free(them->client);
    return NULL;
}

/* One thread frees `here`, which is under way; meanwhile the child of a fork frees `there`. */
static void fork_while_freeing(freed here, freed there) {
    pthread_t thread;
    struct timespec deadline = {time(NULL) + 60, 0};
    int status = -1;
    atomic_store(&holds, 1);
    pthread_create(&thread, NULL, free_them, &here);
    CHECK(sem_timedwait(&holds_the_lock, &deadline) == 0);
    pid_t pid = fork();
    if (pid == 0) {
        alarm(20);
        free_them(&there);
        _exit(0);
    }
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    sem_post(&may_go_on);
    pthread_join(thread, NULL);
}

static void test_fork_while_another_thread_frees(void) {
    ssa_options options;
    ssa_future *futures[3];
    ssa_batch *batch;
    int found;
    sem_init(&holds_the_lock, 0, 0);
    sem_init(&may_go_on, 0, 0);
    ssa_options_init(&options, sizeof options);
    options.log_level = SSA_LOG_DEBUG;
    options.log_sink = hold_the_lock;
    OK(ssa_client_new(&options, &client));
    for (int i = 0; i < 2; i++)
        OK(ssa_start_get_tensor(client, NAME("forked"), SSA_AS_STORED, OWN, &futures[i]));
    OK(ssa_batch_new(client, &batch));
    OK(ssa_batch_tensor_exists(batch, NAME("forked"), &found));
    OK(ssa_start_batch(batch, OWN, &futures[2]));
    fork_while_freeing((freed){.future = futures[0]}, (freed){.client = client});
    fork_while_freeing((freed){.batch = batch}, (freed){.future = futures[1], .client = client});
    fork_while_freeing((freed){.client = client}, (freed){.future = futures[1]});
    ssa_future_free(futures[1]);
    ssa_future_free(futures[2]);
}

FACE_MAIN(test_fork, test_fork_while_another_thread_frees)
