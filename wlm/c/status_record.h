/* The status record: what a launcher leaves behind about one attempt, in a file of fixed size.
 *
 * The file is allocated in full before anything is started, so a disk that fills up later cannot lose the result. Every
 * write replaces the whole record in one pwrite; readers compare the checksum and read again when it does not fit.
 * All numbers are little-endian; wlm/status_record.py reads the same table.
 *
 *  offset size  field
 *       0    8  magic "SSALNCH\0"
 *       8    4  version (1)
 *      12    4  size of the record (512)
 *      16    4  state (ssa_state)
 *      20    4  sequence: number of writes so far
 *      24    4  pid of the launcher
 *      28    4  pid of the workload; 0: not started. Also its process group and its session
 *      32    8  start time of the launcher, in clock ticks since boot; 0: unknown on this system
 *      40    8  start time of the workload, likewise
 *      48    8  wall clock at the start, in nanoseconds since 1970
 *      56    8  wall clock at the end of the workload's main process; 0: not over
 *      64    4  exit code; -1: none (runs, or ended by a signal)
 *      68    4  signal that ended it; 0: none
 *      72    4  signal that last stopped it (SIGSTOP, SIGTSTP ...); 0: never stopped
 *      76    4  1: a core was dumped
 *      80    4  errno of the start that failed; 0: it did not fail
 *      84    4  step of the start that failed (ssa_step)
 *      88    8  user time of the workload and of the children it waited for, in microseconds
 *      96    8  system time, likewise
 *     104    8  largest resident set, in KiB
 *     112    4  leftovers: processes still there when the main process was over
 *     116    4  number of times it was stopped
 *     120    4  who asked for the end (ssa_cause)
 *     124    4  last rung of the stop ladder (ssa_rung)
 *     128   40  boot id, NUL-padded; empty: unknown on this system
 *     168  256  host name, NUL-padded
 *     424   84  reserved, 0
 *     508    4  CRC-32 (that of zlib) of bytes 0 to 507
 */
#ifndef SSA_STATUS_RECORD_H
#define SSA_STATUS_RECORD_H

#include <stdint.h>
#include <sys/types.h>

#define SSA_RECORD_SIZE 512

typedef enum {
    SSA_STARTING = 1,        /* nothing runs yet, or exec has not been reached */
    SSA_RUNNING = 2,         /* exec succeeded */
    SSA_STOPPED = 3,         /* by a signal: alive, but does nothing */
    SSA_CONTINUED = 4,       /* runs again after a stop */
    SSA_ENDING = 5,          /* the main process is over, the fields of its end are final; leftovers are being ended */
    SSA_EXITED = 6,          /* final: nothing of the workload is left */
    SSA_FAILED_TO_START = 7, /* final: exec was never reached; errno and step say why */
} ssa_state;

typedef enum {
    SSA_STEP_NONE = 0,
    SSA_STEP_FORK = 1,
    SSA_STEP_SETUP = 2, /* session, parent-death signal, /dev/null */
    SSA_STEP_CWD = 3,
    SSA_STEP_OUTPUT = 4,
    SSA_STEP_ERROR = 5,
    SSA_STEP_EXEC = 6,
} ssa_step;

typedef enum {
    SSA_CAUSE_ITSELF = 0, /* nobody asked */
    SSA_CAUSE_DRIVER = 1, /* stop or kill over the channel */
    SSA_CAUSE_SIGNAL = 2, /* the launcher got SIGTERM, SIGINT or SIGHUP */
    SSA_CAUSE_ORPHAN = 3, /* no driver held the experiment's lock for orphan_timeout */
} ssa_cause;

typedef enum {
    SSA_RUNG_NONE = 0,
    SSA_RUNG_SIGNAL = 1, /* the job's own stop signal */
    SSA_RUNG_TERM = 2,
    SSA_RUNG_KILL = 3,
} ssa_rung;

typedef struct {
    int fd;
    ssa_state state;
    uint32_t sequence;
    pid_t launcher_pid, workload_pid;
    uint64_t launcher_start, workload_start;
    int64_t started_ns, ended_ns;
    int32_t exit_code, end_signal, stop_signal;
    uint32_t core_dumped;
    int32_t error_number;
    ssa_step error_step;
    int64_t user_us, system_us, maxrss_kib;
    uint32_t leftovers, stops;
    ssa_cause cause;
    ssa_rung rung;
    char boot_id[40];
    char host[256];
} ssa_record;

/* Create the file at `path` (it must not exist), allocate it, fill in launcher, host and boot, write it as SSA_STARTING.
 * Returns 0, or -1 with errno set. */
int ssa_record_create(ssa_record *record, const char *path);

/* Write the record with its present fields. Returns 0, or -1 with errno set. Never allocates. */
int ssa_record_write(ssa_record *record);

/* Fill in pid and start time of the workload. */
void ssa_record_set_workload(ssa_record *record, pid_t pid);

/* Wall clock in nanoseconds since 1970. */
int64_t ssa_wall_clock_ns(void);

#endif
