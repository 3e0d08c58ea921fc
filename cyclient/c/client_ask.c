#include "client_ask.h"

#include <string.h>

#include "allocator.h"
#include "client_batch.h"
#include "client_future.h"

static ssa_ask *begin(ssa_ask *ask, ssa_client *client, double timeout) {
    ask->batch = NULL;
    ask->future = NULL;
    ask->request = NULL;
    ask->result = (ssa_result){.give = NULL};
    ssa_held_init(&ask->held);
    ssa_entry_begin(&ask->entry, client, timeout);
    return ask;
}

ssa_ask *ssa_ask_now(ssa_ask *ask, ssa_client *client, double timeout) {
    return begin(ask, client, timeout);
}

ssa_ask *ssa_ask_future(ssa_ask *ask, ssa_client *client, double timeout, ssa_future **future) {
    begin(ask, client, timeout);
    ssa_entry_result(&ask->entry, "future", future);
    if (future)
        *future = NULL;
    ask->given = future;
    ask->future = ssa_future_new(&ask->entry);
    return ask;
}

ssa_ask *ssa_ask_batch(ssa_ask *ask, ssa_batch *batch) {
    begin(ask, batch ? batch->client : NULL, SSA_CLIENT_TIMEOUT);
    ask->batch = batch;
    if (!ask->entry.status && batch->whole)
        ssa_batch_refuse_used(&ask->entry);
    return ask;
}

ssa_status ssa_ask_text(ssa_ask *ask, const char *what, const char *data, size_t bytes, ssa_text *text) {
    return ssa_entry_text(&ask->entry, what, data, bytes, text);
}

ssa_status ssa_ask_result(ssa_ask *ask, const char *what, void *to,
                          ssa_status (*give)(const ssa_result *, ssa_request *, char *)) {
    ask->result.to = to;
    ask->result.give = give;
    return ssa_entry_result(&ask->entry, what, to);
}

static ssa_status take_array(ssa_ask *ask, const ssa_array *given, int is_target) {
    ssa_caller_array *array = &ask->held.array;
    ssa_entry *entry = &ask->entry;
    if (entry->status || (entry->status = ssa_caller_array_take(array, given, is_target, entry->problem.text)))
        return entry->status;
    ask->held.has_array = !array->in_place;
    return entry->status = is_target ? ssa_caller_array_make_room(array, entry->client->memory, entry->problem.text)
                                     : ssa_caller_array_pack(array, entry->client->memory, entry->problem.text);
}

ssa_status ssa_ask_put_array(ssa_ask *ask, const ssa_array *given) {
    return take_array(ask, given, 0);
}

static ssa_status unpack(const ssa_result *result, ssa_request *request, char *text) {
    (void)request;
    return ssa_caller_array_unpack(&result->held->array, text);
}

ssa_status ssa_ask_unpack_array(ssa_ask *ask, const ssa_array *given) {
    if (!take_array(ask, given, 1) && ask->held.has_array)
        ask->result.give = unpack;
    return ask->entry.status;
}

ssa_status ssa_ask_open(ssa_ask *ask) {
    return ssa_entry_open(&ask->entry);
}

/* ---- the three ends */

static void carry_out(ssa_ask *ask) {
    ssa_entry *entry = &ask->entry;
    if (ssa_entry_run(entry, ask->request) || !ask->result.give)
        return;
    ssa_entry_unlock(entry);
    ask->result.held = &ask->held;
    entry->status = ssa_result_give(&ask->result, entry->request);
}

/* What the request borrows stays where it is. */
static ssa_status keep(ssa_ask *ask) {
    if (!ssa_held_matters(&ask->held))
        return SSA_OK;
    ask->result.held = ssa_held_move(&ask->held);
    return ask->result.held ? SSA_OK : ssa_entry_refuse(&ask->entry, SSA_ENOMEM, "no memory to keep what is borrowed");
}

static void hand_over(ssa_ask *ask) {
    if (!ask->request)
        ask->entry.status = ask->entry.problem.status;
    else if (keep(ask))
        ssa_request_free(ask->request);
    else if (ask->batch)
        ssa_batch_add(ask->batch, &ask->entry, ask->request, &ask->result);
    else
        ssa_future_start(ask->future, &ask->entry, ask->request, &ask->result);
}

ssa_status ssa_ask_end(ssa_ask *ask) {
    ssa_entry *entry = &ask->entry;
    int is_now = !ask->batch && !ask->future;
    if (!entry->status && is_now)
        carry_out(ask);
    else if (!entry->status)
        hand_over(ask);
    ssa_status status = ssa_entry_end(entry);
    if (status)
        ssa_release(ask->future);
    else if (ask->future)
        *ask->given = ask->future;
    ssa_held_clear(&ask->held);
    return status;
}
