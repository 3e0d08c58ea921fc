#include "batch_private.h"

#include <string.h>

#include "allocator.h"
#include "op_run_chain.h"

/* Of each entry the entries that it waits for. */
typedef struct leaders {
    size_t *begins; /* into `places`; of the entry after the last one too */
    size_t *places;
} leaders;

static void free_leaders(leaders *ahead) {
    ssa_release(ahead->begins);
    ssa_release(ahead->places);
}

static ssa_status find_leaders(const ssa_batch_plan *batch, leaders *ahead) {
    ahead->begins = ssa_allocate((batch->count + 2) * sizeof *ahead->begins);
    ahead->places = ssa_allocate((batch->edge_count + 1) * sizeof *ahead->places);
    if (!ahead->begins || !ahead->places) {
        free_leaders(ahead);
        return SSA_ENOMEM;
    }
    memset(ahead->begins, 0, (batch->count + 2) * sizeof *ahead->begins);
    for (size_t i = 0; i < batch->edge_count; i++)
        ahead->begins[batch->edges[i].follower + 2]++;
    for (size_t i = 2; i < batch->count + 2; i++)
        ahead->begins[i] += ahead->begins[i - 1];
    for (size_t i = 0; i < batch->count; i++) /* begins[follower + 1] goes on to what it is to be */
        for (size_t e = batch->entries[i].first_follower; e != SSA_NOWHERE; e = batch->edges[e].next)
            ahead->places[ahead->begins[batch->edges[e].follower + 1]++] = i;
    return SSA_OK;
}

/* The chain of a run, at first of that run alone; SSA_NOWHERE: it can be no step of any, or (*status) no memory. */
static size_t chain_of(ssa_batch_plan *batch, size_t place, ssa_status *status) {
    ssa_batch_entry *own = &batch->entries[place];
    const ssa_run_state *state = own->request->state;
    if (own->chain != SSA_NOWHERE || !state->output_count || state->output_count > SSA_CHAIN_OUTPUTS)
        return own->chain;
    if ((*status = ssa_batch_grow((void **)&batch->chains, &batch->chain_capacity, batch->chain_count, sizeof *batch->chains)))
        return SSA_NOWHERE;
    batch->chains[batch->chain_count] = (ssa_batch_chain){.first = place, .count = 1};
    return own->chain = batch->chain_count++;
}

/* Whether the steps of `own` may begin when all is done that stands before `first` in the batch; those of `other` go with them. */
static int waits_for_earlier_only(const ssa_batch_plan *batch, const leaders *ahead, size_t own, size_t other, size_t first) {
    for (size_t place = batch->chains[own].first; place != SSA_NOWHERE; place = batch->entries[place].next_step)
        for (size_t i = ahead->begins[place]; i < ahead->begins[place + 1]; i++) {
            size_t leader = ahead->places[i];
            if (leader >= first && batch->entries[leader].chain != own && batch->entries[leader].chain != other)
                return 0;
        }
    return 1;
}

static void add_size(const ssa_batch_plan *batch, size_t chain, ssa_chain_size *size) {
    for (size_t place = batch->chains[chain].first; place != SSA_NOWHERE; place = batch->entries[place].next_step)
        ssa_chain_size_add(size, batch->entries[place].request);
}

static const char *device_of(const ssa_batch_plan *batch, size_t chain) {
    return ((const ssa_run_state *)batch->entries[batch->chains[chain].first].request->state)->run.device;
}

/* A chain waits for what any of its steps waits for, so none of that may wait for a step of it: it stands before the first. Then
 * chains do not wait for each other in a circle either. */
static int may_be_one(const ssa_batch_plan *batch, const leaders *ahead, size_t a, size_t b) {
    size_t first = batch->chains[a].first < batch->chains[b].first ? batch->chains[a].first : batch->chains[b].first;
    ssa_chain_size size = {0, 0, 0};
    add_size(batch, a, &size);
    add_size(batch, b, &size);
    return ssa_chain_size_fits(&size, batch->engine) && !strcmp(device_of(batch, a), device_of(batch, b)) &&
           waits_for_earlier_only(batch, ahead, a, b, first) && waits_for_earlier_only(batch, ahead, b, a, first);
}

/* The steps of `from` go to `into`, in the order of the batch. */
static void join(ssa_batch_plan *batch, size_t into, size_t from) {
    ssa_batch_entry *entries = batch->entries;
    size_t a = batch->chains[into].first, b = batch->chains[from].first, first = SSA_NOWHERE, *end = &first;
    for (size_t place = b; place != SSA_NOWHERE; place = entries[place].next_step)
        entries[place].chain = into;
    while (a != SSA_NOWHERE || b != SSA_NOWHERE) {
        size_t *next = b == SSA_NOWHERE || (a != SSA_NOWHERE && a < b) ? &a : &b;
        *end = *next;
        end = &entries[*next].next_step;
        *next = *end;
    }
    batch->chains[into].first = first;
    batch->chains[into].count += batch->chains[from].count;
    batch->chains[from] = (ssa_batch_chain){.first = SSA_NOWHERE, .state = SSA_CHAIN_IS_OVER};
}

static ssa_status join_with_sources(ssa_batch_plan *batch, const leaders *ahead, size_t place, const ssa_run_state *state) {
    ssa_status status = SSA_OK;
    for (size_t i = 0; i < state->input_count && status == SSA_OK; i++) {
        if (!state->inputs[i].from)
            continue;
        size_t giver = chain_of(batch, state->inputs[i].from->batch_place, &status);
        size_t own = status ? SSA_NOWHERE : chain_of(batch, place, &status);
        if (giver != SSA_NOWHERE && own != SSA_NOWHERE && giver != own && may_be_one(batch, ahead, giver, own))
            join(batch, giver, own);
    }
    return status;
}

static void want(const ssa_request *run, size_t index) {
    ((ssa_run_state *)run->state)->outputs[index].is_wanted = 1;
}

/* What is answered from outputs, or carries them on to another worker. */
static void mark_wanted(ssa_batch_plan *batch) {
    for (size_t place = 0; place < batch->count; place++) {
        const ssa_batch_entry *own = &batch->entries[place];
        const ssa_run_state *state = ssa_run_state_of(own->request);
        if (own->run)
            want(own->run, own->index);
        for (size_t i = 0; state && i < state->input_count; i++) {
            const ssa_request *from = state->inputs[i].from;
            if (from && (own->chain == SSA_NOWHERE || batch->entries[from->batch_place].chain != own->chain))
                want(from, state->inputs[i].index);
        }
    }
}

static void count_holds(ssa_batch_plan *batch, const leaders *ahead, size_t chain) {
    for (size_t place = batch->chains[chain].first; place != SSA_NOWHERE; place = batch->entries[place].next_step)
        for (size_t i = ahead->begins[place]; i < ahead->begins[place + 1]; i++)
            batch->chains[chain].holds += batch->entries[ahead->places[i]].chain != chain;
}

ssa_status ssa_batch_find_chains(ssa_batch_plan *batch) {
    leaders ahead;
    ssa_status status = find_leaders(batch, &ahead);
    if (status)
        return status;
    for (size_t place = 0; place < batch->count && status == SSA_OK; place++) {
        const ssa_run_state *state = ssa_run_state_of(batch->entries[place].request);
        if (state)
            status = join_with_sources(batch, &ahead, place, state);
    }
    for (size_t i = 0; i < batch->chain_count && status == SSA_OK; i++) {
        ssa_batch_chain *chain = &batch->chains[i];
        if (chain->count == 1) {
            batch->entries[chain->first].chain = SSA_NOWHERE;
            chain->state = SSA_CHAIN_IS_OVER;
        }
        if (chain->count > 1)
            count_holds(batch, &ahead, i);
    }
    mark_wanted(batch);
    free_leaders(&ahead);
    return status;
}

ssa_request *ssa_batch_chain_request(const ssa_batch_plan *batch, const ssa_batch_chain *chain) {
    ssa_request *runs[SSA_CHAIN_STEPS];
    ssa_chain_size size = {0, 0, 0};
    for (size_t place = chain->first; place != SSA_NOWHERE; place = batch->entries[place].next_step) {
        runs[size.steps] = batch->entries[place].request;
        ssa_chain_size_add(&size, batch->entries[place].request);
    }
    return ssa_chain_size_fits(&size, batch->engine) ? ssa_op_run_chain(batch->engine, runs, size.steps) : NULL;
}
