#include "backoff.h"
#include "op_chunk.h"
#include "text_begins.h"

static const ssa_backoff after_not_now = {10000000, 200000000};

int ssa_answer_is_not_now(const ssa_command *answer) {
    static const char *const words[] = {"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"};
    for (size_t i = 0; answer->status == SSA_ESERVER && i < sizeof words / sizeof *words; i++)
        if (ssa_text_begins(answer->error.data, answer->error.bytes, words[i]))
            return 1;
    return answer->status == SSA_ECLOSED;
}

static void take_look(ssa_request *request) {
    ssa_command *answer = ssa_request_answer(request, 0);
    ssa_manifest manifest;
    if (ssa_chunks_says_no_string(answer))
        answer->status = SSA_OK;
    if (!ssa_request_failed(request))
        request->chunks->watch.decide(request, ssa_chunks_found(answer, 0, &manifest) ? &manifest : NULL);
}

static void look(ssa_request *request) {
    const ssa_chunk_io *io = request->chunks;
    const ssa_buffer *key = io->watch.key;
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("WATCH"), SSA_KEY_TEXT(*key)));
    if (command && ssa_chunks_look(command, key)) {
        ssa_command_free(command);
        command = NULL;
    }
    request->step = take_look;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, key->data, key->bytes, SSA_CALL_IDEMPOTENT | SSA_CALL_WATCH | io->watch.flags);
}

static void after_pause(ssa_timer *timer) {
    ssa_request *request = timer->owner;
    if (!request->complete)
        look(request);
}

int ssa_chunks_watched_nothing(const ssa_request *request) {
    const ssa_reply *reply = &request->calls[0].command->reply;
    return reply->count && reply->nodes[0].kind == SSA_TOKEN_BULK && !reply->nodes[0].text_bytes;
}

void ssa_chunks_unwatch(ssa_request *request) {
    ssa_engine_end_turn(request->engine, request);
}

static void completed(ssa_request *request) {
    ssa_timer_cancel(&request->engine->timers, &request->chunks->watch.pause);
    ssa_chunks_unwatch(request);
}

void ssa_chunks_watch(ssa_request *request, const ssa_buffer *key, unsigned flags,
                      void (*decide)(ssa_request *request, const ssa_manifest *found)) {
    ssa_chunk_io *io = request->chunks;
    if (!io->watch.has_timer && ssa_engine_take_timer(request->engine)) {
        ssa_request_fail_memory(request);
        return;
    }
    io->watch.has_timer = 1;
    io->watch.key = key;
    io->watch.flags = flags;
    io->watch.decide = decide;
    io->watch.delay = 0;
    io->watch.pause.fire = after_pause;
    io->watch.pause.owner = request;
    request->completed = completed;
    look(request);
}

static void conclude(ssa_request *request) {
    ssa_chunk_io *io = request->chunks;
    const ssa_command *answer = ssa_request_answer(request, 0);
    int in_doubt = answer->status == SSA_ECLOSED && answer->sent >= answer->total;
    if (ssa_answer_is_not_now(answer) && !(in_doubt && !io->watch.may_repeat)) {
        io->watch.delay = ssa_backoff_next(&after_not_now, io->watch.delay);
        ssa_chunks_unwatch(request);
        ssa_engine_arm(request->engine, &io->watch.pause, request->engine->now + io->watch.delay);
    } else if (answer->status == SSA_OK && answer->reply.nodes[0].kind == SSA_TOKEN_NULL) {
        look(request); /* somebody changed it between */
    } else {
        ssa_chunks_unwatch(request);
        io->watch.done(request);
    }
}

void ssa_chunks_act(ssa_request *request, ssa_command *command, int may_repeat, ssa_chunk_step done) {
    ssa_chunk_io *io = request->chunks;
    const ssa_buffer *key = io->watch.key;
    io->watch.may_repeat = may_repeat;
    io->watch.done = done;
    request->step = conclude;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, key->data, key->bytes, SSA_CALL_WATCHED | (io->watch.flags & SSA_CALL_FENCE));
}
