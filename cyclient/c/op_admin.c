#include <stdio.h>
#include <string.h>

#include "op_servers.h"

typedef struct admin_state {
    ssa_servers servers;
    int needs_cluster;
    void (*finished)(ssa_request *request); /* all servers answered: make the result and end the request */
} admin_state;

enum { FINDING = 1, ASKED };

/* The same command to each of the servers. */
static void step(ssa_request *request) {
    admin_state *state = request->state;
    const ssa_servers *servers = &state->servers;
    if (request->stage == ASKED) {
        if (!ssa_request_failed(request))
            state->finished(request);
        return;
    }
    request->stage = FINDING;
    if (ssa_servers_find(request) != SSA_OK)
        return;
    if (state->needs_cluster && request->engine->mode != SSA_MODE_CLUSTER) {
        ssa_request_fail(request, SSA_EUNSUPPORTED, "%s: %s is one server, no cluster. Use get_db_node_info.",
                         request->operation, request->engine->description);
        return;
    }
    request->stage = ASKED;
    if (ssa_request_calls(request, servers->count)) {
        ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = 0; i < servers->count && !request->complete; i++)
        ssa_request_send_to(request, i, ssa_servers_command(servers), servers->list[i], SSA_CALL_IDEMPOTENT);
}

static ssa_request *new_request(ssa_engine *engine, const char *operation, ssa_text address, const ssa_text *arguments,
                                void (*finished)(ssa_request *request), ssa_problem *problem) {
    ssa_request *request = ssa_servers_new(engine, operation, address, sizeof(admin_state), step, problem);
    if (!request)
        return NULL;
    admin_state *state = request->state;
    state->finished = finished;
    for (; arguments->data; arguments++)
        if (ssa_servers_argument(&state->servers, *arguments)) {
            ssa_request_free(request);
            return ssa_problem_memory(problem);
        }
    return request;
}

/* ---- what they say of themselves */

/* Without the "txt:" of a verbatim string. */
static ssa_text text_of(const ssa_reply *reply) {
    const ssa_node *root = reply->nodes;
    size_t skip = root->kind == SSA_TOKEN_VERBATIM && root->text_bytes >= 4 ? 4 : 0;
    return (ssa_text){(const char *)reply->text.data + root->text_at + skip, root->text_bytes - skip};
}

static void keep_texts(ssa_request *request) {
    const ssa_servers *servers = request->state;
    char name[SSA_ADDRESS_TEXT_BYTES];
    ssa_status status = ssa_reply_begin_list(&request->reply);
    for (size_t i = 0; i < servers->count && status == SSA_OK; i++) {
        size_t bytes = ssa_server_name(request->engine, servers->list[i], name, sizeof name);
        ssa_text said = text_of(&ssa_request_answer(request, i)->reply);
        status = ssa_reply_add_text(&request->reply, name, bytes);
        status = status ? status : ssa_reply_add_text(&request->reply, said.data, said.bytes);
    }
    request->number = (int64_t)servers->count;
    if (status)
        ssa_request_fail_memory(request);
    else
        ssa_request_succeed(request);
}

ssa_request *ssa_op_node_info(ssa_engine *engine, ssa_text address, ssa_problem *problem) {
    return new_request(engine, "get_db_node_info", address, SSA_TEXTS(SSA_TEXT("INFO"), SSA_TEXT("everything")),
                       keep_texts, problem);
}

ssa_request *ssa_op_cluster_info(ssa_engine *engine, ssa_text address, ssa_problem *problem) {
    ssa_request *request = new_request(engine, "get_db_cluster_info", address,
                                       SSA_TEXTS(SSA_TEXT("CLUSTER"), SSA_TEXT("INFO")), keep_texts, problem);
    if (request)
        ((admin_state *)request->state)->needs_cluster = 1;
    return request;
}

static void count_answers(ssa_request *request) {
    request->number = (int64_t)request->call_count;
    ssa_request_succeed(request);
}

ssa_request *ssa_op_ping(ssa_engine *engine, ssa_text address, ssa_problem *problem) {
    return new_request(engine, "ping", address, SSA_TEXTS(SSA_TEXT("PING")), count_answers, problem);
}

/* ---- their settings */

static void keep_settings(ssa_request *request) {
    ssa_command *answer = ssa_request_answer(request, 0);
    const ssa_servers *servers = request->state;
    if (request->call_count > 1) {
        ssa_request_fail(request, SSA_EARGUMENT,
                         "%s: %s has %zu servers, which may have different settings. Name one of them.",
                         request->operation, request->engine->description, servers->count);
        return;
    }
    const ssa_node *root = answer->reply.nodes;
    if (!root->number) {
        size_t begin = servers->ends[1];
        ssa_request_fail(request, SSA_ENOTFOUND, "%s: %s has no setting '%.*s'.", request->operation,
                         request->engine->description,
                         (int)(servers->ends[2] - begin < 200 ? servers->ends[2] - begin : 200),
                         servers->arguments.data + begin);
        return;
    }
    request->number = root->number / 2;
    request->reply = answer->reply;
    memset(&answer->reply, 0, sizeof answer->reply);
    ssa_request_succeed(request);
}

static int is_empty(ssa_text parameter, ssa_problem *problem) {
    if (parameter.bytes)
        return 0;
    ssa_mistake_word(problem->text, sizeof problem->text, "parameter", "empty",
                     "name a setting of the server, such as maxmemory");
    problem->status = SSA_EARGUMENT;
    return 1;
}

ssa_request *ssa_op_config_get(ssa_engine *engine, ssa_text parameter, ssa_text address, ssa_problem *problem) {
    if (is_empty(parameter, problem))
        return NULL;
    return new_request(engine, "config_get", address, SSA_TEXTS(SSA_TEXT("CONFIG"), SSA_TEXT("GET"), parameter),
                       keep_settings, problem);
}

ssa_request *ssa_op_config_set(ssa_engine *engine, ssa_text parameter, ssa_text value, ssa_text address,
                               ssa_problem *problem) {
    if (is_empty(parameter, problem))
        return NULL;
    ssa_text given = value.data ? value : SSA_TEXT("");
    return new_request(engine, "config_set", address, SSA_TEXTS(SSA_TEXT("CONFIG"), SSA_TEXT("SET"), parameter, given),
                       count_answers, problem);
}
