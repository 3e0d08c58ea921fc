#include "client_file.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "allocator.h"

static ssa_status cannot_read(ssa_entry *entry, ssa_text path, int error) {
    return ssa_entry_refuse(entry, SSA_ESYSTEM, "cannot read '%.*s': %s", (int)(path.bytes < 400 ? path.bytes : 400),
                            path.data, strerror(error));
}

/* Of a file of any length, also of one that is no regular one. */
static ssa_status read_all(ssa_entry *entry, FILE *file, ssa_text path, ssa_buffer *content) {
    while (!feof(file)) {
        if (ssa_buffer_reserve(content, content->bytes ? content->bytes : 65536))
            return ssa_entry_refuse(entry, SSA_ENOMEM, "no memory for the bytes of '%.400s'", path.data);
        size_t room = content->capacity - content->bytes;
        content->bytes += fread(content->data + content->bytes, 1, room, file);
        if (ferror(file))
            return cannot_read(entry, path, errno);
    }
    return SSA_OK;
}

ssa_status ssa_entry_read_file(ssa_entry *entry, ssa_text path, ssa_buffer *content) {
    if (entry->status)
        return entry->status;
    char *name = ssa_allocate(path.bytes + 1);
    if (!name)
        return ssa_entry_refuse(entry, SSA_ENOMEM, "no memory for the name of a file");
    memcpy(name, path.data, path.bytes);
    name[path.bytes] = 0;
    FILE *file = fopen(name, "rbe");
    if (!file) {
        cannot_read(entry, path, errno);
    } else {
        read_all(entry, file, (ssa_text){name, path.bytes}, content);
        fclose(file);
    }
    ssa_release(name);
    return entry->status;
}

