/* What a request in chunks leaves in the store when it ends early (a failure, its deadline, nobody waits any more)
 * is seen to by errands: requests of the engine's own, that nobody waits for and that go when they have ended. Their
 * commands follow those of the request on the same key, so behind what is still unsent of it. */
#include <string.h>

#include "allocator.h"
#include "op_chunk.h"

#define PATIENCE INT64_C(3600000000000) /* then chunks without a manifest have gone by themselves */

typedef struct errand {
    ssa_buffer key;
    ssa_manifest manifest;  /* whose chunks go; with `from`: if the transaction that names them was refused */
    int has_manifest;
    int64_t ttl;            /* of one that sets it */
    ssa_request *from;      /* whose transaction it takes over, at its start; NULL: none */
} errand;

static void end(ssa_request *request) {
    errand *state = request->state;
    ssa_buffer_free(&state->key);
    ssa_release(state);
}

static void drop(ssa_request *request) {
    errand *state = request->state;
    ssa_chunks_drop(request, &state->key, &state->manifest, ssa_request_succeed);
}

/* RENAME and COPY are the last commands of theirs, and may find no source: then what the target has stays. */
static int took_nothing(const ssa_command *answer) {
    const ssa_node *last = &answer->reply.nodes[answer->reply.count - 1];
    return last->kind == SSA_TOKEN_ERROR || (last->kind == SSA_TOKEN_INTEGER && !last->number);
}

/* What GETRANGE saw first in the transaction is what it replaced. Where no answer came nobody knows whether it was
 * carried out: new chunks are the value's, or go after their hour. */
static void after_transaction(ssa_request *request) {
    errand *state = request->state;
    const ssa_command *answer = ssa_request_answer(request, 0);
    int names_new = state->has_manifest;
    if (answer->status == SSA_ESERVER && names_new)
        drop(request);
    else if (answer->status == SSA_OK && ssa_chunks_found(answer, 1, &state->manifest) && (names_new || !took_nothing(answer)))
        drop(request);
    else
        ssa_request_succeed(request);
}

static void begin(ssa_request *request) {
    errand *state = request->state;
    ssa_request *from = state->from;
    state->from = NULL;
    request->step = after_transaction;
    if (from && ssa_request_take_over(request, from))
        return;
    if (state->has_manifest)
        drop(request);
    else
        ssa_request_succeed(request);
}

/* NULL: no memory. */
static ssa_request *new_errand(ssa_engine *engine, const char *operation, const ssa_buffer *key,
                               void (*step)(ssa_request *)) {
    ssa_request *request = ssa_request_new(engine, operation, SSA_KIND_KEY, key->data, key->bytes, step);
    errand *state = request ? ssa_allocate(sizeof *state) : NULL;
    if (!state) {
        ssa_request_free(request);
        return NULL;
    }
    memset(state, 0, sizeof *state);
    request->state = state;
    request->end = end;
    request->unattended = 1;
    if (!ssa_buffer_append(&state->key, key->data, key->bytes))
        return request;
    ssa_request_free(request);
    return NULL;
}

static void start(ssa_engine *engine, const ssa_buffer *key, const ssa_manifest *manifest, ssa_request *from) {
    ssa_request *request = new_errand(engine, "drop_chunks", key, begin);
    if (!request)
        return;
    errand *state = request->state;
    state->from = from;
    if (manifest) {
        state->manifest = *manifest;
        state->has_manifest = 1;
    }
    ssa_request_start(request, PATIENCE); /* it may be gone then */
}

static void begin_ttl(ssa_request *request) {
    errand *state = request->state;
    if (ssa_chunk_io_new(request, &state->key))
        ssa_chunks_set_ttl(request, &state->key, state->ttl);
}

void ssa_chunks_end_alike(ssa_engine *engine, const ssa_buffer *key, int64_t ttl) {
    ssa_request *request = new_errand(engine, "set_ttl_of_chunks", key, begin_ttl);
    if (!request)
        return;
    ((errand *)request->state)->ttl = ttl;
    ssa_request_start(request, PATIENCE); /* it may be gone then */
}

void ssa_chunks_forget(ssa_engine *engine, const ssa_buffer *key, const ssa_manifest *manifest) {
    start(engine, key, manifest, NULL);
}

void ssa_chunks_forsake_new(ssa_request *request) {
    start(request->engine, &request->chunks->key, &request->chunks->manifest, NULL);
}

void ssa_chunks_forsake_manifest(ssa_request *request) {
    start(request->engine, &request->chunks->key, &request->chunks->manifest, request);
}

void ssa_chunks_forsake_old(ssa_request *request) {
    start(request->engine, request->chunks->old_key, &request->chunks->old, NULL);
}

void ssa_chunks_forsake_replaced_at(ssa_request *request, const ssa_buffer *key) {
    if (ssa_request_has_left(request))
        start(request->engine, key, NULL, request);
}

void ssa_chunks_forsake_replaced(ssa_request *request) {
    ssa_chunks_forsake_replaced_at(request, &((ssa_single *)request->state)->key);
}

int ssa_request_has_left(const ssa_request *request) {
    const ssa_call *call = request->call_count ? &request->calls[0] : NULL;
    return call && call->link && !call->list && call->command->sent;
}
