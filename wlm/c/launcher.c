/* The launcher: stands between the driver and one workload, and outlives the driver if it must.
 *
 * The driver hands over two descriptors: the attempt's lock file, already locked (held = this attempt is alive, whatever
 * a pid says), and one end of a socket pair. Over it come control frames of 8 bytes (below); out go single bytes, the
 * ssa_state that the status record has just got. When the driver dies the launcher goes on: the record tells a later
 * driver what happened. It ends only when nothing of the workload is left.
 *
 * One thread, one poll(2). Signals arrive as flags and a byte in a pipe of its own: signalfd would save the pipe, but
 * this way there is one loop for every system. Nothing here is polled in time except what cannot tell by itself: the
 * experiment's lock after the driver's death, and the last leftovers of a workload that is being killed.
 *
 * Rejected: a shell or Python in between (a pid more that can be killed, stopped or confused, and tens of MiB for each
 * of thousands of workloads), and letting the driver be the parent (an exit status dies with it).
 *
 * The limit: a launcher that is itself killed with SIGKILL. The workload's main process goes with it (parent-death
 * signal), and the driver, if it lives, ends the workload's process group and all that carries the attempt's token in
 * its environment. A descendant that has left the group AND dropped the environment (`env -i setsid ...`) belongs to
 * init from then on and bears no mark: it survives, though the attempt's lock is free. Without a driver all descendants
 * but the main process survive. Not cured, because each remedy costs more than it mends: walking /proc in time wakes
 * every launcher for what hardly happens and misses what is younger than the last walk; a driver that is a subreaper
 * would take over the orphans of whatever program imports it; a second process that guards the first doubles their
 * number and falls to the same `killall -9`; a pid namespace changes what MPI and files see. A cgroup of its own for
 * each attempt would be right, and is the thing to add where a workload manager lets us write to one.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "descendants.h"
#include "experiment_lock.h"
#include "options.h"
#include "status_record.h"
#include "workload_start.h"

/* Control frame: operation, signal, two zero bytes, milliseconds of grace (little-endian). */
enum { FRAME_SIZE = 8, OP_STOP = 'S', OP_KILL = 'K', OP_SIGNAL = 'N' };

enum { EXIT_USAGE = 64, EXIT_NO_RECORD = 73 };

/* A stop signal other than SIGTERM that did not help is followed by SIGTERM, for this long. */
static const double TERM_SECONDS = 1.0;
/* Between two looks at what survives SIGKILL: forks that slipped through, or a process in an uninterruptible wait. */
static const double KILL_AGAIN_SECONDS = 0.02, KILL_AGAIN_LONGEST = 1.0;

typedef struct {
    ssa_options options;
    ssa_record record;
    ssa_descendants descendants;
    int report_fd;         /* -1: exec has been reported */
    bool driver_gone;
    bool workload_over;    /* the main process has been waited for */
    bool over;             /* nothing is left */
    double deadline;       /* next rung of the stop ladder; 0: none */
    double kill_again;
    double next_look;      /* next look at the experiment's lock; 0: none */
    double absent_since;   /* no driver since then; 0: there is one */
    unsigned char frame[FRAME_SIZE];
    size_t frame_filled;
} launcher;

static int wake_pipe[2];
static volatile sig_atomic_t child_changed, stop_requested;

static void on_signal(int number) {
    int before = errno;
    if (number == SIGCHLD) child_changed = 1;
    else stop_requested = 1;
    ssize_t ignored = write(wake_pipe[1], "", 1);
    (void)ignored;
    errno = before;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void note(launcher *self, ssa_state state) {
    unsigned char byte = (unsigned char)state;
    self->record.state = state;
    ssa_record_write(&self->record);
    /* A full or closed channel loses the wake-up, not the record. */
    if (!self->driver_gone) (void)!write(SSA_CHANNEL_FD, &byte, 1);
}

/* ---- the stop ladder: the job's signal, SIGTERM, SIGKILL ---- */

static void signal_group(launcher *self, int number) {
    pid_t pid = self->record.workload_pid;
    /* Not yet waited for, so neither pid nor group can belong to a stranger. Before its setsid it leads no group. */
    if (pid > 0 && !self->workload_over && kill(-pid, number)) kill(pid, number);
}

static void end_leftovers(launcher *self) {
    ssa_descendants_signal(&self->descendants, SIGTERM);
    ssa_descendants_signal(&self->descendants, SIGCONT);
}

static void climb_to_kill(launcher *self) {
    self->record.rung = SSA_RUNG_KILL;
    signal_group(self, SIGKILL);
    ssa_descendants_signal(&self->descendants, SIGKILL);
    self->kill_again = self->kill_again > 0 ? self->kill_again * 2 : KILL_AGAIN_SECONDS;
    if (self->kill_again > KILL_AGAIN_LONGEST) self->kill_again = KILL_AGAIN_LONGEST;
    /* No last deadline: what SIGKILL has not ended is alive, and the held lock says so. The driver has its own. */
    self->deadline = now() + self->kill_again;
}

static void stop(launcher *self, int number, double grace, ssa_cause cause) {
    double deadline = now() + grace;
    if (self->record.rung == SSA_RUNG_KILL) return;
    if (self->record.rung == SSA_RUNG_NONE) {
        self->record.cause = cause;
        self->record.rung = number == SIGTERM ? SSA_RUNG_TERM : SSA_RUNG_SIGNAL;
        self->deadline = deadline;
        signal_group(self, number);
        signal_group(self, SIGCONT); /* a stopped process cannot end itself */
    }
    if (deadline < self->deadline) self->deadline = deadline; /* asked again: sooner, never later */
}

static void climb(launcher *self) {
    if (self->record.rung == SSA_RUNG_SIGNAL && !self->workload_over) {
        self->record.rung = SSA_RUNG_TERM;
        self->deadline = now() + TERM_SECONDS;
        signal_group(self, SIGTERM);
    } else {
        climb_to_kill(self);
    }
}

/* ---- what the driver says ---- */

static void obey(launcher *self, const unsigned char *frame) {
    uint32_t grace = frame[4] | (uint32_t)frame[5] << 8 | (uint32_t)frame[6] << 16 | (uint32_t)frame[7] << 24;
    if (frame[0] == OP_STOP) {
        stop(self, frame[1], grace / 1000.0, SSA_CAUSE_DRIVER);
    } else if (frame[0] == OP_KILL) {
        if (self->record.rung == SSA_RUNG_NONE) self->record.cause = SSA_CAUSE_DRIVER;
        climb_to_kill(self);
    } else if (frame[0] == OP_SIGNAL) {
        signal_group(self, frame[1]);
    }
}

static void listen_to_driver(launcher *self) {
    for (;;) {
        ssize_t got = read(SSA_CHANNEL_FD, self->frame + self->frame_filled, FRAME_SIZE - self->frame_filled);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
        if (got <= 0) break;
        self->frame_filled += (size_t)got;
        if (self->frame_filled < FRAME_SIZE) continue;
        self->frame_filled = 0;
        obey(self, self->frame);
    }
    self->driver_gone = true;
    if (self->options.orphan_timeout >= 0) self->next_look = now();
}

/* ---- what the workload does ---- */

static void take_start_report(launcher *self) {
    ssa_start_report report = ssa_start_report_read(self->report_fd);
    self->report_fd = -1;
    self->record.error_step = report.step;
    self->record.error_number = report.error_number;
    if (report.step == SSA_STEP_NONE) note(self, SSA_RUNNING);
}

static int64_t microseconds(struct timeval time) { return (int64_t)time.tv_sec * 1000000 + time.tv_usec; }

static void workload_ended(launcher *self, int status, const struct rusage *usage) {
    ssa_record *record = &self->record;
    if (self->report_fd >= 0) take_start_report(self);
    self->workload_over = true;
    /* A kill comes as a frame and, at the same moment, as a signal: the frame says who is to be named as its cause
     * (test_launcher_that_hangs_does_not_hold_up_a_stop). */
    if (!self->driver_gone) listen_to_driver(self);
    record->ended_ns = ssa_wall_clock_ns();
    if (WIFEXITED(status)) record->exit_code = WEXITSTATUS(status);
    if (WIFSIGNALED(status)) {
        record->end_signal = WTERMSIG(status);
        record->core_dumped = WCOREDUMP(status) ? 1 : 0;
    }
    record->user_us = microseconds(usage->ru_utime);
    record->system_us = microseconds(usage->ru_stime);
#ifdef __APPLE__
    record->maxrss_kib = usage->ru_maxrss / 1024;
#else
    record->maxrss_kib = usage->ru_maxrss;
#endif
    if (record->error_step != SSA_STEP_NONE) record->exit_code = -1; /* 127 is ours, not the program's */
}

static void workload_changed(launcher *self, int status, const struct rusage *usage) {
    if (WIFSTOPPED(status)) {
        self->record.stop_signal = WSTOPSIG(status);
        self->record.stops++;
        note(self, SSA_STOPPED);
    } else if (WIFCONTINUED(status)) {
        note(self, SSA_CONTINUED);
    } else {
        workload_ended(self, status, usage);
    }
}

/* After the main process: are we done, or is there something left to end? */
static void look_for_leftovers(launcher *self, bool no_children) {
    /* A subreaper without children has no descendants. Without one only a look round tells. */
    size_t left = self->descendants.tree && no_children ? 0 : ssa_descendants_signal(&self->descendants, 0);
    if (left == 0 && (no_children || !self->descendants.tree)) {
        self->over = true;
        return;
    }
    if (self->record.state != SSA_ENDING) {
        self->record.leftovers = (uint32_t)left;
        note(self, SSA_ENDING);
        end_leftovers(self);
        if (self->record.rung == SSA_RUNG_NONE) {
            self->record.rung = SSA_RUNG_TERM;
            self->deadline = now() + self->options.grace;
        }
    }
}

static void reap(launcher *self) {
    struct rusage usage;
    int status;
    pid_t pid;
    while ((pid = wait4(-1, &status, WNOHANG | WUNTRACED | WCONTINUED, &usage)) > 0)
        if (pid == self->record.workload_pid) workload_changed(self, status, &usage);
    if (self->workload_over) look_for_leftovers(self, pid < 0 && errno == ECHILD);
}

/* ---- a driver that is gone ---- */

static void look_for_driver(launcher *self) {
    double timeout = self->options.orphan_timeout, interval = timeout / 4;
    if (!ssa_experiment_lock_is_free(self->options.driver_lock)) {
        self->absent_since = 0;
    } else if (self->absent_since == 0) {
        self->absent_since = now();
    }
    if (self->absent_since > 0 && now() - self->absent_since >= timeout) {
        self->next_look = 0;
        stop(self, self->options.stop_signal, self->options.grace, SSA_CAUSE_ORPHAN);
        return;
    }
    self->next_look = now() + (interval > 5 ? 5 : interval < 0.01 ? 0.01 : interval);
}

/* ---- the loop ---- */

static int milliseconds_to_wait(const launcher *self) {
    double at = self->deadline;
    if (self->next_look > 0 && (at == 0 || self->next_look < at)) at = self->next_look;
    /* Processes that are not our children end without telling us. */
    if (self->workload_over && !self->descendants.tree && (at == 0 || at > now() + KILL_AGAIN_SECONDS))
        at = now() + KILL_AGAIN_SECONDS;
    if (at == 0) return -1;
    double left = (at - now()) * 1000;
    return left <= 0 ? 0 : left > 1e9 ? 1000000000 : (int)left + 1;
}

static void drain_wake_pipe(void) {
    char bytes[64];
    while (read(wake_pipe[0], bytes, sizeof bytes) > 0) {}
}

static void run(launcher *self) {
    while (!self->over) {
        struct pollfd fds[] = {
            {.fd = wake_pipe[0], .events = POLLIN},
            {.fd = self->driver_gone ? -1 : SSA_CHANNEL_FD, .events = POLLIN},
            {.fd = self->report_fd, .events = POLLIN},
        };
        if (poll(fds, 3, milliseconds_to_wait(self)) < 0 && errno != EINTR) return;
        drain_wake_pipe();
        if (self->report_fd >= 0 && fds[2].revents) take_start_report(self);
        if (fds[1].revents) listen_to_driver(self);
        if (stop_requested) {
            stop_requested = 0;
            stop(self, self->options.stop_signal, self->options.grace, SSA_CAUSE_SIGNAL);
        }
        if (self->deadline > 0 && now() >= self->deadline) climb(self);
        if (self->next_look > 0 && now() >= self->next_look) look_for_driver(self);
        if (child_changed || self->workload_over) {
            child_changed = 0;
            reap(self);
        }
    }
}

static void finish(launcher *self) {
    note(self, self->record.error_step == SSA_STEP_NONE ? SSA_EXITED : SSA_FAILED_TO_START);
    fsync(self->record.fd);
    const char *directory = self->options.runtime_directory, *lock = self->options.driver_lock;
    /* A driver may also have left the directory to us while it lives on. */
    if (directory && (self->driver_gone || (lock && ssa_experiment_lock_is_free(lock)))) {
        close(SSA_LOCK_FD);
        ssa_runtime_directory_remove_if_last(directory);
    }
}

/* ---- before the workload ---- */

static void close_descriptors_from(int first) {
#if defined(__linux__) && defined(__GLIBC__) && (__GLIBC__ > 2 || __GLIBC_MINOR__ >= 34)
    if (close_range((unsigned)first, ~0u, 0) == 0) return;
#endif
    long last = sysconf(_SC_OPEN_MAX);
    for (long fd = first; fd < (last > 0 ? last : 1024); fd++) close((int)fd);
}

static int catch_signals(void) {
    static const int caught[] = {SIGCHLD, SIGTERM, SIGINT, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, ignore = {.sa_handler = SIG_IGN};
    sigset_t none;
    if (pipe(wake_pipe)) return -1;
    for (int end = 0; end < 2; end++) {
        fcntl(wake_pipe[end], F_SETFD, FD_CLOEXEC);
        fcntl(wake_pipe[end], F_SETFL, O_NONBLOCK);
    }
    for (size_t i = 0; i < sizeof caught / sizeof *caught; i++) sigaction(caught[i], &action, NULL);
    sigaction(SIGPIPE, &ignore, NULL); /* the driver may die at any moment */
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Before there is a record, the only one to tell is the driver: 'E' and a sentence. */
static int refuse(int exit_code, const char *what, const char *detail) {
    char text[512];
    int size = snprintf(text, sizeof text, "E%s%s%s", what, detail ? ": " : "", detail ? detail : "");
    (void)!write(SSA_CHANNEL_FD, text, size < (int)sizeof text ? (size_t)size : sizeof text);
    return exit_code;
}

int main(int argc, char **argv) {
    static launcher self = {.report_fd = -1};
    const char *mistake = ssa_options_parse(&self.options, argc, argv);

    close_descriptors_from(SSA_CHANNEL_FD + 1);
    fcntl(SSA_LOCK_FD, F_SETFD, FD_CLOEXEC);
    fcntl(SSA_CHANNEL_FD, F_SETFD, FD_CLOEXEC);
    fcntl(SSA_CHANNEL_FD, F_SETFL, O_NONBLOCK);
    if (mistake) return refuse(EXIT_USAGE, mistake, NULL);
    setsid(); /* away from the terminal: its Ctrl-C is the driver's to handle */
    if (catch_signals()) return refuse(EXIT_NO_RECORD, "cannot catch signals", strerror(errno));
    if (ssa_record_create(&self.record, self.options.record))
        return refuse(EXIT_NO_RECORD, "cannot write the status record", strerror(errno));

    ssa_descendants_begin(&self.descendants, self.options.portable);
    pid_t pid = ssa_workload_start(&self.options, &self.report_fd);
    if (pid < 0) {
        self.record.error_step = SSA_STEP_FORK;
        self.record.error_number = errno;
        self.report_fd = -1;
    } else {
        self.descendants.group = pid;
        ssa_record_set_workload(&self.record, pid);
        run(&self);
    }
    finish(&self);
    return 0;
}
