#include "batch_private.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "failure_text.h"
#include "op_build.h"

/* The server begins with the first ones while the others are being started; then as many leave together as have left already. */
#define SENT_FIRST 64

ssa_batch_plan *ssa_batch_plan_new(ssa_engine *engine) {
    ssa_batch_plan *batch = ssa_allocate(sizeof *batch);
    if (!batch)
        return NULL;
    memset(batch, 0, sizeof *batch);
    batch->engine = engine;
    batch->last_barrier = SSA_NOWHERE;
    return batch;
}

void ssa_batch_plan_free(ssa_batch_plan *batch) {
    if (!batch)
        return;
    ssa_batch_plan_cancel(batch);
    for (size_t i = 0; i < batch->chain_count; i++) {
        if (batch->chains[i].request)
            batch->chains[i].request->batch = NULL;
        ssa_request_free(batch->chains[i].request); /* which refers to its steps */
    }
    for (size_t i = 0; i < batch->count; i++) {
        batch->entries[i].request->batch = NULL;
        ssa_request_free(batch->entries[i].request);
    }
    for (size_t i = 0; i < batch->value_count; i++)
        ssa_buffer_free(&batch->values[i].key);
    ssa_request_free(batch->whole);
    ssa_release(batch->chains);
    ssa_release(batch->entries);
    ssa_release(batch->edges);
    ssa_release(batch->histories);
    ssa_release(batch->values);
    ssa_release(batch);
}

/* ---- planning */

ssa_status ssa_batch_grow(void **items, size_t *capacity, size_t count, size_t bytes) {
    if (count < *capacity)
        return SSA_OK;
    size_t larger = *capacity ? 2 * *capacity : 8;
    void *grown = ssa_reallocate(*items, larger * bytes);
    if (!grown)
        return SSA_ENOMEM;
    *items = grown;
    *capacity = larger;
    return SSA_OK;
}

static ssa_key_history *find_history(const ssa_batch_plan *batch, uint64_t hash) {
    size_t place = (size_t)hash & (batch->history_capacity - 1);
    while (batch->histories[place].hash && batch->histories[place].hash != hash)
        place = (place + 1) & (batch->history_capacity - 1);
    return &batch->histories[place];
}

static ssa_status reserve_history(ssa_batch_plan *batch) {
    if (2 * (batch->history_count + 1) <= batch->history_capacity)
        return SSA_OK;
    size_t capacity = batch->history_capacity ? 2 * batch->history_capacity : 16, old_capacity = batch->history_capacity;
    ssa_key_history *grown = ssa_allocate(capacity * sizeof *grown), *old = batch->histories;
    if (!grown)
        return SSA_ENOMEM;
    memset(grown, 0, capacity * sizeof *grown);
    batch->histories = grown;
    batch->history_capacity = capacity;
    for (size_t i = 0; i < old_capacity; i++)
        if (old[i].hash)
            *find_history(batch, old[i].hash) = old[i];
    ssa_release(old);
    return SSA_OK;
}

static ssa_status follow(ssa_batch_plan *batch, size_t follower, size_t leader) {
    if (leader == SSA_NOWHERE || leader == follower)
        return SSA_OK;
    if (ssa_batch_grow((void **)&batch->edges, &batch->edge_capacity, batch->edge_count, sizeof *batch->edges))
        return SSA_ENOMEM;
    ssa_batch_entry *ahead = &batch->entries[leader];
    batch->edges[batch->edge_count] = (ssa_batch_edge){follower, SSA_NOWHERE};
    *(ahead->first_follower == SSA_NOWHERE ? &ahead->first_follower : &batch->edges[ahead->last_follower].next) = batch->edge_count;
    ahead->last_follower = batch->edge_count++;
    batch->entries[follower].holds++;
    return SSA_OK;
}

/* `fetches`: over other connections than ours, so that everything before it on the key must be done. */
static ssa_status note_key(ssa_batch_plan *batch, size_t place, uint64_t hash, int is_slow, int fetches) {
    if (reserve_history(batch))
        return SSA_ENOMEM;
    ssa_key_history *history = find_history(batch, hash);
    if (!history->hash) {
        *history = (ssa_key_history){hash, SSA_NOWHERE, SSA_NOWHERE};
        batch->history_count++;
    }
    if (follow(batch, place, fetches ? history->last : history->last_slow))
        return SSA_ENOMEM;
    history->last = place;
    if (is_slow)
        history->last_slow = place;
    return SSA_OK;
}

static ssa_key_value *find_value(const ssa_batch_plan *batch, const ssa_buffer *key) {
    for (size_t i = batch->value_count; i-- > 0;) {
        const ssa_buffer *other = &batch->values[i].key;
        if (other->bytes == key->bytes && !memcmp(other->data, key->data, key->bytes))
            return &batch->values[i];
    }
    return NULL;
}

static ssa_key_value *need_value(ssa_batch_plan *batch, const ssa_buffer *key) {
    ssa_key_value *value = find_value(batch, key);
    if (value)
        return value;
    if (ssa_batch_grow((void **)&batch->values, &batch->value_capacity, batch->value_count, sizeof *batch->values))
        return NULL;
    value = &batch->values[batch->value_count];
    memset(value, 0, sizeof *value);
    value->run = SSA_NOWHERE;
    if (ssa_buffer_append(&value->key, key->data, key->bytes))
        return NULL;
    value->hash = ssa_key_hash(key->data, key->bytes);
    batch->value_count++;
    return value;
}

/* What is under the key now comes from this entry, or (SSA_NOWHERE) from nowhere in the batch. */
static ssa_status set_value(ssa_batch_plan *batch, const ssa_buffer *key, size_t run, size_t index) {
    ssa_key_value *value = need_value(batch, key);
    if (!value)
        return SSA_ENOMEM;
    value->run = run;
    value->index = index;
    return SSA_OK;
}

/* What is under the keys of this hash tag comes from nowhere in the batch, as far as is known. */
static void forget_values(ssa_batch_plan *batch, uint64_t hash) {
    for (size_t i = 0; i < batch->value_count; i++)
        if (hash && batch->values[i].hash == hash)
            batch->values[i].run = SSA_NOWHERE;
}

/* Its state is an ssa_single: that of a put in chunks is too, which takes several steps. */
static int is_about_a_key(const ssa_request *request) {
    return request->is_single || request->chunks;
}

/* The put of this key that the run would see, if it is a put that carries its bytes; from the end: the last one counts. */
static size_t find_put(const ssa_batch_plan *batch, const ssa_buffer *key, uint64_t hash) {
    for (size_t i = batch->count; i-- > 0;) {
        const ssa_request *request = batch->entries[i].request;
        if (!request->order_hash && !ssa_run_state_of((ssa_request *)request))
            return SSA_NOWHERE;
        if (request->order_hash != hash)
            continue;
        if (!is_about_a_key(request))
            return SSA_NOWHERE;
        const ssa_single *single = request->state;
        if (single->key.bytes != key->bytes || memcmp(single->key.data, key->data, key->bytes))
            continue;
        if (single->writes)
            return single->carried ? i : SSA_NOWHERE;
    }
    return SSA_NOWHERE;
}

/* A run follows what sets or deletes what it runs; one such operation follows all runs of it. */
static ssa_status follow_model(ssa_batch_plan *batch, size_t place, uint64_t hash) {
    const ssa_key_history *history = batch->history_capacity ? find_history(batch, hash) : NULL;
    return history && history->hash ? follow(batch, place, history->last_slow) : SSA_OK;
}

static ssa_status follow_runs(ssa_batch_plan *batch, size_t place, uint64_t hash) {
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < place && status == SSA_OK; i++) {
        const ssa_run_state *run = ssa_run_state_of(batch->entries[i].request);
        if (run && run->model_hash == hash)
            status = follow(batch, place, i);
    }
    return status;
}

static ssa_status plan_run(ssa_batch_plan *batch, size_t place, ssa_run_state *state) {
    if (follow_model(batch, place, state->model_hash))
        return SSA_ENOMEM;
    for (size_t i = 0; i < state->input_count; i++) {
        ssa_run_source *source = &state->inputs[i];
        if (!source->key.bytes)
            continue;
        ssa_key_value *value = find_value(batch, &source->key);
        if (value && value->run != SSA_NOWHERE) {
            source->from = batch->entries[value->run].request;
            source->index = value->index;
            batch->passes_on = 1;
            if (follow(batch, place, value->run))
                return SSA_ENOMEM;
            ssa_buffer_free(&source->key);
            continue;
        }
        size_t put = find_put(batch, &source->key, source->hash);
        const ssa_single *single = put == SSA_NOWHERE ? NULL : batch->entries[put].request->state;
        uint64_t room = batch->engine->workers.most_bytes - ssa_run_carries(batch->entries[place].request);
        if (single && single->wanted.data_bytes <= room) { /* else the worker fetches it */
            ssa_tensor_header_copy(&source->header, &single->wanted);
            source->data = single->carried;
            ssa_buffer_free(&source->key);
        } else if (note_key(batch, place, source->hash, 1, 1)) {
            return SSA_ENOMEM;
        }
    }
    for (size_t i = 0; i < state->output_count; i++) {
        ssa_run_output *output = &state->outputs[i];
        if (note_key(batch, place, output->hash, 1, 0) || set_value(batch, &output->key, place, i))
            return SSA_ENOMEM;
    }
    return SSA_OK;
}

/* A get or unpack of what a run of this batch gives. */
static void plan_output(ssa_batch_plan *batch, size_t place) {
    ssa_request *request = batch->entries[place].request;
    const ssa_single *single = request->state;
    const ssa_key_value *value = find_value(batch, &single->key);
    if (!value || value->run == SSA_NOWHERE || !single->reads_tensor)
        return;
    batch->entries[place].run = batch->entries[value->run].request;
    batch->entries[place].index = value->index;
}

static ssa_status plan(ssa_batch_plan *batch, size_t place) {
    ssa_request *request = batch->entries[place].request;
    ssa_run_state *run = ssa_run_state_of(request);
    if (follow(batch, place, batch->last_barrier))
        return SSA_ENOMEM;
    if (run)
        return plan_run(batch, place, run);
    if (!request->order_hash) {
        for (size_t i = batch->last_barrier == SSA_NOWHERE ? 0 : batch->last_barrier + 1; i < place; i++)
            if (follow(batch, place, i))
                return SSA_ENOMEM;
        batch->last_barrier = place;
        for (size_t i = 0; i < sizeof request->changes / sizeof *request->changes; i++)
            forget_values(batch, request->changes[i]);
        return SSA_OK;
    }
    int is_model = request->kind == SSA_KIND_MODEL || request->kind == SSA_KIND_SCRIPT;
    if (is_model && request->changes[0] && follow_runs(batch, place, request->changes[0]))
        return SSA_ENOMEM;
    if (!is_about_a_key(request)) {
        forget_values(batch, request->order_hash);
    } else if (batch->value_count) {
        const ssa_single *single = request->state;
        plan_output(batch, place);
        if (single->writes && set_value(batch, &single->key, SSA_NOWHERE, 0))
            return SSA_ENOMEM;
    }
    return note_key(batch, place, request->order_hash, !request->is_single, 0);
}

ssa_status ssa_batch_plan_add(ssa_batch_plan *batch, ssa_request *request) {
    if (batch->whole) {
        ssa_request_free(request);
        return SSA_EARGUMENT;
    }
    if (ssa_batch_grow((void **)&batch->entries, &batch->capacity, batch->count, sizeof *batch->entries)) {
        ssa_request_free(request);
        return SSA_ENOMEM;
    }
    size_t place = batch->count;
    memset(&batch->entries[place], 0, sizeof *batch->entries);
    batch->entries[place].request = request;
    batch->entries[place].first_follower = batch->entries[place].chain = batch->entries[place].next_step = SSA_NOWHERE;
    request->batch = batch;
    request->batch_place = place;
    ssa_status status = plan(batch, place);
    batch->count++; /* also when the plan failed: it is freed with the batch, which is of no further use */
    if (status)
        batch->failed = 1;
    return status;
}

/* ---- carrying out */

static void start(ssa_batch_plan *batch, size_t place);
static void start_chain(ssa_batch_plan *batch, size_t place);
static void chain_done(ssa_batch_plan *batch, ssa_batch_chain *chain);

/* The first that failed by itself; else the first that was ended because others had. */
static const ssa_request *find_failed(const ssa_batch_plan *batch) {
    const ssa_request *found = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        const ssa_request *request = batch->entries[i].request;
        if (batch->entries[i].state != SSA_ENTRY_DONE || request->status == SSA_OK)
            continue;
        if (request->status != SSA_ECANCELLED)
            return request;
        if (!found)
            found = request;
    }
    return found;
}

static void end_whole(ssa_batch_plan *batch) {
    const ssa_request *failed = find_failed(batch);
    if (failed)
        ssa_request_fail(batch->whole, failed->status, "%s", failed->error.data ? (char *)failed->error.data : "");
    else
        ssa_request_succeed(batch->whole);
}

/* All before this place are done, and none has failed. */
static int all_done_before(ssa_batch_plan *batch, size_t place) {
    while (batch->undone_start < batch->count && batch->entries[batch->undone_start].state == SSA_ENTRY_DONE)
        batch->undone_start++;
    return batch->undone_start >= place;
}

/* A put that has failed fails the batch: what was computed from its bytes is not stored. Later gets of the outputs are answered. */
int ssa_batch_plan_may_store(ssa_batch_plan *batch, ssa_request *request) {
    ssa_batch_entry *own = &batch->entries[request->batch_place];
    if (batch->failed) {
        ssa_request_fail(request, SSA_ECANCELLED, "the outputs of '%s' were not stored: another operation of the batch failed",
                         (char *)request->subject.data);
        return 0;
    }
    batch->want_to_store -= (size_t)own->wants_to_store;
    own->wants_to_store = !all_done_before(batch, request->batch_place);
    batch->want_to_store += (size_t)own->wants_to_store;
    return !own->wants_to_store;
}

static void settle(ssa_batch_plan *batch, size_t place, ssa_entry_state state) {
    batch->entries[place].state = state;
    batch->done++;
}

static void never(ssa_batch_plan *batch, size_t place) {
    settle(batch, place, SSA_ENTRY_NEVER);
}

static void serve_stores(ssa_batch_plan *batch) {
    for (size_t i = batch->undone_start; i < batch->count && batch->want_to_store; i++) {
        if (!batch->entries[i].wants_to_store)
            continue;
        ssa_request *request = batch->entries[i].request;
        if (request->complete) {
            batch->entries[i].wants_to_store = 0;
            batch->want_to_store--;
        } else if (ssa_batch_plan_may_store(batch, request)) {
            ssa_run_store(request);
        }
    }
}

/* The chain that the entry is a step of and that is not over; NULL: it goes by itself. */
static ssa_batch_chain *chain_of(const ssa_batch_plan *batch, size_t place) {
    size_t chain = batch->entries[place].chain;
    return chain == SSA_NOWHERE || batch->chains[chain].state == SSA_CHAIN_IS_OVER ? NULL : &batch->chains[chain];
}

/* One that it waited for is done. */
static void let_go(ssa_batch_plan *batch, size_t place) {
    ssa_batch_entry *own = &batch->entries[place];
    ssa_batch_chain *chain = chain_of(batch, place);
    own->holds--;
    if (chain && --chain->holds == 0)
        start_chain(batch, place);
    else if (!chain && !own->holds && own->state == SSA_ENTRY_HELD)
        start(batch, place);
}

static void drop_chains(ssa_batch_plan *batch) {
    for (size_t i = 0; i < batch->chain_count; i++) {
        ssa_batch_chain *chain = &batch->chains[i];
        int runs = chain->state == SSA_CHAIN_RUNS;
        chain->state = SSA_CHAIN_IS_OVER;
        if (runs)
            ssa_request_cancel(chain->request);
    }
}

void ssa_batch_plan_child_done(ssa_batch_plan *batch, ssa_request *request) {
    size_t place = request->batch_place;
    if (place >= batch->count) {
        chain_done(batch, &batch->chains[place - batch->count]);
        return;
    }
    if (batch->entries[place].state != SSA_ENTRY_STARTED || batch->whole->complete)
        return;
    if (request->status != SSA_OK)
        batch->failed = 1;
    if (request->is_single)
        ssa_request_drop_calls(request); /* now, while the server works, and not all at the end */
    settle(batch, place, SSA_ENTRY_DONE);
    for (size_t i = batch->entries[place].first_follower; i != SSA_NOWHERE; i = batch->edges[i].next)
        let_go(batch, batch->edges[i].follower);
    if (batch->failed)
        drop_chains(batch);
    if (batch->failed)
        for (size_t i = 0; i < batch->count; i++)
            if (batch->entries[i].state == SSA_ENTRY_HELD)
                never(batch, i);
    all_done_before(batch, batch->count);
    serve_stores(batch);
    if (batch->done == batch->count)
        end_whole(batch);
}

/* From the run's reply: a copy of its own, for the run's may be stored still. */
static void answer_from(ssa_request *request, const ssa_request *run, size_t index) {
    if (index >= run->tensor_count)
        request->status = SSA_ECANCELLED;
    else if (ssa_single_answer(request, &run->tensors[index]) && !request->status)
        request->status = SSA_ENOMEM;
    request->complete = 1;
}

static void start(ssa_batch_plan *batch, size_t place) {
    ssa_batch_entry *own = &batch->entries[place];
    if (batch->failed) {
        never(batch, place);
        return;
    }
    own->state = SSA_ENTRY_STARTED;
    if (own->run) {
        answer_from(own->request, own->run, own->index);
        ssa_batch_plan_child_done(batch, own->request);
        return;
    }
    ssa_request_start_until(own->request, batch->whole->until, batch->whole->timeout);
}

/* All its steps that wait for nothing: with their results, or to be run one by one. */
static void start_steps(ssa_batch_plan *batch, const ssa_batch_chain *chain) {
    for (size_t place = chain->first; place != SSA_NOWHERE; place = batch->entries[place].next_step)
        if (batch->entries[place].state == SSA_ENTRY_HELD && !batch->entries[place].holds)
            start(batch, place);
}

static void start_chain(ssa_batch_plan *batch, size_t place) {
    size_t number = batch->entries[place].chain;
    ssa_batch_chain *chain = &batch->chains[number];
    if (batch->failed || batch->entries[place].state != SSA_ENTRY_HELD)
        return;
    chain->state = SSA_CHAIN_RUNS;
    chain->request = ssa_batch_chain_request(batch, chain);
    if (!chain->request) {
        chain->state = SSA_CHAIN_IS_OVER;
        start_steps(batch, chain);
        return;
    }
    chain->request->batch = batch;
    chain->request->batch_place = batch->count + number;
    ssa_request_start_until(chain->request, batch->whole->until, batch->whole->timeout);
}

static void chain_done(ssa_batch_plan *batch, ssa_batch_chain *chain) {
    const ssa_request *request = chain->request;
    if (chain->state != SSA_CHAIN_RUNS || batch->whole->complete)
        return;
    chain->state = SSA_CHAIN_IS_OVER;
    if (request->status == SSA_OK) {
        start_steps(batch, chain);
        return;
    }
    ssa_batch_entry *first = &batch->entries[chain->first];
    first->state = SSA_ENTRY_STARTED;
    ssa_request_fail(first->request, request->status, "%s", request->error.data ? (char *)request->error.data : "");
    ssa_batch_plan_child_done(batch, first->request);
}

static void begin(ssa_request *whole) {
    ssa_batch_plan *batch = whole->state;
    if (batch->failed) {
        ssa_request_fail_memory(whole);
        return;
    }
    if (!batch->count) {
        ssa_request_succeed(whole);
        return;
    }
    whole->outstanding = 1; /* its operations */
    size_t flush_at = SENT_FIRST;
    for (size_t i = 0; i < batch->count && !whole->complete; i++) {
        const ssa_batch_chain *chain = chain_of(batch, i);
        if (chain && chain->state == SSA_CHAIN_WAITS && chain->first == i && !chain->holds)
            start_chain(batch, i);
        else if (!chain && batch->entries[i].state == SSA_ENTRY_HELD && !batch->entries[i].holds)
            start(batch, i);
        if (i + 1 == flush_at) {
            ssa_engine_flush(batch->engine);
            flush_at *= 2;
        }
    }
}

const ssa_batch_plan *ssa_batch_plan_of(const ssa_request *request) {
    return request->step == begin ? request->state : NULL;
}

ssa_request *ssa_batch_plan_operation(const ssa_batch_plan *batch, size_t place) {
    return place < batch->count ? batch->entries[place].request : NULL;
}

ssa_request *ssa_batch_plan_whole(const ssa_batch_plan *batch) {
    return batch->whole;
}

/* Nobody waits for what is still under way. */
static void drop(ssa_batch_plan *batch) {
    drop_chains(batch);
    for (size_t i = 0; i < batch->count; i++)
        if (batch->entries[i].state == SSA_ENTRY_STARTED && !batch->entries[i].request->complete)
            ssa_request_cancel(batch->entries[i].request);
}

/* The batch is late as a whole, in the words of the first operation that still waits; a run tells what it met itself. */
static void overdue(ssa_request *whole) {
    ssa_batch_plan *batch = whole->state;
    char text[1024];
    for (size_t i = 0; i < batch->count; i++)
        whole->answered |= batch->entries[i].state == SSA_ENTRY_DONE || ssa_failure_is_in_doubt(batch->entries[i].request);
    ssa_status status = ssa_failure_of_timeout(whole, text, sizeof text);
    int told = 0;
    batch->failed = 1;
    for (size_t i = 0; i < batch->chain_count && !whole->complete; i++)
        if (batch->chains[i].state == SSA_CHAIN_RUNS)
            batch->chains[i].request->overdue(batch->chains[i].request);
    for (size_t i = 0; i < batch->count && !whole->complete; i++) {
        ssa_request *request = batch->entries[i].request;
        if (batch->entries[i].state != SSA_ENTRY_STARTED || request->complete)
            continue;
        if (request->overdue) {
            request->overdue(request);
        } else if (!told) {
            told = 1;
            whole->calls = request->calls;
            whole->call_count = request->call_count;
            status = ssa_failure_of_timeout(whole, text, sizeof text);
            whole->calls = NULL;
            whole->call_count = 0;
        }
    }
    if (!whole->complete)
        ssa_request_fail(whole, status, "%s", text);
    drop(batch);
}

ssa_request *ssa_batch_plan_execute(ssa_batch_plan *batch, int64_t timeout) {
    if (batch->whole)
        return NULL;
    batch->whole = ssa_request_new(batch->engine, "execute", SSA_KIND_KEY, "batch", 5, begin);
    if (!batch->whole)
        return NULL;
    batch->whole->state = batch;
    batch->whole->overdue = overdue;
    if (batch->passes_on && ssa_batch_find_chains(batch))
        batch->failed = 1;
    ssa_request_start(batch->whole, timeout);
    return batch->whole;
}

ssa_request *ssa_batch_plan_release(ssa_batch_plan *batch) {
    ssa_request *whole = batch->whole;
    batch->whole = NULL;
    return whole;
}

void ssa_batch_plan_cancel(ssa_batch_plan *batch) {
    if (!batch->whole || batch->whole->complete)
        return;
    batch->failed = 1;
    ssa_request_cancel(batch->whole);
    drop(batch);
}
