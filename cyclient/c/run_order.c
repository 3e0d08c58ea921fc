#include "run_order.h"

#include <string.h>

#include "batch_plan.h"
#include "engine.h"
#include "op_run.h"
#include "op_run_chain.h"

/* ---- what is being changed */

static uint32_t *place(ssa_run_order *order, uint64_t hash) {
    return hash == SSA_ALL_KEYS ? &order->changing_all : &order->changing[hash % (sizeof order->changing / sizeof *order->changing)];
}

/* by: 1, or -1 as uint32_t. */
static void count(ssa_run_order *order, ssa_request *request, uint32_t by) {
    const ssa_run_state *run = ssa_run_state_of(request);
    for (size_t i = 0; run && !run->discard && i < run->output_count; i++)
        *place(order, run->outputs[i].hash) += by;
    for (size_t i = 0; !run && i < sizeof request->changes / sizeof *request->changes; i++)
        if (request->changes[i])
            *place(order, request->changes[i]) += by;
    const ssa_batch_plan *batch = ssa_batch_plan_of(request);
    for (size_t i = 0; batch && (request = ssa_batch_plan_operation(batch, i)); i++)
        count(order, request, by);
}

static int changes(ssa_request *request, uint64_t hash) {
    const ssa_run_state *run = ssa_run_state_of(request);
    for (size_t i = 0; run && !run->discard && i < run->output_count; i++)
        if (run->outputs[i].hash == hash)
            return 1;
    for (size_t i = 0; !run && i < sizeof request->changes / sizeof *request->changes; i++)
        if (request->changes[i] == hash || request->changes[i] == SSA_ALL_KEYS)
            return 1;
    const ssa_batch_plan *batch = ssa_batch_plan_of(request);
    for (size_t i = 0; batch && (request = ssa_batch_plan_operation(batch, i)); i++)
        if (changes(request, hash))
            return 1;
    return 0;
}

static int is_part(const ssa_request *request) {
    return request->batch || request->parent;
}

void ssa_run_order_started(ssa_request *request) {
    if (!is_part(request))
        count(&request->engine->run_order, request, 1);
}

/* ---- what a run waits for */

/* The list of requests begins with the one that was started last: older ones stand behind. */
static ssa_request *find_older(const ssa_request *own, uint64_t hash) {
    ssa_run_order *order = &own->engine->run_order;
    if (!*place(order, hash) && !order->changing_all)
        return NULL;
    for (ssa_request *request = own->next; request; request = request->next)
        if (!is_part(request) && changes(request, hash))
            return request;
    return NULL;
}

/* NULL: nothing. */
static ssa_request *find_leader(ssa_run *run) {
    ssa_request *request = run->request, *found = NULL;
    const ssa_request *own = request->batch ? ssa_batch_plan_whole(request->batch) : request;
    size_t count = ssa_chain_length(request);
    for (size_t step = 0; step < (count ? count : 1) && !found; step++) {
        const ssa_run_state *state = ssa_run_state_of(count ? ssa_chain_step(request, step) : request);
        found = find_older(own, state->model_hash);
        for (size_t i = 0; i < state->input_count && !found; i++)
            if (state->inputs[i].key.bytes)
                found = find_older(own, state->inputs[i].hash);
    }
    return found;
}

/* What it waited for is done. */
static void let_go(ssa_run *run) {
    ssa_engine *engine = run->request->engine;
    run->leader = NULL;
    engine->run_order.ready++;
    ssa_engine_arm(engine, &engine->run_order.timer, engine->now);
}

/* Behind those that were asked for before it. */
static void hold(ssa_run *run) {
    ssa_run_order *order = &run->request->engine->run_order;
    run->is_held = 1;
    run->next_held = NULL;
    run->previous_held = order->last_held;
    *(run->previous_held ? &run->previous_held->next_held : &order->held) = run;
    order->last_held = run;
}

int ssa_run_order_leave(ssa_run *run) {
    if (!run->is_held)
        return 0;
    ssa_run_order *order = &run->request->engine->run_order;
    *(run->previous_held ? &run->previous_held->next_held : &order->held) = run->next_held;
    *(run->next_held ? &run->next_held->previous_held : &order->last_held) = run->previous_held;
    if (order->served_next == run)
        order->served_next = run->next_held;
    order->ready -= !run->leader;
    run->is_held = 0;
    return 1;
}

/* Where others are about to leave it follows them. */
ssa_status ssa_run_start_in_order(ssa_run *run) {
    run->leader = find_leader(run);
    if (!run->leader && !run->request->engine->run_order.ready)
        return ssa_run_start(run);
    hold(run);
    if (!run->leader)
        let_go(run);
    return SSA_OK;
}

/* In the order in which they were asked for; one that has to wait for yet another keeps its place. One that cannot start ends,
 * and others with it. */
static void on_timer(ssa_timer *timer) {
    ssa_engine *engine = timer->owner;
    ssa_run_order *order = &engine->run_order;
    for (ssa_run *run = order->held; run && order->ready; run = order->served_next) {
        order->served_next = run->next_held;
        if (run->leader)
            continue;
        ssa_request *leader = find_leader(run);
        if (leader) {
            run->leader = leader;
            order->ready--;
            continue;
        }
        ssa_run_order_leave(run);
        if (ssa_run_start(run))
            ssa_request_fail_memory(run->request);
    }
}

void ssa_run_order_done(ssa_request *request) {
    ssa_engine *engine = request->engine;
    if (is_part(request))
        return;
    count(&engine->run_order, request, (uint32_t)-1);
    for (ssa_run *run = engine->run_order.held; run; run = run->next_held)
        if (run->leader == request)
            let_go(run);
}

void ssa_run_order_begin(ssa_engine *engine) {
    engine->run_order.timer.fire = on_timer;
    engine->run_order.timer.owner = engine;
}
