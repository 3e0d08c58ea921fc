/* Start the workload: fork, set up, exec. What goes wrong on the way is told apart from what the program itself
 * returns, through a close-on-exec pipe: it ends empty when exec succeeded. */
#ifndef SSA_WORKLOAD_START_H
#define SSA_WORKLOAD_START_H

#include "options.h"
#include "status_record.h"

typedef struct {
    ssa_step step; /* SSA_STEP_NONE: exec succeeded */
    int error_number;
} ssa_start_report;

/* Fork. Returns the pid and, in *report_fd, the pipe to read the report from; or -1 with errno set. The workload leads
 * its own session and process group, reads /dev/null, has all signals at their default and (on Linux) gets SIGKILL
 * when the launcher dies. */
pid_t ssa_workload_start(const ssa_options *options, int *report_fd);

/* Read the report once report_fd is readable, and close it. */
ssa_start_report ssa_start_report_read(int report_fd);

#endif
