/* What the leader does with requests: book them, push `alive`, expire them, forget those of a client that left. */
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "front_chain.h"
#include "front_private.h"

#define TICK_NS UINT64_C(10000000) /* a tick walks all requests: not more often than this */

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Lock held: the entry of what is to be run; when nobody has it and nobody was asked for it, somebody is now. */
static ssa_model *ask_for(ssa_front *front, const ssa_target *target) {
    int script = ssa_target_is_script(target);
    ssa_model *model = ssa_models_find(&front->models, script, target->name, target->name_bytes, 1);
    if (!model || model->ready || model->wanted)
        return model;
    ssa_errand_kind kind = script ? SSA_ERRAND_LOAD_SCRIPT : SSA_ERRAND_LOAD;
    if (ssa_front_add_errand(front, kind, target->name, target->name_bytes, 0, 0)) {
        ssa_models_prune(&front->models, model);
        return NULL;
    }
    model->wanted = 1;
    return model;
}

static void wait_for_store(ssa_model *model, ssa_request *request) {
    request->model = model;
    request->state = SSA_REQUEST_FETCHING;
    ssa_link_insert(&model->fetching, &request->in_model);
}

/* The client knows of a later version than the one that is loaded: the store is asked before this request runs. Once is
 * enough: what it says then is as new as what the client knew, whatever its number is. */
static int needs_look(const ssa_model *model, const ssa_request *request) {
    return request->target.least_version > model->version_number && !request->looked;
}

ssa_status ssa_front_queue(ssa_front *front, ssa_request *request) {
    const ssa_target *target = &request->target;
    ssa_model *model = ask_for(front, target);
    if (!model)
        return SSA_ENOMEM;
    if (needs_look(model, request)) {
        ssa_errand_kind kind = ssa_target_is_script(target) ? SSA_ERRAND_LOOK_SCRIPT : SSA_ERRAND_LOOK;
        ssa_status status = ssa_front_add_errand(front, kind, target->name, target->name_bytes, request->serial, 0);
        if (status == SSA_OK)
            wait_for_store(model, request);
        return status;
    }
    ssa_request_seal(request);
    ssa_models_queue(&front->models, model, request);
    return SSA_OK;
}

/* Lock held: errands for the inputs by key. Returns how many, or -1: no memory; those given so far find no request. */
static int fetch_inputs(ssa_front *front, const ssa_request *request) {
    int count = 0;
    for (size_t i = 0; i < request->inputs_count; i++) {
        const ssa_input *input = &request->inputs[i];
        if (!input->key)
            continue;
        if (ssa_front_add_errand(front, SSA_ERRAND_FETCH, input->key, input->key_bytes, request->serial, i))
            return -1;
        count++;
    }
    return count;
}

/* Lock held. NULL: booked; else the code to refuse it with, text in refusal_text. */
static const char *book(ssa_front *front, ssa_request *request) {
    if (request->refusal)
        return request->refusal;
    char *text = request->refusal_text;
    size_t room = sizeof request->refusal_text;
    if (front->draining) {
        snprintf(text, room, "this worker is stopping");
        return "BUSY";
    }
    if (front->unanswered >= front->most_requests) {
        snprintf(text, room, "%llu requests wait already", (unsigned long long)front->unanswered);
        return "BUSY";
    }
    if (!request->timeout_ms) {
        front->statistics.expired++;
        snprintf(text, room, "the timeout is 0 ms");
        return "EXPIRED";
    }
    snprintf(text, room, "no memory for the request");
    request->serial = ++front->last_serial;
    int fetching = fetch_inputs(front, request);
    if (fetching < 0)
        return "BUSY";
    if (!fetching)
        return ssa_front_queue(front, request) == SSA_OK ? NULL : "BUSY";
    ssa_model *model = ask_for(front, &request->target);
    if (!model)
        return "BUSY";
    wait_for_store(model, request);
    return NULL;
}

/* Lock held: what later steps run is loaded while the first ones run. Without memory it is asked for when it is due. */
static void ask_for_later_steps(ssa_front *front, const ssa_request *request) {
    for (size_t i = 1; request->chain && i < request->chain->steps_count; i++)
        ask_for(front, &request->chain->steps[i].target);
}

void ssa_front_submit(void *context, ssa_request *request) {
    ssa_front *front = context;
    ssa_peer_hold(request->peer);
    request->arrived = front->now;
    request->deadline = front->now + request->timeout_ms * 1000000u;
    request->next_alive = front->now + SSA_ALIVE_NS;
    pthread_mutex_lock(&front->lock);
    front->statistics.requests++;
    const char *refusal = book(front, request);
    if (refusal) {
        front->statistics.failed++;
    } else {
        ask_for_later_steps(front, request);
        front->unanswered++;
        ssa_link_insert(&request->peer->unanswered, &request->in_peer);
        front->next_due = earlier(front->next_due, earlier(request->next_alive, request->deadline));
    }
    pthread_mutex_unlock(&front->lock);
    if (refusal) {
        request->refusal = refusal;
        ssa_front_answer_refusal(request);
        ssa_front_forget(front, request);
    }
}

/* Lock held: nobody will be answered any more. */
static void lose_requests(ssa_front *front, ssa_peer *peer) {
    while (!ssa_link_alone(&peer->unanswered)) {
        ssa_request *request = SSA_CONTAINER(peer->unanswered.next, ssa_request, in_peer);
        front->statistics.lost++;
        if (request->state == SSA_REQUEST_RUNNING) {
            ssa_link_remove(&request->in_peer);
            request->abandoned = 1;
            front->unanswered--;
            continue;
        }
        ssa_model *model = request->model;
        ssa_front_unlist(front, request);
        ssa_models_prune(&front->models, model);
        ssa_front_forget(front, request);
    }
}

void ssa_front_close_peer(ssa_front *front, ssa_peer *peer) {
    ssa_peer_shut(peer);
    pthread_mutex_lock(&front->lock);
    ssa_link_remove(&peer->in_front);
    front->statistics.connections--;
    lose_requests(front, peer);
    ssa_front_check_idle(front);
    pthread_mutex_unlock(&front->lock);
    ssa_peer_release(peer);
}

/* ---- the tick ---- */

/* Add a push to those of its connection when it is time. A failed allocation costs one push, not the request. */
static void push_alive(ssa_request *request, uint64_t place, uint64_t now) {
    if (now < request->next_alive)
        return;
    request->next_alive = now + SSA_ALIVE_NS;
    ssa_buffer *pushes = &request->peer->alive;
    if (ssa_buffer_reserve(pushes, 64))
        return;
    ssa_write_push(pushes, 3);
    ssa_write_simple(pushes, "alive");
    ssa_write_integer(pushes, request->id);
    ssa_write_integer(pushes, (int64_t)place);
}

/* One list of a model; *place counts on. */
static uint64_t tick_list(ssa_front *front, ssa_link *list, uint64_t *place, uint64_t now, ssa_link *expired) {
    uint64_t due = UINT64_MAX;
    for (ssa_link *link = list->next, *next; link != list; link = next) {
        next = link->next;
        ssa_request *request = SSA_CONTAINER(link, ssa_request, in_model);
        if (now >= request->deadline) {
            ssa_front_unlist(front, request);
            ssa_link_insert(expired, &request->in_model);
            continue;
        }
        push_alive(request, ++*place, now);
        due = earlier(due, earlier(request->next_alive, request->deadline));
    }
    return due;
}

static uint64_t tick_model(ssa_front *front, ssa_model *model, uint64_t now, ssa_link *expired) {
    uint64_t due = UINT64_MAX, place = 0;
    for (size_t i = 0; model->running && i < model->running->requests_count; i++) {
        ssa_request *request = model->running->requests[i];
        if (request->abandoned)
            continue;
        push_alive(request, 0, now);
        due = earlier(due, request->next_alive);
    }
    due = earlier(due, tick_list(front, &model->queue, &place, now, expired));
    return earlier(due, tick_list(front, &model->fetching, &place, now, expired));
}

/* Send the pushes and close who had time enough to prove itself or to leave. No lock; only the leader changes the list. */
static uint64_t tick_peers(ssa_front *front, uint64_t now) {
    uint64_t due = UINT64_MAX;
    for (ssa_link *link = front->peers.next, *next; link != &front->peers; link = next) {
        next = link->next;
        ssa_peer *peer = SSA_CONTAINER(link, ssa_peer, in_front);
        if (peer->alive.bytes) {
            struct iovec part = {peer->alive.data, peer->alive.bytes};
            /* A client that has unsent bytes before it is not waiting in silence. */
            if (!ssa_peer_unsent(peer))
                ssa_peer_send(peer, &part, 1);
            ssa_buffer_free(&peer->alive);
        }
        if (peer->leave_at && now >= peer->leave_at)
            ssa_front_close_peer(front, peer);
        else if (peer->leave_at)
            due = earlier(due, peer->leave_at);
    }
    return due;
}

void ssa_front_tick(ssa_front *front, uint64_t now) {
    uint64_t due = front->accept_again_at ? front->accept_again_at : UINT64_MAX;
    ssa_link expired;
    ssa_link_reset(&expired);
    for (size_t i = 0; i < SSA_MODEL_BUCKETS; i++) {
        for (ssa_model *model = front->models.buckets[i], *next; model; model = next) {
            next = model->next;
            due = earlier(due, tick_model(front, model, now, &expired));
            ssa_models_prune(&front->models, model);
        }
    }
    for (const ssa_link *link = expired.next; link != &expired; link = link->next)
        front->statistics.expired++;
    /* Requests that are booked while the lock is free only lower it. */
    front->next_due = UINT64_MAX;
    pthread_mutex_unlock(&front->lock);
    ssa_front_answer_list(front, &expired, "EXPIRED", "nobody waits for it any more: its timeout passed before it ran");
    due = earlier(due, tick_peers(front, now));
    pthread_mutex_lock(&front->lock);
    ssa_front_check_idle(front);
    front->next_due = earlier(front->next_due, due > now + TICK_NS ? due : now + TICK_NS);
}
