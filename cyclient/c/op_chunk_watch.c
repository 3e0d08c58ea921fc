#include "op_chunk.h"
#include "op_watched.h"

static void take_look(ssa_request *request) {
    ssa_command *answer = ssa_request_answer(request, 0);
    ssa_manifest manifest;
    if (!ssa_request_failed(request))
        request->chunks->decide(request, ssa_chunks_found(answer, 0, &manifest) ? &manifest : NULL);
}

static void look(ssa_request *request) {
    const ssa_buffer *key = request->watched->key;
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("WATCH"), SSA_KEY_TEXT(*key)));
    if (command && ssa_chunks_look(command, key)) {
        ssa_command_free(command);
        command = NULL;
    }
    request->step = take_look;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_watched_look(request, command);
}

int ssa_chunks_watched_nothing(const ssa_request *request) {
    const ssa_reply *reply = &request->calls[0].command->reply;
    return reply->count && reply->nodes[0].kind == SSA_TOKEN_BULK && !reply->nodes[0].text_bytes;
}

void ssa_chunks_watch(ssa_request *request, const ssa_buffer *key, unsigned flags,
                      void (*decide)(ssa_request *request, const ssa_manifest *found)) {
    request->chunks->decide = decide;
    ssa_watched_start(request, key, flags, look);
}

/* ---- key and chunks get the same end */

static void after_expiry(ssa_request *request) {
    if (ssa_transaction_failed(request, 0))
        return;
    request->forsaken = NULL;
    ssa_request_succeed(request);
}

/* A key that is not there any more has no end to set. */
static void expire_all(ssa_request *request, const ssa_manifest *found) {
    const ssa_buffer *key = request->watched->key;
    int64_t ttl = request->chunks->ttl;
    ssa_command *command = ssa_transaction_begin();
    ssa_status status = command ? ssa_command_next(command, ttl > 0 ? 3 : 2) : SSA_ENOMEM;
    if (!status)
        status = ssa_command_argument(command, ttl > 0 ? "PEXPIRE" : "PERSIST", 7);
    if (!status)
        status = ssa_command_argument(command, key->data, key->bytes);
    if (!status && ttl > 0)
        status = ssa_command_number(command, (uint64_t)ttl);
    if (!status && found)
        status = ssa_chunks_expire(command, key, found, ttl);
    ssa_watched_act(request, ssa_transaction_end(command, status), 1, after_expiry);
}

static void forsake_ttl(ssa_request *request) {
    ssa_chunks_end_alike(request->engine, &request->chunks->key, request->chunks->ttl);
}

void ssa_chunks_set_ttl(ssa_request *request, const ssa_buffer *key, int64_t ttl) {
    request->chunks->ttl = ttl;
    request->forsaken = forsake_ttl;
    ssa_chunks_watch(request, key, 0, expire_all);
}
