// links: allocator home_process
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "home_process.h"

static int is_at_home_in_child(const ssa_home_process *home) {
    pid_t child = fork();
    if (child == 0)
        _exit(ssa_is_at_home(home));
    int ended = 0;
    CHECK_NUMBER(waitpid(child, &ended, 0), child);
    CHECK(WIFEXITED(ended));
    return WEXITSTATUS(ended);
}

static void test_a_child_of_a_fork_is_another_process(void) {
    ssa_home_process home;
    ssa_home_process_init(&home);
    CHECK(ssa_is_at_home(&home));
    CHECK(!is_at_home_in_child(&home));
    CHECK(ssa_is_at_home(&home));
    ssa_home_process_end(&home);
}

static void test_without_a_page_the_pid_tells(void) {
    ssa_home_process home = {.pid = (int)getpid(), .page = NULL};
    CHECK(ssa_is_at_home(&home));
    CHECK(!is_at_home_in_child(&home));
    ssa_home_process_end(&home);
}

CHECK_MAIN(NULL, test_a_child_of_a_fork_is_another_process, test_without_a_page_the_pid_tells)
