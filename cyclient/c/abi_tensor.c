#include <string.h>

#include "caller_array.h"
#include "client_tensor.h"

void ssa_array_init(ssa_array *array, size_t size, const void *data, ssa_dtype dtype, const int64_t *shape, int ndim) {
    ssa_array standard = {.size = size, .data = (void *)(uintptr_t)data, .shape = shape, .ndim = ndim, .dtype = dtype,
                          .layout = SSA_ROW_MAJOR};
    if (!array)
        return;
    memset(array, 0, size);
    memcpy(array, &standard, size < sizeof standard ? size : sizeof standard);
}

ssa_status ssa_put_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *array,
                          double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_caller_array source = {.in_place = 1};
    if (!ssa_entry_begin(&entry, client, timeout) && !ssa_entry_text(&entry, "name", name, name_bytes, &text)) {
        entry.status = ssa_caller_array_take(&source, array, 0, entry.problem.text);
        if (!entry.status)
            entry.status = ssa_caller_array_pack(&source, client->memory, entry.problem.text);
    }
    if (!ssa_entry_open(&entry)) {
        const void *data = ssa_caller_array_packed(&source);
        ssa_entry_run(&entry, ssa_op_put_tensor(entry.engine, text, &source.header, data, &entry.problem));
    }
    ssa_entry_end(&entry);
    ssa_caller_array_free(&source);
    return entry.status;
}

ssa_status ssa_get_tensor(ssa_client *client, const char *name, size_t name_bytes, ssa_layout layout,
                          ssa_tensor **tensor, double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "tensor", tensor);
    if (tensor)
        *tensor = NULL;
    ssa_entry_wanted_layout(&entry, (int)layout);
    if (!ssa_entry_text(&entry, "name", name, name_bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_get_tensor(entry.engine, text, &entry.problem))) {
        ssa_entry_unlock(&entry);
        if (ssa_tensor_make(&entry.request->tensors[0], layout, tensor))
            ssa_entry_refuse(&entry, SSA_ENOMEM, "no memory for the tensor");
    }
    return ssa_entry_end(&entry);
}

ssa_status ssa_put_bytes(ssa_client *client, const char *name, size_t name_bytes, const void *data, size_t bytes,
                         double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    if (bytes)
        ssa_entry_result(&entry, "data", data);
    if (!ssa_entry_text(&entry, "name", name, name_bytes, &text) && !ssa_entry_open(&entry))
        ssa_entry_run(&entry, ssa_op_put_bytes(entry.engine, text, data ? data : "", bytes, &entry.problem));
    return ssa_entry_end(&entry);
}

ssa_status ssa_get_bytes(ssa_client *client, const char *name, size_t name_bytes, ssa_tensor **data, double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_entry_begin(&entry, client, timeout);
    ssa_entry_result(&entry, "data", data);
    if (data)
        *data = NULL;
    if (!ssa_entry_text(&entry, "name", name, name_bytes, &text) && !ssa_entry_open(&entry) &&
        !ssa_entry_run(&entry, ssa_op_get_bytes(entry.engine, text, &entry.problem)) &&
        ssa_tensor_make(&entry.request->tensors[0], SSA_AS_STORED, data))
        ssa_entry_refuse(&entry, SSA_ENOMEM, "no memory for the bytes");
    return ssa_entry_end(&entry);
}

ssa_status ssa_unpack_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *into,
                             double timeout) {
    ssa_entry entry;
    ssa_text text;
    ssa_caller_array target = {.in_place = 1};
    if (!ssa_entry_begin(&entry, client, timeout) && !ssa_entry_text(&entry, "name", name, name_bytes, &text)) {
        entry.status = ssa_caller_array_take(&target, into, 1, entry.problem.text);
        if (!entry.status)
            entry.status = ssa_caller_array_make_room(&target, client->memory, entry.problem.text);
    }
    if (!ssa_entry_open(&entry)) {
        void *data = ssa_caller_array_packed(&target);
        if (!ssa_entry_run(&entry, ssa_op_unpack_tensor(entry.engine, text, &target.header, data, &entry.problem)) &&
            !target.in_place) {
            ssa_entry_unlock(&entry);
            entry.status = ssa_caller_array_unpack(&target, entry.problem.text);
        }
    }
    ssa_entry_end(&entry);
    ssa_caller_array_free(&target);
    return entry.status;
}
