#include "op_list.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "op_dataset.h"

/* ---- one command */

ssa_request *ssa_op_append_to_list(ssa_engine *engine, ssa_text list, ssa_text dataset, ssa_problem *problem) {
    ssa_buffer base = {NULL, 0, 0};
    ssa_status status = ssa_key_make_dataset(&engine->names, SSA_WRITING, dataset.data, dataset.bytes, &base);
    if (status)
        return ssa_problem_names(engine, problem, status);
    ssa_request *request = ssa_single_new(engine, "append_to_list", SSA_KIND_LIST, list, SSA_WRITING, problem);
    if (request) {
        ssa_single *single = request->state;
        single->writes = 1;
        ssa_request_changes(request, 0, &single->key);
        ssa_command *command =
            ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("RPUSH"), SSA_KEY_TEXT(single->key), SSA_KEY_TEXT(base)));
        request = ssa_single_ready(request, command, 0, problem);
    }
    ssa_buffer_free(&base);
    return request;
}

static void keep_number(ssa_request *request, ssa_command *answer) {
    request->number = answer->reply.nodes[0].number;
}

ssa_request *ssa_op_list_length(ssa_engine *engine, ssa_text list, ssa_problem *problem) {
    ssa_request *request = ssa_single_new(engine, "get_list_length", SSA_KIND_LIST, list, SSA_READING, problem);
    if (!request)
        return NULL;
    ssa_single *single = request->state;
    single->finished = keep_number;
    ssa_command *command = ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("LLEN"), SSA_KEY_TEXT(single->key)));
    return ssa_single_ready(request, command, SSA_CALL_IDEMPOTENT, problem);
}

/* ---- reading */

static ssa_command *page_command(const ssa_buffer *key, uint64_t from, uint64_t end) {
    ssa_command *command = ssa_command_new(4, SSA_EXPECT_REPLY);
    if (command && !ssa_command_argument(command, "LRANGE", 6) && !ssa_command_argument(command, key->data, key->bytes) &&
        !ssa_command_number(command, from) && !ssa_command_number(command, end - 1))
        return command;
    ssa_command_free(command);
    return NULL;
}

void ssa_list_read(ssa_request *request, const ssa_buffer *key, uint64_t from, uint64_t end) {
    size_t pages = (size_t)((end - from + SSA_LIST_PAGE - 1) / SSA_LIST_PAGE);
    if (ssa_request_calls(request, pages)) {
        ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = 0; i < pages && !request->complete; i++, from += SSA_LIST_PAGE) {
        uint64_t page_end = end - from < SSA_LIST_PAGE ? end : from + SSA_LIST_PAGE;
        ssa_request_send(request, i, page_command(key, from, page_end), key->data, key->bytes, SSA_CALL_IDEMPOTENT);
    }
}

int ssa_list_next(const ssa_reply *reply, size_t *at, ssa_text *element) {
    while (++*at < reply->count) {
        const ssa_node *node = &reply->nodes[*at];
        if (node->kind != SSA_TOKEN_BULK)
            continue;
        *element = (ssa_text){node->text_bytes ? (const char *)reply->text.data + node->text_at : "", node->text_bytes};
        return 1;
    }
    return 0;
}

/* ---- the datasets that it names */

static void hand_out(ssa_request *request) {
    ssa_fetch *fetch = &((ssa_dataset_state *)request->state)->fetch;
    request->datasets = ssa_allocate(fetch->count * sizeof *request->datasets);
    if (!request->datasets) {
        ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = 0; i < fetch->count; i++) {
        request->datasets[i] = fetch->sources[i].dataset;
        fetch->sources[i].dataset = NULL;
    }
    request->dataset_count = fetch->count;
    ssa_request_succeed(request);
}

static void fail_element(ssa_request *request, ssa_text element) {
    char quoted[200];
    ssa_text_quote(quoted, sizeof quoted, element.data, element.bytes);
    ssa_request_fail(request, SSA_ETYPE, "'%s' is no list of datasets: it holds %s.", (char *)request->subject.data, quoted);
}

static void take_names(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    if (ssa_request_failed(request))
        return;
    for (size_t i = 0; i < request->call_count; i++) {
        const ssa_reply *reply = &ssa_request_answer(request, i)->reply;
        ssa_text element;
        for (size_t at = 0; ssa_list_next(reply, &at, &element);) {
            ssa_status status = ssa_fetch_add(&state->fetch, element.data, element.bytes);
            if (status == SSA_ENOMEM)
                ssa_request_fail_memory(request);
            else if (status)
                fail_element(request, element);
            if (status)
                return;
        }
    }
    state->fetch.of_list = 1;
    ssa_fetch_start(request, hand_out);
}

/* As LRANGE counts: negative ones from the end; what is not there is left out. */
static void take_length(ssa_request *request) {
    ssa_dataset_state *state = request->state;
    if (ssa_request_failed(request))
        return;
    int64_t length = ssa_request_answer(request, 0)->reply.nodes[0].number;
    int64_t from = state->from < 0 ? state->from + length : state->from, to = state->to < 0 ? state->to + length : state->to;
    if (from < 0)
        from = 0;
    if (to >= length)
        to = length - 1;
    if (from > to) {
        ssa_request_succeed(request);
        return;
    }
    request->step = take_names;
    ssa_list_read(request, &state->list, (uint64_t)from, (uint64_t)to + 1);
}

static void ask_length(ssa_request *request) {
    const ssa_buffer *key = &((ssa_dataset_state *)request->state)->list;
    request->step = take_length;
    ssa_request_calls(request, 1); /* of one call: cannot fail */
    ssa_request_send(request, 0, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("LLEN"), SSA_KEY_TEXT(*key))), key->data,
                     key->bytes, SSA_CALL_IDEMPOTENT);
}

static ssa_request *new_range(ssa_engine *engine, const char *operation, ssa_text list, int64_t from, int64_t to,
                              ssa_problem *problem) {
    ssa_request *request = ssa_dataset_request(engine, operation, SSA_KIND_LIST, list, ask_length, problem);
    if (!request)
        return NULL;
    ssa_dataset_state *state = request->state;
    state->from = from;
    state->to = to;
    ssa_status status = ssa_key_make(&engine->names, SSA_READING, SSA_KIND_LIST, list.data, list.bytes, &state->list);
    if (!status)
        return request;
    ssa_request_free(request);
    return ssa_problem_names(engine, problem, status);
}

ssa_request *ssa_op_get_datasets_from_list(ssa_engine *engine, ssa_text list, ssa_problem *problem) {
    return new_range(engine, "get_datasets_from_list", list, 0, -1, problem);
}

ssa_request *ssa_op_get_list_range(ssa_engine *engine, ssa_text list, int64_t from, int64_t to, ssa_problem *problem) {
    return new_range(engine, "get_dataset_list_range", list, from, to, problem);
}
