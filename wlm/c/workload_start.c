#include "workload_start.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

extern char **environ;

static _Noreturn void fail(int report_fd, ssa_step step) {
    ssa_start_report report = {step, errno};
    ssize_t ignored = write(report_fd, &report, sizeof report);
    (void)ignored;
    _exit(127);
}

/* exec with the PATH of the workload. Not execvp: that hands a file which is no program to /bin/sh. */
static void search_and_exec(char **command) {
    const char *name = command[0], *path = getenv("PATH");
    int error = ENOENT;
    if (strchr(name, '/') || !*name) {
        execve(name, command, environ);
        return;
    }
    for (const char *at = path ? path : "/usr/local/bin:/bin:/usr/bin"; at;) {
        const char *end = strchr(at, ':');
        int length = end ? (int)(end - at) : (int)strlen(at);
        char full[PATH_MAX];
        int size = length ? snprintf(full, sizeof full, "%.*s/%s", length, at, name)
                          : snprintf(full, sizeof full, "./%s", name);
        if (size > 0 && (size_t)size < sizeof full) {
            execve(full, command, environ);
            /* As the shell does: a later folder may hold the real one, but remember that this one was not allowed. */
            if (errno == EACCES) error = EACCES;
            else if (errno != ENOENT && errno != ENOTDIR) return;
        }
        at = end ? end + 1 : NULL;
    }
    errno = error;
}

static void redirect(int report_fd, ssa_step step, const char *path, int flags, int target) {
    int fd = open(path, flags | O_CLOEXEC, 0666);
    if (fd < 0 || dup2(fd, target) < 0) fail(report_fd, step);
}

static _Noreturn void become_workload(const ssa_options *options, int report_fd, pid_t launcher) {
    struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t none;
    for (int number = 1; number < NSIG; number++) sigaction(number, &standard, NULL);
    if (setsid() < 0) fail(report_fd, SSA_STEP_SETUP);
#ifdef __linux__
    if (!options->portable) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL)) fail(report_fd, SSA_STEP_SETUP);
        /* A launcher that died before the call above sends no signal any more. */
        if (getppid() != launcher) _exit(127);
    }
#else
    (void)launcher;
#endif
    redirect(report_fd, SSA_STEP_SETUP, "/dev/null", O_RDONLY, STDIN_FILENO);
    if (chdir(options->cwd)) fail(report_fd, SSA_STEP_CWD);
    redirect(report_fd, SSA_STEP_OUTPUT, options->output, O_WRONLY | O_CREAT | O_APPEND, STDOUT_FILENO);
    redirect(report_fd, SSA_STEP_ERROR, options->error, O_WRONLY | O_CREAT | O_APPEND, STDERR_FILENO);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    search_and_exec(options->command);
    fail(report_fd, SSA_STEP_EXEC);
}

pid_t ssa_workload_start(const ssa_options *options, int *report_fd) {
    int pipe_fds[2];
    sigset_t all, before;
    if (pipe(pipe_fds)) return -1;
    fcntl(pipe_fds[0], F_SETFD, FD_CLOEXEC);
    fcntl(pipe_fds[1], F_SETFD, FD_CLOEXEC);
    /* A signal between fork and the reset of the handlers must stay pending, not run the launcher's handler. */
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &before);
    pid_t launcher = getpid(), pid = fork();
    if (pid == 0) become_workload(options, pipe_fds[1], launcher);
    int error = errno;
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(pipe_fds[1]);
    if (pid < 0) close(pipe_fds[0]);
    *report_fd = pipe_fds[0];
    errno = error;
    return pid;
}

ssa_start_report ssa_start_report_read(int report_fd) {
    ssa_start_report report = {SSA_STEP_NONE, 0};
    ssize_t got;
    do got = read(report_fd, &report, sizeof report);
    while (got < 0 && errno == EINTR);
    close(report_fd);
    if (got != (ssize_t)sizeof report) return (ssa_start_report){SSA_STEP_NONE, 0};
    return report;
}
