#include <stdio.h>
#include <string.h>

#include "client_ask.h"
#include "client_future.h"
#include "client_tensor.h"

void ssa_array_init(ssa_array *array, size_t size, const void *data, ssa_dtype dtype, const int64_t *shape, int ndim) {
    ssa_array standard = {.size = size, .data = (void *)(uintptr_t)data, .shape = shape, .ndim = ndim, .dtype = dtype,
                          .layout = SSA_ROW_MAJOR};
    if (!array)
        return;
    memset(array, 0, size);
    memcpy(array, &standard, size < sizeof standard ? size : sizeof standard);
}

/* ---- put */

static ssa_status put(ssa_ask *ask, const char *name, size_t name_bytes, const ssa_array *array) {
    ssa_text text;
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    ssa_ask_put_array(ask, array);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_put_tensor(ask->entry.engine, text, &ask->held.array.header,
                                         ssa_caller_array_packed(&ask->held.array), &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_put_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *array,
                          double timeout) {
    ssa_ask ask;
    return put(ssa_ask_now(&ask, client, timeout), name, name_bytes, array);
}

ssa_status ssa_start_put_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *array,
                                double timeout, ssa_future **future) {
    ssa_ask ask;
    return put(ssa_ask_future(&ask, client, timeout, future), name, name_bytes, array);
}

ssa_status ssa_batch_put_tensor(ssa_batch *batch, const char *name, size_t name_bytes, const ssa_array *array) {
    ssa_ask ask;
    return put(ssa_ask_batch(&ask, batch), name, name_bytes, array);
}

/* ---- get */

static ssa_status give_tensor(const ssa_result *result, ssa_request *request, char *text) {
    char why[SSA_MISTAKE_BYTES];
    ssa_status status = ssa_tensor_make(&request->tensors[0], result->layout, result->to, why);
    if (status)
        snprintf(text, SSA_MISTAKE_BYTES, "'%.150s': %.340s", (char *)request->subject.data, why);
    return status;
}

static void give_tensor_to(ssa_ask *ask, const char *what, ssa_layout layout, ssa_tensor **tensor) {
    if (tensor)
        *tensor = NULL;
    ask->result.layout = layout;
    ssa_ask_result(ask, what, tensor, give_tensor);
}

static ssa_status get(ssa_ask *ask, const char *name, size_t name_bytes, ssa_layout layout, ssa_tensor **tensor) {
    ssa_text text;
    give_tensor_to(ask, "tensor", layout, tensor);
    ssa_entry_wanted_layout(&ask->entry, (int)layout);
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_get_tensor(ask->entry.engine, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_get_tensor(ssa_client *client, const char *name, size_t name_bytes, ssa_layout layout,
                          ssa_tensor **tensor, double timeout) {
    ssa_ask ask;
    return get(ssa_ask_now(&ask, client, timeout), name, name_bytes, layout, tensor);
}

ssa_status ssa_start_get_tensor(ssa_client *client, const char *name, size_t name_bytes, ssa_layout layout,
                                double timeout, ssa_future **future) {
    ssa_ask ask;
    ssa_ask_future(&ask, client, timeout, future);
    return get(&ask, name, name_bytes, layout, ask.future ? &ask.future->tensor : NULL);
}

ssa_status ssa_batch_get_tensor(ssa_batch *batch, const char *name, size_t name_bytes, ssa_layout layout,
                                ssa_tensor **tensor) {
    ssa_ask ask;
    return get(ssa_ask_batch(&ask, batch), name, name_bytes, layout, tensor);
}

/* ---- unpack */

static ssa_status unpack(ssa_ask *ask, const char *name, size_t name_bytes, const ssa_array *into) {
    ssa_text text;
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    ssa_ask_unpack_array(ask, into);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_unpack_tensor(ask->entry.engine, text, &ask->held.array.header,
                                            ssa_caller_array_packed(&ask->held.array), &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_unpack_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *into,
                             double timeout) {
    ssa_ask ask;
    return unpack(ssa_ask_now(&ask, client, timeout), name, name_bytes, into);
}

ssa_status ssa_start_unpack_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *into,
                                   double timeout, ssa_future **future) {
    ssa_ask ask;
    return unpack(ssa_ask_future(&ask, client, timeout, future), name, name_bytes, into);
}

ssa_status ssa_batch_unpack_tensor(ssa_batch *batch, const char *name, size_t name_bytes, const ssa_array *into) {
    ssa_ask ask;
    return unpack(ssa_ask_batch(&ask, batch), name, name_bytes, into);
}

/* ---- bytes */

static ssa_status put_bytes(ssa_ask *ask, const char *name, size_t name_bytes, const void *data, size_t bytes) {
    ssa_text text;
    if (!ask->entry.status && bytes > PTRDIFF_MAX)
        ssa_entry_refuse(&ask->entry, SSA_EARGUMENT, "bytes cannot be %zu: pass how many there are.", bytes);
    if (bytes)
        ssa_entry_given(&ask->entry, "data", data);
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_put_bytes(ask->entry.engine, text, data ? data : "", bytes, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_put_bytes(ssa_client *client, const char *name, size_t name_bytes, const void *data, size_t bytes,
                         double timeout) {
    ssa_ask ask;
    return put_bytes(ssa_ask_now(&ask, client, timeout), name, name_bytes, data, bytes);
}

ssa_status ssa_batch_put_bytes(ssa_batch *batch, const char *name, size_t name_bytes, const void *data, size_t bytes) {
    ssa_ask ask;
    return put_bytes(ssa_ask_batch(&ask, batch), name, name_bytes, data, bytes);
}

static ssa_status get_bytes(ssa_ask *ask, const char *name, size_t name_bytes, ssa_tensor **data) {
    ssa_text text;
    give_tensor_to(ask, "data", SSA_AS_STORED, data);
    ssa_ask_text(ask, "name", name, name_bytes, &text);
    if (!ssa_ask_open(ask))
        ask->request = ssa_op_get_bytes(ask->entry.engine, text, &ask->entry.problem);
    return ssa_ask_end(ask);
}

ssa_status ssa_get_bytes(ssa_client *client, const char *name, size_t name_bytes, ssa_tensor **data, double timeout) {
    ssa_ask ask;
    return get_bytes(ssa_ask_now(&ask, client, timeout), name, name_bytes, data);
}

ssa_status ssa_batch_get_bytes(ssa_batch *batch, const char *name, size_t name_bytes, ssa_tensor **data) {
    ssa_ask ask;
    return get_bytes(ssa_ask_batch(&ask, batch), name, name_bytes, data);
}
