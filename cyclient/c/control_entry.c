#include "control_entry.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

static int is_kind(ssa_text text, const char *kind) {
    return text.bytes == strlen(kind) && !memcmp(text.data, kind, text.bytes);
}

static int read_set(const char *text, size_t bytes, ssa_control_entry *entry) {
    size_t length = 0, digits = 0;
    while (digits < bytes && digits < 5 && text[digits] >= '0' && text[digits] <= '9')
        length = 10 * length + (size_t)(text[digits++] - '0');
    if (!digits || digits == bytes || text[digits] != ' ' || !length || length > bytes - digits - 1)
        return 0;
    entry->name = (ssa_text){text + digits + 1, length};
    entry->value = (ssa_text){text + digits + 1 + length, bytes - digits - 1 - length};
    return 1;
}

int ssa_control_entry_read(ssa_control_entry *entry, const char *text, size_t bytes) {
    memset(entry, 0, sizeof *entry);
    if (bytes < SSA_CONTROL_ID_BYTES + 2 || text[SSA_CONTROL_ID_BYTES] != ' ')
        return 0;
    text += SSA_CONTROL_ID_BYTES + 1;
    bytes -= SSA_CONTROL_ID_BYTES + 1;
    const char *blank = memchr(text, ' ', bytes);
    entry->kind = (ssa_text){text, blank ? (size_t)(blank - text) : bytes};
    if (is_kind(entry->kind, "set"))
        return blank && read_set(blank + 1, bytes - entry->kind.bytes - 1, entry);
    return !blank && (is_kind(entry->kind, "checkpoint") || is_kind(entry->kind, "stop"));
}

ssa_status ssa_control_entry_check(const ssa_control_entry *entry, ssa_problem *problem) {
    const ssa_text kind = entry->kind, name = entry->name, value = entry->value;
    problem->status = SSA_EARGUMENT;
    if (!is_kind(kind, "set") && !is_kind(kind, "checkpoint") && !is_kind(kind, "stop"))
        ssa_mistake_value(problem->text, sizeof problem->text, "kind of a request", kind.data, kind.bytes,
                          "it is set, checkpoint or stop");
    else if (!is_kind(kind, "set") && (name.bytes || value.bytes))
        ssa_mistake_value(problem->text, sizeof problem->text, "name of a request that sets nothing", name.data,
                          name.bytes, "only set has a name and a value");
    else if (value.bytes > SSA_CONTROL_VALUE_MAX)
        ssa_mistake_word(problem->text, sizeof problem->text, "value of a request", "longer than 65536 bytes",
                         "put it as a tensor, "
                         "and name that");
    else if (!is_kind(kind, "set") ||
             !ssa_name_check("parameter", name.data, name.bytes, problem->text, sizeof problem->text))
        return problem->status = SSA_OK;
    return SSA_EARGUMENT;
}

ssa_status ssa_control_entry_write(const ssa_control_entry *entry, ssa_buffer *text) {
    const ssa_text kind = entry->kind, name = entry->name, value = entry->value;
    unsigned char random[SSA_CONTROL_ID_BYTES / 2];
    char head[SSA_CONTROL_ID_BYTES + 2], length[24];
    if (getentropy(random, sizeof random))
        return SSA_ESYSTEM;
    for (size_t i = 0; i < sizeof random; i++)
        snprintf(head + 2 * i, 3, "%02x", random[i]);
    head[SSA_CONTROL_ID_BYTES] = ' ';
    if (ssa_buffer_append(text, head, SSA_CONTROL_ID_BYTES + 1) || ssa_buffer_append(text, kind.data, kind.bytes))
        return SSA_ENOMEM;
    if (!is_kind(kind, "set"))
        return SSA_OK;
    int digits = snprintf(length, sizeof length, " %zu ", name.bytes);
    return ssa_buffer_append(text, length, (size_t)digits) || ssa_buffer_append(text, name.data, name.bytes) ||
                   ssa_buffer_append(text, value.data, value.bytes) ? SSA_ENOMEM : SSA_OK;
}
