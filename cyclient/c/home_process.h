/* Whether this is still the process that made something, and not a child that came out of a fork of it. */
#ifndef SSA_HOME_PROCESS_H
#define SSA_HOME_PROCESS_H

typedef struct ssa_home_process {
    int pid;
    volatile unsigned char *page; /* which the kernel empties in the child of a fork; NULL: there is none, and the pid is asked for */
} ssa_home_process;

void ssa_home_process_init(ssa_home_process *home);
void ssa_home_process_end(ssa_home_process *home);
/* Costs no system call: it is asked several times an operation. */
int ssa_is_at_home(const ssa_home_process *home);

#endif
