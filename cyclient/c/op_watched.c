#include "op_watched.h"

#include "allocator.h"
#include "engine.h"
#include "retry.h"
#include "text_begins.h"

int ssa_answer_is_not_now(const ssa_command *answer) {
    static const char *const words[] = {"MOVED", "ASK", "TRYAGAIN", "CLUSTERDOWN", "LOADING", "MASTERDOWN", "READONLY"};
    for (size_t i = 0; answer->status == SSA_ESERVER && i < sizeof words / sizeof *words; i++)
        if (ssa_text_begins(answer->error.data, answer->error.bytes, words[i]))
            return 1;
    return answer->status == SSA_ECLOSED;
}

void ssa_watched_start(ssa_request *request, const ssa_buffer *key, unsigned flags, void (*look)(ssa_request *)) {
    if (!request->watched)
        request->watched = ssa_allocate(sizeof *request->watched);
    if (!request->watched) {
        ssa_request_fail_memory(request);
        return;
    }
    *request->watched = (ssa_watched){.key = key, .flags = flags, .look = look};
    look(request);
}

void ssa_watched_look(ssa_request *request, ssa_command *command) {
    const ssa_watched *watched = request->watched;
    ssa_request_send(request, 0, command, watched->key->data, watched->key->bytes,
                     SSA_CALL_IDEMPOTENT | SSA_CALL_WATCH | watched->flags);
}

void ssa_watched_leave(ssa_request *request) {
    if (request->watched)
        ssa_engine_end_turn(request->engine, request);
}

void ssa_watched_free(ssa_request *request) {
    ssa_release(request->watched);
}

static void conclude(ssa_request *request) {
    const ssa_watched *watched = request->watched;
    const ssa_command *answer = ssa_request_answer(request, 0);
    int is_in_doubt = answer->status == SSA_ECLOSED && answer->sent >= answer->total;
    ssa_watched_leave(request);
    if (ssa_answer_is_not_now(answer) && !(is_in_doubt && !watched->may_repeat))
        ssa_retry_later(request, watched->look);
    else if (answer->status == SSA_OK && answer->reply.nodes[0].kind == SSA_TOKEN_NULL)
        ssa_retry_contended(request, watched->look); /* somebody changed it between */
    else
        watched->done(request);
}

void ssa_watched_act(ssa_request *request, ssa_command *command, int may_repeat, void (*done)(ssa_request *request)) {
    ssa_watched *watched = request->watched;
    watched->may_repeat = may_repeat;
    watched->done = done;
    request->step = conclude;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, command, watched->key->data, watched->key->bytes, SSA_CALL_WATCHED | watched->flags);
}
