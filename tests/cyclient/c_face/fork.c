/* After a fork: the child's calls are refused, it may free what it has, and the parent does not notice. */
#include "face.h"

#include <sys/wait.h>
#include <unistd.h>

static ssa_client *client;

static int child(ssa_future *future) {
    double value = 0;
    size_t index;
    ssa_array array = face_array(&value, SSA_FLOAT64, NULL, 0, SSA_ROW_MAJOR);
    if (ssa_unpack_tensor(client, NAME("forked"), &array, OWN) != SSA_EFORK)
        return 2;
    if (!strstr(ssa_client_error(client), "before a fork"))
        return 3;
    if (ssa_future_test(future) != SSA_EFORK || ssa_wait_any(&future, 1, 0, &index) != SSA_EFORK)
        return 4;
    ssa_future_free(future);
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
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(future));
    int status = -1;
    CHECK(waitpid(pid, &status, 0) == pid);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    OK(ssa_future_wait(future, -1));
    CHECK(back == 4.5);
    ssa_future_free(future);
    OK(ssa_delete_tensor(client, NAME("forked"), OWN));
    ssa_client_free(client);
}

FACE_MAIN(test_fork)
