#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static const char *const words[] = {"quiet", "error", "info", "debug"};

#define LEVELS ((int)(sizeof words / sizeof *words))

void ssa_log_init(ssa_log *log) {
    *log = (ssa_log){.level = SSA_LOG_QUIET, .descriptor = -1};
}

ssa_status ssa_log_open(ssa_log *log, const char *path) {
    int descriptor;
    do
        descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0)
        return SSA_ESYSTEM;
    if (log->descriptor >= 0)
        close(log->descriptor);
    log->descriptor = descriptor;
    return SSA_OK;
}

void ssa_log_close(ssa_log *log) {
    if (log->descriptor >= 0)
        close(log->descriptor);
    ssa_log_init(log);
}

/* "2026-03-14T15:09:26.535Z info 4711 " Returns its length. */
static size_t begin_line(char *line, size_t room, ssa_log_level level) {
    struct timespec now;
    struct tm utc;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &utc);
    size_t bytes = strftime(line, room, "%Y-%m-%dT%H:%M:%S", &utc);
    bytes += (size_t)snprintf(line + bytes, room - bytes, ".%03ldZ %s %ld ", now.tv_nsec / 1000000,
                              ssa_log_level_name(level), (long)getpid());
    return bytes;
}

static void write_line(int descriptor, const char *line, size_t bytes) {
    while (write(descriptor, line, bytes) < 0 && errno == EINTR)
        ;
}

void ssa_log_write(const ssa_log *log, ssa_log_level level, const char *format, ...) {
    if (!ssa_log_wants(log, level))
        return;
    int kept = errno;
    char line[SSA_LOG_LINE_BYTES];
    size_t head = begin_line(line, sizeof line, level), room = sizeof line - head;
    va_list arguments;
    va_start(arguments, format);
    errno = kept; /* for %m */
    int wanted = vsnprintf(line + head, room, format, arguments);
    va_end(arguments);
    size_t bytes = wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
    for (char *at = line + head; at < line + head + bytes; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = ' ';
    if (log->sink)
        log->sink(log->user, level, line + head, bytes);
    line[head + bytes] = '\n'; /* in the place of the NUL */
    if (log->descriptor >= 0 || !log->sink)
        write_line(log->descriptor >= 0 ? log->descriptor : STDERR_FILENO, line, head + bytes + 1);
    errno = kept;
}

const char *ssa_log_level_name(ssa_log_level level) {
    return (int)level >= 0 && (int)level < LEVELS ? words[level] : "unknown";
}

int ssa_log_level_parse(const char *word, size_t bytes) {
    for (int level = 0; level < LEVELS; level++)
        if (strlen(words[level]) == bytes && !strncasecmp(words[level], word, bytes))
            return level;
    return -1;
}
