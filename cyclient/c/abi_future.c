#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "caller_array.h"
#include "client_run.h"

typedef enum future_kind { FUTURE_PUT, FUTURE_GET, FUTURE_UNPACK, FUTURE_RUN, FUTURE_INFER } future_kind;

struct ssa_future {
    ssa_client *client;
    ssa_request *request;
    ssa_ticket ticket;
    future_kind kind;
    ssa_caller_array array;  /* of the caller, for a put or an unpack */
    ssa_layout layout;       /* wanted, for a get */
    ssa_run_arguments arguments; /* of a run */
    ssa_tensor *tensor;      /* got, and not taken yet */
    int taken;               /* the outputs of an infer were */
    int finished;            /* status is the last word */
    ssa_status status;
    char text[SSA_MISTAKE_BYTES]; /* of what failed after the request */
};

/* ---- starting */

static ssa_future *new_future(ssa_entry *entry, future_kind kind) {
    ssa_future *future = entry->status ? NULL : ssa_allocate(sizeof *future);
    if (!future) {
        if (!entry->status)
            ssa_entry_refuse(entry, SSA_ENOMEM, "no memory for a future");
        return NULL;
    }
    memset(future, 0, sizeof *future);
    future->client = entry->client;
    future->kind = kind;
    return future;
}

static void free_arguments(ssa_future *future) {
    ssa_caller_array_free(&future->array);
    ssa_run_arguments_free(&future->arguments);
}

/* Hand the future to the caller, or free it. */
static ssa_status start(ssa_entry *entry, ssa_future *future, ssa_request *request, ssa_future **result) {
    if (!entry->status && !request)
        entry->status = entry->problem.status;
    if (!entry->status) {
        future->request = request;
        request->owner = &future->ticket;
        entry->client->users++;
        ssa_request_start(request, entry->timeout);
        ssa_client_started(entry->client, request);
        *result = future;
    } else if (future) {
        free_arguments(future);
        ssa_release(future);
    }
    return ssa_entry_end(entry);
}

static void begin(ssa_entry *entry, ssa_client *client, const char *name, size_t bytes, double timeout, ssa_text *text,
                  ssa_future **result) {
    ssa_entry_begin(entry, client, timeout);
    ssa_entry_result(entry, "future", result);
    if (result)
        *result = NULL;
    ssa_entry_text(entry, "name", name, bytes, text);
}

ssa_status ssa_start_put_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *array,
                                double timeout, ssa_future **result) {
    ssa_entry entry;
    ssa_text text;
    begin(&entry, client, name, name_bytes, timeout, &text, result);
    ssa_future *future = new_future(&entry, FUTURE_PUT);
    ssa_request *request = NULL;
    if (future)
        entry.status = ssa_caller_array_take(&future->array, array, 0, entry.problem.text);
    if (!entry.status)
        entry.status = ssa_caller_array_pack(&future->array, client->memory, entry.problem.text);
    if (!ssa_entry_open(&entry))
        request = ssa_op_put_tensor(entry.engine, text, &future->array.header, ssa_caller_array_packed(&future->array),
                                    &entry.problem);
    return start(&entry, future, request, result);
}

ssa_status ssa_start_get_tensor(ssa_client *client, const char *name, size_t name_bytes, ssa_layout layout,
                                double timeout, ssa_future **result) {
    ssa_entry entry;
    ssa_text text;
    begin(&entry, client, name, name_bytes, timeout, &text, result);
    ssa_entry_wanted_layout(&entry, (int)layout);
    ssa_future *future = new_future(&entry, FUTURE_GET);
    ssa_request *request = NULL;
    if (!ssa_entry_open(&entry)) {
        future->layout = layout;
        request = ssa_op_get_tensor(entry.engine, text, &entry.problem);
    }
    return start(&entry, future, request, result);
}

ssa_status ssa_start_unpack_tensor(ssa_client *client, const char *name, size_t name_bytes, const ssa_array *into,
                                   double timeout, ssa_future **result) {
    ssa_entry entry;
    ssa_text text;
    begin(&entry, client, name, name_bytes, timeout, &text, result);
    ssa_future *future = new_future(&entry, FUTURE_UNPACK);
    ssa_request *request = NULL;
    if (future)
        entry.status = ssa_caller_array_take(&future->array, into, 1, entry.problem.text);
    if (!entry.status)
        entry.status = ssa_caller_array_make_room(&future->array, client->memory, entry.problem.text);
    if (!ssa_entry_open(&entry))
        request = ssa_op_unpack_tensor(entry.engine, text, &future->array.header,
                                       ssa_caller_array_packed(&future->array), &entry.problem);
    return start(&entry, future, request, result);
}

static ssa_status start_run(ssa_entry *entry, ssa_future *future, const char *operation, ssa_text name,
                            ssa_future **result) {
    ssa_run_options options = {.function = {"", 0}, .device = {"", 0}};
    ssa_request *request = NULL;
    if (!ssa_entry_open(entry))
        request = ssa_op_run(entry->engine, operation, SSA_KIND_MODEL, name, future->arguments.inputs,
                             future->arguments.input_count, future->arguments.outputs, future->arguments.output_count,
                             &options, &entry->problem);
    return start(entry, future, request, result);
}

ssa_status ssa_start_infer(ssa_client *client, const char *model, size_t model_bytes, const ssa_array *inputs,
                           size_t input_count, double timeout, ssa_future **result) {
    ssa_entry entry;
    ssa_text name;
    begin(&entry, client, model, model_bytes, timeout, &name, result);
    ssa_future *future = new_future(&entry, FUTURE_INFER);
    if (future)
        ssa_run_arguments_arrays(&future->arguments, &entry, inputs, input_count);
    return start_run(&entry, future, "infer", name, result);
}

ssa_status ssa_start_run_model(ssa_client *client, const char *name, size_t name_bytes, ssa_names inputs,
                               ssa_names outputs, double timeout, ssa_future **result) {
    ssa_entry entry;
    ssa_text text;
    begin(&entry, client, name, name_bytes, timeout, &text, result);
    ssa_future *future = new_future(&entry, FUTURE_RUN);
    if (future)
        ssa_run_arguments_names(&future->arguments, &entry, inputs, outputs);
    return start_run(&entry, future, "run_model", text, result);
}

/* ---- the end */

/* The request is complete, and this thread's alone: what remains is done without the lock. */
static ssa_status finish(ssa_future *future) {
    ssa_request *request = future->request;
    ssa_status status = request->status;
    if (!status && future->kind == FUTURE_UNPACK)
        status = ssa_caller_array_unpack(&future->array, future->text);
    if (!status && future->kind == FUTURE_GET) {
        status = ssa_tensor_make(&request->tensors[0], future->layout, &future->tensor);
        if (status)
            snprintf(future->text, sizeof future->text, "no memory for the tensor");
    }
    free_arguments(future);
    future->finished = 1;
    return future->status = status;
}

/* Enter the client of a future that is not finished. */
static ssa_status enter(ssa_entry *entry, ssa_future *future, double timeout) {
    if (!ssa_entry_begin(entry, future->client, timeout))
        ssa_entry_open_any(entry);
    return entry->status;
}

/* Leave it; what the request ended with is told by the future, and noted. */
static ssa_status leave(ssa_entry *entry, ssa_future *future) {
    if (!entry->status && future->request->complete) {
        ssa_entry_unlock(entry);
        entry->status = finish(future);
        if (entry->status < 0)
            snprintf(entry->problem.text, sizeof entry->problem.text, "%s", ssa_future_error(future));
    } else if (!entry->status) {
        entry->status = SSA_MORE;
    }
    return ssa_entry_end(entry);
}

ssa_status ssa_future_test(ssa_future *future) {
    ssa_entry entry;
    if (!future)
        return SSA_EARGUMENT;
    if (future->finished)
        return future->status;
    if (!enter(&entry, future, 0) && !future->request->complete)
        entry.status = ssa_client_progress(future->client);
    return leave(&entry, future);
}

static int64_t moment_after(int64_t timeout) {
    int64_t now = ssa_now();
    return timeout < 0 || timeout >= SSA_NEVER - now ? SSA_NEVER : now + timeout;
}

ssa_status ssa_future_wait(ssa_future *future, double timeout) {
    size_t index;
    if (!future)
        return SSA_EARGUMENT;
    if (future->finished)
        return future->status;
    ssa_status status = ssa_wait_any(&future, 1, timeout, &index);
    return status ? status : future->status;
}

/* The first that is done, or `count`. */
static size_t find_done(ssa_future *const *futures, size_t count) {
    size_t i = 0;
    while (i < count && !(futures[i] && (futures[i]->finished || futures[i]->request->complete)))
        i++;
    return i;
}

/* The first that there is; NULL: none. */
static ssa_future *first_of(ssa_future *const *futures, size_t count) {
    for (size_t i = 0; futures && i < count; i++)
        if (futures[i])
            return futures[i];
    return NULL;
}

static int are_of_one_client(ssa_future *const *futures, size_t count, const ssa_client *client) {
    for (size_t i = 0; i < count; i++)
        if (futures[i] && futures[i]->client != client)
            return 0;
    return 1;
}

static void set_waiter(ssa_future *const *futures, size_t count, ssa_client_waiter *waiter) {
    for (size_t i = 0; i < count; i++)
        if (futures[i])
            futures[i]->ticket.waiter = waiter;
}

ssa_status ssa_wait_any(ssa_future *const *futures, size_t count, double timeout, size_t *index) {
    ssa_entry entry;
    ssa_future *first = first_of(futures, count);
    if (!first || !index || !are_of_one_client(futures, count, first->client))
        return SSA_EARGUMENT;
    if (enter(&entry, first, timeout))
        return ssa_entry_end(&entry);
    int64_t until = moment_after(entry.timeout);
    while (!entry.status && (*index = find_done(futures, count)) == count) {
        ssa_client_waiter waiter = {.done = 0};
        set_waiter(futures, count, &waiter);
        entry.status = ssa_client_wait(first->client, &waiter, until);
        set_waiter(futures, count, NULL);
    }
    if (entry.status < 0)
        ssa_entry_refuse(&entry, entry.status, "no memory to wait for futures");
    if (entry.status)
        return ssa_entry_end(&entry);
    ssa_future *done = futures[*index];
    if (done->finished) {
        ssa_entry_end(&entry);
        return SSA_OK;
    }
    leave(&entry, done);
    return SSA_OK;
}

ssa_status ssa_future_cancel(ssa_future *future) {
    ssa_entry entry;
    if (!future)
        return SSA_EARGUMENT;
    if (future->finished)
        return SSA_OK;
    if (enter(&entry, future, 0))
        return ssa_entry_end(&entry);
    if (!future->request->complete) {
        ssa_request_cancel(future->request);
        ssa_client_moved(future->client);
    }
    leave(&entry, future);
    return SSA_OK;
}

void ssa_future_free(ssa_future *future) {
    if (!future || !ssa_client_may_be_freed(future->client))
        return;
    ssa_client *client = future->client;
    ssa_client_lock(client);
    ssa_request_free(future->request);
    ssa_client_moved(client);
    ssa_client_leave(client);
    free_arguments(future);
    ssa_tensor_free(future->tensor);
    ssa_release(future);
}

const char *ssa_future_error(const ssa_future *future) {
    if (!future || !future->finished || future->status >= 0)
        return "";
    if (*future->text)
        return future->text;
    return future->request->error.bytes ? (const char *)future->request->error.data : ssa_status_name(future->status);
}

ssa_status ssa_future_tensor(ssa_future *future, ssa_tensor **tensor) {
    if (tensor)
        *tensor = NULL;
    if (!future || !tensor)
        return SSA_EARGUMENT;
    ssa_status status = ssa_future_test(future);
    if (status)
        return status;
    if (!future->tensor)
        return SSA_EARGUMENT;
    *tensor = future->tensor;
    future->tensor = NULL;
    return SSA_OK;
}

ssa_status ssa_future_outputs(ssa_future *future, ssa_tensor **outputs, size_t *output_count) {
    if (!future || !outputs || !output_count || future->kind != FUTURE_INFER)
        return SSA_EARGUMENT;
    for (size_t i = 0; i < *output_count; i++)
        outputs[i] = NULL;
    ssa_status status = ssa_future_test(future);
    if (status)
        return status;
    if (future->taken)
        return SSA_EARGUMENT;
    status = ssa_run_outputs(future->request, outputs, output_count, future->text);
    future->taken = status != SSA_ELIMIT; /* with more room it can be asked again */
    return status;
}
