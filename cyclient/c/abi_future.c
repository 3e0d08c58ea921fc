#include "allocator.h"
#include "client_batch.h"
#include "client_future.h"

/* ---- starting */

ssa_future *ssa_future_new(ssa_entry *entry) {
    ssa_future *future = entry->status ? NULL : ssa_allocate(sizeof *future);
    if (future)
        *future = (ssa_future){.client = entry->client};
    else if (!entry->status)
        ssa_entry_refuse(entry, SSA_ENOMEM, "no memory for a future");
    return future;
}

void ssa_future_start(ssa_future *future, ssa_entry *entry, ssa_request *request, const ssa_result *result) {
    future->request = request;
    future->result = *result;
    request->owner = &future->ticket;
    ssa_client_join(entry->client);
    ssa_request_start(request, entry->timeout);
    ssa_client_started(entry->client, request);
}

/* ---- the end */

/* The request is complete, and this thread's alone: what remains is done without the lock. */
static ssa_status finish(ssa_future *future) {
    future->status =
        future->batch ? ssa_batch_finish(future->batch) : ssa_result_give(&future->result, future->request);
    ssa_held_free(future->result.held);
    future->result.held = NULL;
    future->finished = 1;
    return future->status;
}

/* Enter the client of a future that is not finished. */
static ssa_status enter(ssa_entry *entry, ssa_future *future, double timeout) {
    if (!ssa_entry_begin(entry, future->client, timeout))
        ssa_entry_open_any(entry);
    return entry->status;
}

/* Leave it: not because of how the operation ended. */
static ssa_status leave_refused(ssa_entry *entry, ssa_future *future) {
    future->refused = entry->status < 0;
    return ssa_entry_end(entry);
}

/* Leave it; what the request ended with is told by the future, and noted. */
static ssa_status leave(ssa_entry *entry, ssa_future *future) {
    if (!entry->status && future->request->complete) {
        ssa_entry_unlock(entry);
        future->refused = 0;
        entry->status = finish(future);
        entry->reason = ssa_future_error(future);
    } else if (!entry->status) {
        entry->status = SSA_MORE;
    } else {
        return leave_refused(entry, future);
    }
    return ssa_entry_end(entry);
}

/* Nothing is left to be done. */
static int is_over(ssa_future *future) {
    future->refused = 0;
    return future->finished;
}

ssa_status ssa_future_test(ssa_future *future) {
    ssa_entry entry;
    if (!future)
        return SSA_EARGUMENT;
    if (is_over(future))
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
    if (is_over(future))
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

/* Of a future that is none, nothing can be noted: there is no client. */
static ssa_status misuse(ssa_future *future, const char *text) {
    if (!future)
        return SSA_EARGUMENT;
    future->refused = 1;
    if (!ssa_is_at_home(&future->client->home))
        return SSA_EFORK;
    ssa_client_note(future->client, text);
    return SSA_EARGUMENT;
}

ssa_status ssa_wait_any(ssa_future *const *futures, size_t count, double timeout, size_t *index) {
    ssa_entry entry;
    if (count > PTRDIFF_MAX / sizeof *futures) /* no array is so long: nobody has set it */
        return misuse(first_of(futures, 1), "count cannot be so large: set it to how many futures there are.");
    ssa_future *first = first_of(futures, count);
    if (!first || !index)
        return misuse(first, "index cannot be NULL: pass where the result goes.");
    if (!are_of_one_client(futures, count, first->client))
        return misuse(first, "futures cannot be of several clients: wait for those of one client at a time.");
    if (enter(&entry, first, timeout))
        return leave_refused(&entry, first);
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
        return leave_refused(&entry, first);
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
    if (is_over(future))
        return SSA_OK;
    if (enter(&entry, future, 0))
        return leave_refused(&entry, future);
    if (!future->request->complete) {
        if (future->batch)
            ssa_batch_cancel(future->batch);
        else
            ssa_request_cancel(future->request);
        ssa_engine_flush(entry.engine); /* it may have left something to be removed */
        ssa_client_moved(future->client);
    }
    leave(&entry, future);
    return SSA_OK;
}

/* It was started by the future that goes. */
static void leave_batch(ssa_batch *batch) {
    batch->future = NULL;
    batch->cancelled = 1; /* who would ask for results? */
    ssa_batch_plan_cancel(batch->plan);
    ssa_batch_finish(batch);
}

void ssa_future_free(ssa_future *future) {
    if (!future || !ssa_client_begin_to_free(future->client))
        return;
    ssa_client *client = future->client;
    if (future->batch)
        leave_batch(future->batch);
    else
        ssa_request_free(future->request);
    ssa_engine_flush(client->engine);
    ssa_client_moved(client);
    ssa_client_end_to_free(client);
    ssa_held_free(future->result.held);
    ssa_tensor_free(future->tensor);
    ssa_release(future);
}

const char *ssa_future_error(const ssa_future *future) {
    if (!future)
        return "there is no future: it was not started, or it was moved or freed";
    if (future->refused)
        return ssa_client_error(future->client);
    if (!future->finished || future->status >= 0)
        return "";
    return future->request->error.bytes ? (const char *)future->request->error.data : ssa_status_name(future->status);
}

ssa_status ssa_future_tensor(ssa_future *future, ssa_tensor **tensor) {
    if (tensor)
        *tensor = NULL;
    if (!future || !tensor)
        return misuse(future, "tensor cannot be NULL: pass where the result goes.");
    ssa_status status = ssa_future_test(future);
    if (status)
        return status;
    if (!future->tensor)
        return misuse(future, "future cannot give a tensor: it is not of ssa_start_get_tensor, or its tensor was taken already.");
    *tensor = future->tensor;
    future->tensor = NULL;
    return SSA_OK;
}

ssa_status ssa_future_outputs(ssa_future *future, ssa_tensor **outputs, size_t *output_count) {
    char text[SSA_MISTAKE_BYTES];
    if (!future || !outputs || !output_count)
        return misuse(future, "outputs and output_count cannot be NULL: pass where the results go.");
    if (!future->gives_outputs)
        return misuse(future, "future cannot give outputs: it is none of ssa_start_infer.");
    if (ssa_run_room(*output_count, text))
        return misuse(future, text);
    for (size_t i = 0; i < *output_count; i++)
        outputs[i] = NULL;
    ssa_status status = ssa_future_test(future);
    if (status)
        return status;
    if (future->taken)
        return misuse(future, "future cannot give its outputs twice: they were taken already.");
    status = ssa_run_outputs(future->request, outputs, output_count, text);
    if (status < 0)
        misuse(future, text);
    future->taken = status != SSA_ELIMIT; /* with more room it can be asked again */
    return status;
}
