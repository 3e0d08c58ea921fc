#include "status_record.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void put_u32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (8 * i));
}

static void put_u64(unsigned char *at, uint64_t value) {
    for (int i = 0; i < 8; i++) at[i] = (unsigned char)(value >> (8 * i));
}

static uint32_t crc32_of(const unsigned char *bytes, size_t length) {
    uint32_t crc = 0xFFFFFFFFu;
    for (size_t i = 0; i < length; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
    }
    return ~crc;
}

/* First line of a file of /proc, without its newline; empty when there is none. */
static void read_line(const char *path, char *out, size_t size) {
    out[0] = '\0';
    FILE *file = fopen(path, "re");
    if (!file) return;
    if (!fgets(out, (int)size, file)) out[0] = '\0';
    fclose(file);
    out[strcspn(out, "\n")] = '\0';
}

/* Field 22 of proc(5) stat. The name in field 2 may hold blanks and parentheses: count from the last one. */
static uint64_t start_time_of(pid_t pid) {
    char path[64], line[1024];
    snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    read_line(path, line, sizeof line);
    char *at = strrchr(line, ')');
    for (int field = 2; at && field < 22; field++) at = strchr(at + 1, ' ');
    return at ? strtoull(at + 1, NULL, 10) : 0;
}

int64_t ssa_wall_clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

int ssa_record_create(ssa_record *record, const char *path) {
    memset(record, 0, sizeof *record);
    record->fd = open(path, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600);
    if (record->fd < 0) return -1;
#ifdef __APPLE__
    int error = ftruncate(record->fd, SSA_RECORD_SIZE) ? errno : 0;
#else
    int error = posix_fallocate(record->fd, 0, SSA_RECORD_SIZE);
#endif
    if (error) {
        errno = error;
        return -1;
    }
    record->state = SSA_STARTING;
    record->exit_code = -1;
    record->launcher_pid = getpid();
    record->launcher_start = start_time_of(record->launcher_pid);
    record->started_ns = ssa_wall_clock_ns();
    read_line("/proc/sys/kernel/random/boot_id", record->boot_id, sizeof record->boot_id);
    if (gethostname(record->host, sizeof record->host - 1)) record->host[0] = '\0';
    return ssa_record_write(record);
}

void ssa_record_set_workload(ssa_record *record, pid_t pid) {
    record->workload_pid = pid;
    record->workload_start = start_time_of(pid);
}

int ssa_record_write(ssa_record *record) {
    unsigned char bytes[SSA_RECORD_SIZE] = {0};
    record->sequence++;
    memcpy(bytes, "SSALNCH", 8);
    put_u32(bytes + 8, 1);
    put_u32(bytes + 12, SSA_RECORD_SIZE);
    put_u32(bytes + 16, record->state);
    put_u32(bytes + 20, record->sequence);
    put_u32(bytes + 24, (uint32_t)record->launcher_pid);
    put_u32(bytes + 28, (uint32_t)record->workload_pid);
    put_u64(bytes + 32, record->launcher_start);
    put_u64(bytes + 40, record->workload_start);
    put_u64(bytes + 48, (uint64_t)record->started_ns);
    put_u64(bytes + 56, (uint64_t)record->ended_ns);
    put_u32(bytes + 64, (uint32_t)record->exit_code);
    put_u32(bytes + 68, (uint32_t)record->end_signal);
    put_u32(bytes + 72, (uint32_t)record->stop_signal);
    put_u32(bytes + 76, record->core_dumped);
    put_u32(bytes + 80, (uint32_t)record->error_number);
    put_u32(bytes + 84, record->error_step);
    put_u64(bytes + 88, (uint64_t)record->user_us);
    put_u64(bytes + 96, (uint64_t)record->system_us);
    put_u64(bytes + 104, (uint64_t)record->maxrss_kib);
    put_u32(bytes + 112, record->leftovers);
    put_u32(bytes + 116, record->stops);
    put_u32(bytes + 120, record->cause);
    put_u32(bytes + 124, record->rung);
    memcpy(bytes + 128, record->boot_id, sizeof record->boot_id);
    memcpy(bytes + 168, record->host, sizeof record->host);
    put_u32(bytes + 508, crc32_of(bytes, 508));
    ssize_t written = pwrite(record->fd, bytes, sizeof bytes, 0);
    return written == (ssize_t)sizeof bytes ? 0 : -1;
}
