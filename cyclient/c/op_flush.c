/* Deleting all keys that are not ours: pages of SCAN on every server, and UNLINK of what they name. FLUSHALL would take
 * the models and the list of workers too. */
#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "chunks.h"
#include "op_servers.h"

#define PAGE "1000" /* keys a server looks at for one page: what is in flight at a time is a page a server */
#define LOOK INT64_C(200000000)        /* between two looks whether the servers being scanned still own slots */
#define CURSOR_BYTES 24

static const char ours[] = "{ssa:";

typedef struct scan {
    char cursor[CURSOR_BYTES];
    int is_over;
    ssa_reply page;      /* the answer to SCAN whose keys are to be deleted */
} scan;

typedef struct flush_state {
    ssa_servers servers;
    ssa_buffer prefix;   /* with its dot; "" : none */
    ssa_buffer pattern;  /* for MATCH: the prefix with its special characters quoted, between stars: keys of chunks begin with a brace */
    scan *scans;         /* of each server */
    size_t scan_count;
    uint64_t epoch;      /* of the engine, when this pass began */
    int64_t until;       /* the caller's deadline; SSA_NEVER */
} flush_state;

enum { FINDING = 1, SCANNING, DELETING };

static void drop_scans(flush_state *state) {
    for (size_t i = 0; i < state->scan_count; i++)
        ssa_reply_free(&state->scans[i].page);
    ssa_release(state->scans);
    state->scans = NULL;
    state->scan_count = 0;
}

/* ---- pages */

static ssa_command *scan_command(const flush_state *state, const scan *scan) {
    ssa_text cursor = {scan->cursor, strlen(scan->cursor)};
    if (!state->pattern.bytes)
        return ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("SCAN"), cursor, SSA_TEXT("COUNT"), SSA_TEXT(PAGE)));
    return ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("SCAN"), cursor, SSA_TEXT("MATCH"),
                                                      SSA_KEY_TEXT(state->pattern), SSA_TEXT("COUNT"), SSA_TEXT(PAGE)));
}

static void send_scans(ssa_request *request) {
    flush_state *state = request->state;
    size_t open = 0, call = 0;
    for (size_t i = 0; i < state->scan_count; i++)
        open += !state->scans[i].is_over;
    request->stage = SCANNING;
    if (ssa_request_calls(request, open)) {
        ssa_request_fail_memory(request);
        return;
    }
    /* Behind all that this client has on its way: that is to be deleted too. */
    for (size_t i = 0; i < state->scan_count && !request->complete; i++)
        if (!state->scans[i].is_over)
            ssa_request_send_to(request, call++, scan_command(state, &state->scans[i]), state->servers.list[i],
                                SSA_CALL_IDEMPOTENT | SSA_CALL_FENCE);
}

static void begin_pass(ssa_request *request) {
    flush_state *state = request->state;
    drop_scans(state);
    request->stage = FINDING;
    if (ssa_servers_find(request) != SSA_OK)
        return;
    state->scans = ssa_allocate(state->servers.count * sizeof *state->scans);
    if (!state->scans) {
        ssa_request_fail_memory(request);
        return;
    }
    memset(state->scans, 0, state->servers.count * sizeof *state->scans);
    state->scan_count = state->servers.count;
    for (size_t i = 0; i < state->scan_count; i++)
        state->scans[i].cursor[0] = '0';
    state->epoch = request->engine->epoch;
    send_scans(request);
}

/* *2 cursor *n key... ; 0: the request has ended. */
static int take_page(ssa_request *request, scan *scan, ssa_command *answer) {
    const ssa_reply *reply = &answer->reply;
    const ssa_node *node = reply->nodes;
    if (reply->count < 3 || node[1].kind != SSA_TOKEN_BULK || node[1].text_bytes >= CURSOR_BYTES ||
        node[2].kind != SSA_TOKEN_ARRAY) {
        ssa_request_fail(request, SSA_EPROTOCOL, "%s: a server answered SCAN with something else.", request->operation);
        return 0;
    }
    memcpy(scan->cursor, reply->text.data + node[1].text_at, node[1].text_bytes);
    scan->cursor[node[1].text_bytes] = 0;
    scan->is_over = !strcmp(scan->cursor, "0");
    scan->page = answer->reply;
    memset(&answer->reply, 0, sizeof answer->reply);
    return 1;
}

/* ---- keys */

static int is_to_go(const flush_state *state, const ssa_reply *page, const ssa_node *node) {
    const unsigned char *key = page->text.data + node->text_at;
    if (node->kind != SSA_TOKEN_BULK || (node->text_bytes >= sizeof ours - 1 && !memcmp(key, ours, sizeof ours - 1)))
        return 0;
    size_t end = ssa_chunk_key_end(key, node->text_bytes), begin = end ? 1 : 0;
    size_t bytes = end ? end - begin : node->text_bytes;
    return bytes >= state->prefix.bytes && (!state->prefix.bytes || !memcmp(key + begin, state->prefix.data, state->prefix.bytes));
}

static size_t keys_to_go(const flush_state *state, const ssa_reply *page) {
    size_t count = 0;
    for (size_t i = 3; i < page->count; i++)
        count += (size_t)is_to_go(state, page, &page->nodes[i]);
    return count;
}

/* UNLINK of up to `most` keys from node *at on. */
static ssa_command *unlink_command(const flush_state *state, const ssa_reply *page, size_t *at, size_t most,
                                   const ssa_node **first) {
    ssa_command *command = ssa_command_new(1 + most, SSA_EXPECT_REPLY);
    ssa_status status = command ? ssa_command_argument(command, "UNLINK", 6) : SSA_ENOMEM;
    for (*first = NULL; most && !status; ++*at) {
        const ssa_node *node = &page->nodes[*at];
        if (!is_to_go(state, page, node))
            continue;
        *first = *first ? *first : node;
        status = ssa_command_argument(command, page->text.data + node->text_at, node->text_bytes);
        most--;
    }
    if (!status)
        return command;
    ssa_command_free(command);
    return NULL;
}

/* One command a page; in a cluster one a key: a page has keys of many slots, and some may be on the move. */
static size_t send_unlinks(ssa_request *request, const ssa_reply *page, size_t call) {
    const flush_state *state = request->state;
    size_t count = keys_to_go(state, page), at = 3;
    int is_cluster = request->engine->mode == SSA_MODE_CLUSTER;
    for (size_t sent = 0; sent < count && !request->complete; sent += is_cluster ? 1 : count) {
        const ssa_node *first;
        ssa_command *command = unlink_command(state, page, &at, is_cluster ? 1 : count, &first);
        const void *key = first ? page->text.data + first->text_at : NULL;
        ssa_request_send(request, call++, command, key, first ? first->text_bytes : 0,
                         SSA_CALL_IDEMPOTENT | (is_cluster ? 0 : SSA_CALL_FENCE));
    }
    return call;
}

static void delete_pages(ssa_request *request) {
    flush_state *state = request->state;
    size_t calls = 0, call = 0;
    for (size_t i = 0; i < state->scan_count; i++) {
        size_t keys = keys_to_go(state, &state->scans[i].page);
        calls += request->engine->mode == SSA_MODE_CLUSTER ? keys : keys > 0;
    }
    request->stage = DELETING;
    if (!calls) {
        ssa_request_calls(request, 0);
        request->step(request);
        return;
    }
    if (ssa_request_calls(request, calls)) {
        ssa_request_fail_memory(request);
        return;
    }
    for (size_t i = 0; i < state->scan_count && !request->complete; i++)
        call = send_unlinks(request, &state->scans[i].page, call);
}

/* ---- the passes */

static void take_pages(ssa_request *request) {
    flush_state *state = request->state;
    if (ssa_request_failed(request))
        return;
    for (size_t i = 0, call = 0; i < state->scan_count; i++)
        if (!state->scans[i].is_over && !take_page(request, &state->scans[i], ssa_request_answer(request, call++)))
            return;
    delete_pages(request);
}

static void take_numbers(ssa_request *request) {
    flush_state *state = request->state;
    int is_over = 1;
    if (ssa_request_failed(request))
        return;
    for (size_t i = 0; i < request->call_count; i++)
        request->number += ssa_request_answer(request, i)->reply.nodes[0].number;
    for (size_t i = 0; i < state->scan_count; i++) {
        ssa_reply_free(&state->scans[i].page);
        is_over = is_over && state->scans[i].is_over;
    }
    if (!is_over)
        send_scans(request);
    else if (state->epoch != request->engine->epoch)
        begin_pass(request); /* slots moved meanwhile, perhaps from behind a cursor to before one */
    else
        ssa_request_succeed(request);
}

static void step(ssa_request *request) {
    flush_state *state = request->state;
    switch (request->stage) {
    case SCANNING:
        take_pages(request);
        return;
    case DELETING:
        take_numbers(request);
        return;
    case 0:
        state->until = request->deadline.place ? request->deadline.at : SSA_NEVER;
        ssa_engine_arm(request->engine, &request->deadline, request->engine->now); /* for the looks */
        begin_pass(request);
        return;
    default:
        begin_pass(request);
    }
}

/* A question to a server that has lost its slots may never be answered: it is dead, or has another task now. */
static int asks_in_vain(const ssa_request *request) {
    const flush_state *state = request->state;
    for (size_t i = 0; i < state->scan_count && request->stage == SCANNING; i++)
        if (!state->scans[i].is_over && !state->servers.list[i]->owns)
            return 1;
    return 0;
}

static void overdue(ssa_request *request) {
    const flush_state *state = request->state;
    ssa_engine *engine = request->engine;
    int64_t next = engine->now + LOOK;
    if (engine->now >= state->until) {
        ssa_request_time_out(request);
        return;
    }
    ssa_engine_arm(engine, &request->deadline, state->until < next ? state->until : next);
    if (!asks_in_vain(request))
        return;
    for (size_t i = 0; i < request->call_count; i++)
        ssa_engine_abandon(engine, &request->calls[i]);
    request->outstanding = 0;
    ssa_request_calls(request, 0);
    begin_pass(request);
}

static void end(ssa_request *request) {
    flush_state *state = request->state;
    drop_scans(state);
    ssa_buffer_free(&state->prefix);
    ssa_buffer_free(&state->pattern);
    ssa_servers_end(&state->servers);
    ssa_release(state);
}

/* ---- making one */

static ssa_status make_pattern(flush_state *state, ssa_text prefix) {
    if (ssa_buffer_append(&state->prefix, prefix.data, prefix.bytes) || ssa_buffer_append(&state->prefix, ".", 1))
        return SSA_ENOMEM;
    if (ssa_buffer_append(&state->pattern, "*", 1))
        return SSA_ENOMEM;
    for (size_t i = 0; i < state->prefix.bytes; i++) {
        const char c = (char)state->prefix.data[i];
        if ((strchr("*?[]^\\", c) && ssa_buffer_append(&state->pattern, "\\", 1)) ||
            ssa_buffer_append(&state->pattern, &c, 1))
            return SSA_ENOMEM;
    }
    return ssa_buffer_append(&state->pattern, "*", 1);
}

static ssa_status check_owner(const ssa_engine *engine, ssa_problem *problem) {
    if (engine->settings.owned || !strcmp(engine->settings.user, "admin"))
        return SSA_OK;
    snprintf(problem->text, sizeof problem->text,
             "flush_db: %.200s was not started by the experiment of this program (SSDB_OWNED), "
             "and user '%.60s' may not empty a store of others. Delete keys by name, or connect as the user 'admin'.",
             engine->description, engine->settings.user);
    return problem->status = SSA_EPERMISSION;
}

ssa_request *ssa_op_flush(ssa_engine *engine, ssa_text prefix, ssa_problem *problem) {
    if (check_owner(engine, problem))
        return NULL;
    if (prefix.bytes && ssa_name_check("prefix", prefix.data, prefix.bytes, problem->text, sizeof problem->text)) {
        problem->status = SSA_EARGUMENT;
        return NULL;
    }
    ssa_request *request = ssa_servers_new(engine, "flush_db", SSA_TEXT(""), sizeof(flush_state), step, problem);
    if (!request)
        return NULL;
    request->end = end;
    request->overdue = overdue;
    request->changes[0] = SSA_ALL_KEYS;
    if (prefix.bytes && make_pattern(request->state, prefix)) {
        ssa_request_free(request);
        return ssa_problem_memory(problem);
    }
    return request;
}
