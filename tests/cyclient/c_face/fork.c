/* After a fork: the child's calls are refused, it may free what it has, and the parent does not notice. */
#include "face.h"

#include <sys/wait.h>
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

FACE_MAIN(test_fork)
