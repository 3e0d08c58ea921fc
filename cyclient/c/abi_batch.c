#include <string.h>

#include "allocator.h"
#include "client_batch.h"
#include "client_future.h"

/* ---- gathering */

ssa_status ssa_batch_new(ssa_client *client, ssa_batch **batch) {
    ssa_entry entry;
    ssa_entry_begin(&entry, client, SSA_CLIENT_TIMEOUT);
    ssa_entry_result(&entry, "batch", batch);
    if (batch)
        *batch = NULL;
    if (ssa_entry_open(&entry))
        return ssa_entry_end(&entry);
    ssa_batch *made = ssa_allocate(sizeof *made);
    ssa_batch_plan *plan = made ? ssa_batch_plan_new(entry.engine) : NULL;
    if (plan) {
        *made = (ssa_batch){.client = client, .plan = plan};
        ssa_client_join(client);
        *batch = made;
    } else {
        ssa_release(made);
        ssa_entry_refuse(&entry, SSA_ENOMEM, "no memory for a batch");
    }
    return ssa_entry_end(&entry);
}

void ssa_batch_refuse_used(ssa_entry *entry) {
    ssa_entry_refuse(entry, SSA_EARGUMENT,
                     "the batch was executed already: make a new one (ssa_batch_new) for what is to come.");
}

static ssa_status reserve_item(ssa_batch *batch) {
    if (batch->count < batch->capacity)
        return SSA_OK;
    size_t capacity = batch->capacity ? 2 * batch->capacity : 16;
    ssa_batch_item *grown = ssa_reallocate(batch->items, capacity * sizeof *grown);
    if (!grown)
        return SSA_ENOMEM;
    batch->items = grown;
    batch->capacity = capacity;
    return SSA_OK;
}

void ssa_batch_add(ssa_batch *batch, ssa_entry *entry, ssa_request *request, const ssa_result *result) {
    int has_room = !reserve_item(batch);
    if (!has_room)
        ssa_request_free(request);
    if (!has_room || ssa_batch_plan_add(batch->plan, request)) {
        ssa_held_free(result->held);
        ssa_entry_refuse(entry, SSA_ENOMEM, "no memory to add an operation to a batch");
        return;
    }
    batch->items[batch->count++] = (ssa_batch_item){request, *result, SSA_MORE};
}

size_t ssa_batch_count(const ssa_batch *batch) {
    return batch ? batch->count : 0;
}

/* ---- the end */

void ssa_batch_cancel(ssa_batch *batch) {
    if (!batch->whole || batch->whole->complete)
        return;
    batch->cancelled = 1;
    ssa_batch_plan_cancel(batch->plan);
}

static void finish_item(ssa_batch *batch, ssa_batch_item *item) {
    ssa_request *request = item->request;
    if (!request->complete)
        item->status = SSA_ECANCELLED;
    else if (batch->cancelled && item->result.give)
        item->status = request->status ? request->status : SSA_ECANCELLED;
    else
        item->status = ssa_result_give(&item->result, request);
    ssa_held_free(item->result.held);
    item->result.held = NULL;
}

ssa_status ssa_batch_finish(ssa_batch *batch) {
    ssa_request *whole = batch->whole;
    for (size_t i = 0; i < batch->count && !batch->over; i++) {
        finish_item(batch, &batch->items[i]);
        if (!whole->status && batch->items[i].status)
            ssa_request_fail_late(whole, batch->items[i].status, ssa_batch_error(batch, i));
    }
    batch->over = 1;
    return whole->status;
}

ssa_status ssa_batch_status(const ssa_batch *batch, size_t place) {
    return place < ssa_batch_count(batch) ? batch->items[place].status : SSA_EARGUMENT;
}

const char *ssa_batch_error(const ssa_batch *batch, size_t place) {
    ssa_status status = ssa_batch_status(batch, place);
    if (status >= 0 || place >= ssa_batch_count(batch))
        return "";
    const ssa_request *request = batch->items[place].request;
    if (request->error.bytes)
        return (const char *)request->error.data;
    if (status != SSA_ECANCELLED)
        return ssa_status_name(status);
    return "it was not carried out: another operation of the batch failed, or nobody waited any more";
}

void ssa_batch_free(ssa_batch *batch) {
    if (!batch || !ssa_client_begin_to_free(batch->client))
        return;
    ssa_client *client = batch->client;
    ssa_future *future = batch->future;
    ssa_batch_cancel(batch);
    if (future) {
        future->batch = NULL;
        future->request = ssa_batch_plan_release(batch->plan);
        if (!future->finished && !future->request->status)
            ssa_request_fail_late(future->request, SSA_ECANCELLED,
                                  "its batch was freed before it was asked for its results");
        future->finished = 1;
        future->status = future->request->status;
    }
    ssa_batch_plan_free(batch->plan);
    ssa_client_moved(client);
    ssa_client_end_to_free(client);
    for (size_t i = 0; i < batch->count; i++)
        ssa_held_free(batch->items[i].result.held);
    ssa_release(batch->items);
    ssa_release(batch);
}

/* ---- carrying out */

/* The lock is taken, and the batch is under way. */
static ssa_status begin(ssa_entry *entry, ssa_batch *batch) {
    if (!entry->status && batch->whole)
        ssa_batch_refuse_used(entry);
    if (ssa_entry_open(entry))
        return entry->status;
    batch->whole = ssa_batch_plan_execute(batch->plan, entry->timeout);
    return batch->whole ? SSA_OK : ssa_entry_refuse(entry, SSA_ENOMEM, "no memory to carry out a batch");
}

ssa_status ssa_batch_execute(ssa_batch *batch, double timeout) {
    ssa_entry entry;
    ssa_entry_begin(&entry, batch ? batch->client : NULL, timeout);
    if (begin(&entry, batch))
        return ssa_entry_end(&entry);
    if (ssa_entry_wait(&entry, batch->whole))
        ssa_batch_cancel(batch);
    ssa_entry_unlock(&entry);
    ssa_status status = ssa_batch_finish(batch);
    if (!entry.status && (entry.status = status))
        entry.reason = batch->whole->error.bytes ? (const char *)batch->whole->error.data : NULL;
    return ssa_entry_end(&entry);
}

ssa_status ssa_start_batch(ssa_batch *batch, double timeout, ssa_future **result) {
    ssa_entry entry;
    ssa_entry_begin(&entry, batch ? batch->client : NULL, timeout);
    ssa_entry_result(&entry, "future", result);
    if (result)
        *result = NULL;
    ssa_future *future = ssa_future_new(&entry);
    if (begin(&entry, batch)) {
        ssa_release(future);
        return ssa_entry_end(&entry);
    }
    batch->future = future;
    future->batch = batch;
    future->request = batch->whole;
    future->request->owner = &future->ticket;
    ssa_client_join(batch->client);
    ssa_client_moved(batch->client);
    *result = future;
    return ssa_entry_end(&entry);
}
