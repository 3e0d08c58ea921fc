// links: allocator log
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "log.h"

static const char path[] = "written.log"; /* in the folder that the test was started in */

typedef struct heard {
    ssa_log_level level;
    char text[2 * SSA_LOG_LINE_BYTES];
    size_t bytes;
    int lines;
} heard;

static void hear(void *user, ssa_log_level level, const char *text, size_t bytes) {
    heard *h = user;
    h->level = level;
    memcpy(h->text, text, bytes);
    h->text[bytes] = 0;
    h->bytes = bytes;
    h->lines++;
}

static ssa_log log_to(heard *h, ssa_log_level level) {
    ssa_log log;
    ssa_log_init(&log);
    *h = (heard){0};
    log.level = level;
    log.sink = hear;
    log.user = h;
    return log;
}

/* Its length; the file is gone afterwards. */
static size_t read_and_remove(char *text, size_t room) {
    FILE *file = fopen(path, "r");
    size_t bytes = file ? fread(text, 1, room - 1, file) : 0;
    text[bytes] = 0;
    if (file)
        fclose(file);
    unlink(path);
    return bytes;
}

static void test_only_what_is_wanted_is_said(void) {
    heard h;
    for (int level = SSA_LOG_QUIET; level <= SSA_LOG_DEBUG; level++) {
        ssa_log log = log_to(&h, (ssa_log_level)level);
        for (int said = SSA_LOG_QUIET; said <= SSA_LOG_DEBUG; said++)
            ssa_log_write(&log, (ssa_log_level)said, "line %d", said);
        CHECK_NUMBER(h.lines, level);
        if (level)
            CHECK_NUMBER(h.level, level);
    }
}

static void test_without_a_place_it_goes_to_standard_error(void) {
    char text[400];
    int kept = dup(STDERR_FILENO), file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    ssa_log log;
    ssa_log_init(&log);
    dup2(file, STDERR_FILENO);
    ssa_log_write(&log, SSA_LOG_ERROR, "it is quiet");
    log.level = SSA_LOG_DEBUG;
    ssa_log_write(&log, SSA_LOG_ERROR, "everybody hears it");
    ssa_log_close(&log);
    ssa_log_write(&log, SSA_LOG_ERROR, "it is closed");
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(file);
    read_and_remove(text, sizeof text);
    CHECK(strstr(text, " error ") && strstr(text, " everybody hears it\n"));
    CHECK(!strstr(text, "quiet") && !strstr(text, "closed"));
}

static void test_a_line_stays_one_line(void) {
    heard h;
    ssa_log log = log_to(&h, SSA_LOG_INFO);
    ssa_log_write(&log, SSA_LOG_INFO, "a\nb\r\tc %s\x1b.", "d");
    CHECK_TEXT(h.text, "a b  c d .");
    ssa_log_write(&log, SSA_LOG_INFO,
                  "gr\xc3\xb6\xc3\x9f"
                  "e");
    CHECK_TEXT(h.text, "gr\xc3\xb6\xc3\x9f"
                       "e");
}

static void test_a_long_line_is_cut(void) {
    heard h;
    ssa_log log = log_to(&h, SSA_LOG_INFO);
    ssa_log_write(&log, SSA_LOG_INFO, "%*s", 10 * SSA_LOG_LINE_BYTES, "x");
    CHECK(h.bytes > SSA_LOG_LINE_BYTES - 60 && h.bytes < SSA_LOG_LINE_BYTES);
}

static void test_errno_is_kept(void) {
    heard h;
    ssa_log log = log_to(&h, SSA_LOG_INFO);
    errno = ENOENT;
    ssa_log_write(&log, SSA_LOG_INFO, "%m");
    CHECK_TEXT(h.text, "No such file or directory");
    CHECK_NUMBER(errno, ENOENT);
}

static void test_lines_in_the_file_begin_with_time_level_and_process(void) {
    ssa_log log;
    char text[400], level[10], end;
    int year, month, day, hour, minute, second, milliseconds;
    long process;
    ssa_log_init(&log);
    time_t before = time(NULL);
    CHECK(ssa_log_open(&log, path) == SSA_OK);
    log.level = SSA_LOG_INFO;
    ssa_log_write(&log, SSA_LOG_ERROR, "lost %s", "10.0.0.7:6379");
    ssa_log_close(&log);
    CHECK(!ssa_log_wants(&log, SSA_LOG_ERROR));
    size_t bytes = read_and_remove(text, sizeof text);
    CHECK_NUMBER(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ %9s %ld lost 10.0.0.7:6379%c", &year, &month, &day, &hour,
                        &minute, &second, &milliseconds, level, &process, &end),
                 10);
    CHECK_TEXT(level, "error");
    CHECK_NUMBER(process, getpid());
    CHECK(end == '\n' && text[bytes - 1] == '\n' && text[23] == 'Z');
    struct tm utc = {.tm_year = year - 1900,
                     .tm_mon = month - 1,
                     .tm_mday = day,
                     .tm_hour = hour,
                     .tm_min = minute,
                     .tm_sec = second};
    time_t said = timegm(&utc);
    CHECK(said >= before && said <= time(NULL));
}

static void test_the_file_is_ours_and_grows(void) {
    ssa_log log;
    struct stat status;
    char text[400];
    ssa_log_init(&log);
    log.level = SSA_LOG_INFO;
    for (int i = 0; i < 3; i++) {
        CHECK(ssa_log_open(&log, path) == SSA_OK); /* the earlier one is closed */
        ssa_log_write(&log, SSA_LOG_INFO, "line");
    }
    CHECK(!stat(path, &status) && (status.st_mode & 0777) == 0600);
    CHECK(fcntl(log.descriptor, F_GETFD) & FD_CLOEXEC);
    ssa_log_close(&log);
    ssa_log_close(&log);
    size_t lines = 0, bytes = read_and_remove(text, sizeof text);
    for (size_t i = 0; i < bytes; i++)
        lines += text[i] == '\n';
    CHECK_NUMBER(lines, 3);
}

/* Each line is one write, so those of several processes do not mix. */
static void test_several_processes_may_share_a_file(void) {
    enum { PROCESSES = 4, LINES = 200 };
    ssa_log log;
    pid_t children[PROCESSES];
    ssa_log_init(&log);
    CHECK(ssa_log_open(&log, path) == SSA_OK);
    log.level = SSA_LOG_INFO;
    for (int i = 0; i < PROCESSES; i++)
        if (!(children[i] = fork())) {
            for (int line = 0; line < LINES; line++)
                ssa_log_write(&log, SSA_LOG_INFO, "<%0200d>", i);
            _exit(0);
        }
    for (int i = 0; i < PROCESSES; i++)
        CHECK_NUMBER(waitpid(children[i], NULL, 0), children[i]);
    ssa_log_close(&log);
    static char text[PROCESSES * LINES * 260];
    size_t whole = 0;
    read_and_remove(text, sizeof text);
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        const char *open = strchr(line, '<');
        whole += open && strspn(open + 1, "0123") == 200 && !strcmp(open + 201, ">");
    }
    CHECK_NUMBER(whole, PROCESSES * LINES);
}

static void test_a_file_that_cannot_be_is_told(void) {
    ssa_log log;
    ssa_log_init(&log);
    errno = 0;
    CHECK(ssa_log_open(&log, "no/such/folder/x.log") == SSA_ESYSTEM);
    CHECK_NUMBER(errno, ENOENT);
    CHECK_NUMBER(log.descriptor, -1);
}

static void test_a_full_disk_is_no_error(void) {
    ssa_log log;
    ssa_log_init(&log);
    log.level = SSA_LOG_INFO;
    CHECK(ssa_log_open(&log, "/dev/full") == SSA_OK);
    ssa_log_write(&log, SSA_LOG_INFO, "goes nowhere");
    ssa_log_close(&log);
}

static void test_levels_have_words(void) {
    for (int level = SSA_LOG_QUIET; level <= SSA_LOG_DEBUG; level++) {
        const char *word = ssa_log_level_name((ssa_log_level)level);
        CHECK_NUMBER(ssa_log_level_parse(word, strlen(word)), level);
    }
    CHECK_NUMBER(ssa_log_level_parse("DEBUG", 5), SSA_LOG_DEBUG);
    CHECK_NUMBER(ssa_log_level_parse("debugging", 9), -1);
    CHECK_NUMBER(ssa_log_level_parse("debug", 4), -1);
    CHECK_NUMBER(ssa_log_level_parse("", 0), -1);
    CHECK_TEXT(ssa_log_level_name((ssa_log_level)7), "unknown");
}

CHECK_MAIN(NULL, test_only_what_is_wanted_is_said, test_without_a_place_it_goes_to_standard_error,
           test_a_line_stays_one_line, test_a_long_line_is_cut,
           test_errno_is_kept, test_lines_in_the_file_begin_with_time_level_and_process,
           test_the_file_is_ours_and_grows, test_several_processes_may_share_a_file, test_a_file_that_cannot_be_is_told,
           test_a_full_disk_is_no_error, test_levels_have_words)
