#include "settings_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "allocator.h"
#include "mistake.h"
#include "settings_table.h"

void ssa_wipe(void *memory, size_t bytes) {
    volatile unsigned char *at = memory;
    while (bytes--)
        *at++ = 0;
}

void ssa_settings_file_free(ssa_settings_file *file) {
    if (file->text)
        ssa_wipe(file->text, file->bytes);
    ssa_release(file->text);
    memset(file, 0, sizeof *file);
}

static ssa_status add_mistake(ssa_buffer *mistakes, const char *text) {
    ssa_status status = ssa_buffer_append(mistakes, text, strlen(text));
    return status ? status : ssa_buffer_append(mistakes, "\n", 1);
}

/* What is wrong with the open file, or NULL. */
static const char *unfit(int descriptor, size_t *bytes) {
    struct stat status;
    if (fstat(descriptor, &status))
        return strerror(errno);
    if (!S_ISREG(status.st_mode))
        return "name a regular file";
    if (status.st_mode & (S_IRWXG | S_IRWXO))
        return "group or others may read or write it; chmod 600 it, and change the password in it";
    if ((uint64_t)status.st_size > SSA_SETTINGS_FILE_MAX)
        return "it is longer than 64 KiB, which no file of settings is";
    *bytes = (size_t)status.st_size;
    return NULL;
}

/* The whole file, or as much as there is of it when it shrinks meanwhile. */
static const char *load(ssa_settings_file *file, int descriptor, size_t bytes) {
    while (file->bytes < bytes) {
        ssize_t got = read(descriptor, file->text + file->bytes, bytes - file->bytes);
        if (got < 0 && errno != EINTR)
            return strerror(errno);
        if (got == 0)
            break;
        file->bytes += got > 0 ? (size_t)got : 0;
    }
    return NULL;
}

static ssa_status read_whole(ssa_settings_file *file, const char *path, const char **why) {
    int descriptor;
    size_t bytes = 0;
    /* O_NONBLOCK: a FIFO is refused, not waited for. */
    do
        descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) {
        *why = strerror(errno);
        return SSA_EARGUMENT;
    }
    *why = unfit(descriptor, &bytes);
    file->text = *why ? NULL : ssa_allocate(bytes + 1);
    if (file->text)
        *why = load(file, descriptor, bytes);
    close(descriptor);
    if (*why)
        return SSA_EARGUMENT;
    if (!file->text)
        return SSA_ENOMEM;
    file->text[file->bytes++] = 0;
    return SSA_OK;
}

/* One of the names that may stand in the file, alone or with the identifier of a store behind it. */
static int is_known(const char *name, size_t bytes) {
    for (size_t i = 0; i < SSA_SETTINGS_COUNT; i++) {
        const ssa_setting *setting = &ssa_settings_table[i];
        size_t known = setting->flags & SSA_SETTING_IN_FILE ? strlen(setting->variable) : 0;
        if (known && bytes >= known && !memcmp(name, setting->variable, known) &&
            (bytes == known || name[known] == '_'))
            return 1;
    }
    return 0;
}

static ssa_status check_line(const char *path, unsigned number, const char *line, size_t bytes, ssa_buffer *mistakes) {
    char thing[200], text[SSA_MISTAKE_BYTES];
    const char *equals = memchr(line, '=', bytes);
    size_t name = equals ? (size_t)(equals - line) : 0;
    snprintf(thing, sizeof thing, "line %u of %.160s", number, path);
    if (memchr(line, 0, bytes))
        ssa_mistake_word(text, sizeof text, thing, "a line with a NUL", "write NAME=value in plain text");
    else if (!equals)
        ssa_mistake_word(text, sizeof text, thing, "a line without '='", "write NAME=value");
    else if (!is_known(line, name))
        ssa_mistake_value(text, sizeof text, thing, line, name,
                          "only SSDB, SSDB_USER, SSDB_PASSWORD and SSDB_SOCKETS may stand there");
    else
        return SSA_OK;
    ssa_status status = add_mistake(mistakes, text);
    return status ? status : SSA_EARGUMENT;
}

/* End every line with NUL, and check it. */
static ssa_status check_lines(ssa_settings_file *file, const char *path, ssa_buffer *mistakes) {
    ssa_status result = SSA_OK;
    unsigned number = 0;
    char *end = file->text + file->bytes - 1;
    for (char *line = file->text, *stop; line < end; line = stop + 1) {
        stop = memchr(line, '\n', (size_t)(end - line));
        stop = stop ? stop : end;
        size_t bytes = (size_t)(stop - line);
        if (bytes && line[bytes - 1] == '\r')
            line[--bytes] = 0;
        *stop = 0;
        number++;
        ssa_status status = bytes && *line != '#' ? check_line(path, number, line, bytes, mistakes) : SSA_OK;
        if (status == SSA_ENOMEM)
            return status;
        result = status ? status : result;
    }
    return result;
}

ssa_status ssa_settings_file_read(ssa_settings_file *file, const char *path, const char *variable,
                                  ssa_buffer *mistakes) {
    const char *why = NULL;
    memset(file, 0, sizeof *file);
    ssa_status status = read_whole(file, path, &why);
    if (why) {
        char text[SSA_MISTAKE_BYTES];
        ssa_mistake_value(text, sizeof text, variable, path, strlen(path), why);
        status = add_mistake(mistakes, text) ? SSA_ENOMEM : SSA_EARGUMENT;
    }
    if (!status)
        status = check_lines(file, path, mistakes);
    if (status)
        ssa_settings_file_free(file);
    return status;
}

const char *ssa_settings_file_find(const ssa_settings_file *file, const char *name) {
    size_t length = strlen(name);
    for (size_t at = 0; at < file->bytes; at += strlen(file->text + at) + 1)
        if (!strncmp(file->text + at, name, length) && file->text[at + length] == '=')
            return file->text + at + length + 1;
    return NULL;
}
