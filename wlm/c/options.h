/* The command line of the launcher. It holds no secret: addresses and passwords reach the workload by the inherited
 * environment, where `ps` of other users does not show them. */
#ifndef SSA_OPTIONS_H
#define SSA_OPTIONS_H

#include <stdbool.h>

/* The descriptors that the driver hands over, always under these numbers. */
enum {
    SSA_LOCK_FD = 3,    /* the attempt's lock file, already locked with flock */
    SSA_CHANNEL_FD = 4, /* one end of a socket pair: control frames come in, state bytes go out */
};

typedef struct {
    const char *record;            /* path of the status record to create */
    const char *cwd;               /* working directory of the workload */
    const char *output, *error;    /* files that its stdout and stderr are appended to; may be the same */
    const char *driver_lock;       /* the experiment's lock, held by its driver; NULL: nobody watches it */
    const char *runtime_directory; /* removed by the last launcher when the driver is gone; NULL: leave it */
    double orphan_timeout;         /* seconds without a driver until the workload is ended; < 0: never */
    double grace;                  /* seconds between the stop signal and SIGKILL */
    int stop_signal;
    bool portable;                 /* do without what only Linux has */
    char **command;                /* argv of the workload, NULL-terminated */
} ssa_options;

/* Returns NULL, or a sentence that says what is wrong with the command line. */
const char *ssa_options_parse(ssa_options *options, int argc, char **argv);

#endif
