#include <inttypes.h>
#include <stdio.h>

#include "op_chunk.h"
#include "op_dataset.h"

static ssa_request *refuse(ssa_problem *problem, int64_t milliseconds) {
    char said[32];
    snprintf(said, sizeof said, "%" PRId64 " ms", milliseconds);
    problem->status = SSA_EARGUMENT;
    ssa_mistake_word(problem->text, sizeof problem->text, "ttl", said,
                     "give the time after which it goes, at least 1 ms, or use persist to let it stay");
    return NULL;
}

/* What the caller has called, by the kind. */
static const char *name_of(const char *const names[3], ssa_kind kind) {
    return kind == SSA_KIND_DATASET ? names[1] : kind == SSA_KIND_LIST ? names[2] : names[0];
}

static const char *const setting[] = {"set_tensor_ttl", "set_dataset_ttl", "set_list_ttl"};
static const char *const getting[] = {"get_tensor_ttl", "get_dataset_ttl", "get_list_ttl"};
static const char *const persisting[] = {"persist_tensor", "persist_dataset", "persist_list"};

/* ---- a key, and its chunks if it has some */

static void after_all(ssa_request *request) {
    if (!ssa_transaction_failed(request, 0))
        ssa_request_succeed(request);
}

/* All keys of the value at one moment. A key that is not there any more has no end to set. */
static void expire_all(ssa_request *request, const ssa_manifest *found) {
    const ssa_buffer *key = &((const ssa_single *)request->state)->key;
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
    ssa_chunks_act(request, ssa_transaction_end(command, status), 1, after_all);
}

/* The answers of EXEC: what was said of the key, at `says`, and what may be a manifest, at the node after it. */
static void go_on(ssa_request *request, size_t says, int64_t ttl) {
    const ssa_single *single = request->state;
    const ssa_command *answer = ssa_request_answer(request, 0);
    ssa_manifest manifest;
    if (ssa_chunks_failed(request, says + 1))
        return;
    if (answer->reply.count <= says || !answer->reply.nodes[says].number) {
        ssa_request_fail_not_found(request, 0);
    } else if (ssa_chunks_found(answer, says + 1, &manifest) && ssa_chunk_io_new(request, &single->key)) {
        request->chunks->ttl = ttl;
        ssa_chunks_watch(request, &single->key, 0, expire_all);
    }
}

static size_t decimal(char text[24], int64_t number) {
    return (size_t)snprintf(text, 24, "%" PRId64, number);
}

static void after_expire(ssa_request *request, ssa_command *answer) {
    int64_t ttl = request->number;
    (void)answer;
    request->number = 0;
    go_on(request, 1, ttl);
}

/* PERSIST says 0 of a key that is not there and of one that has no end: EXISTS tells them apart. */
static void after_persist(ssa_request *request, ssa_command *answer) {
    (void)answer;
    go_on(request, 2, 0);
}

static ssa_command *persist_command(const ssa_buffer *key) {
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("MULTI")));
    if (command && !ssa_command_next(command, 2) && !ssa_command_argument(command, "PERSIST", 7) &&
        !ssa_command_argument(command, key->data, key->bytes) && !ssa_command_next(command, 2) &&
        !ssa_command_argument(command, "EXISTS", 6) && !ssa_command_argument(command, key->data, key->bytes) &&
        !ssa_chunks_look(command, key) && !ssa_command_next(command, 1) && !ssa_command_argument(command, "EXEC", 4))
        return command;
    ssa_command_free(command);
    return NULL;
}

ssa_request *ssa_op_set_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, int64_t milliseconds, ssa_problem *problem) {
    if (milliseconds <= 0)
        return refuse(problem, milliseconds);
    if (kind == SSA_KIND_DATASET)
        return ssa_dataset_expire(engine, name_of(setting, kind), name, milliseconds, problem);
    ssa_request *request = ssa_single_new(engine, name_of(setting, kind), kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    char text[24];
    ssa_text time = {text, decimal(text, milliseconds)};
    single->finished = after_expire;
    request->number = milliseconds;
    ssa_command *command =
        ssa_chunks_look_and(&single->key, SSA_TEXTS(SSA_TEXT("PEXPIRE"), SSA_KEY_TEXT(single->key), time), SSA_TEXTS({NULL, 0}));
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}

ssa_request *ssa_op_persist(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    if (kind == SSA_KIND_DATASET)
        return ssa_dataset_expire(engine, name_of(persisting, kind), name, 0, problem);
    ssa_request *request = ssa_single_new(engine, name_of(persisting, kind), kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = after_persist;
    return ssa_single_ready(request, persist_command(&single->key), SSA_CALL_IDEMPOTENT, problem);
}

static void keep_ttl(ssa_request *request, ssa_command *answer) {
    request->number = answer->reply.nodes[0].number;
    if (request->number == -2) /* what PTTL says of a key that is not there */
        ssa_request_fail_not_found(request, 0);
}

ssa_request *ssa_op_get_ttl(ssa_engine *engine, ssa_kind kind, ssa_text name, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, name_of(getting, kind), kind, name, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = keep_ttl;
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PTTL"), SSA_KEY_TEXT(single->key)));
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}
