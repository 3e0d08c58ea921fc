#include "op_servers.h"

#include <stdio.h>
#include <string.h>

#include "allocator.h"
#include "text_begins.h"

static void end(ssa_request *request) {
    ssa_servers_end(request->state);
    ssa_release(request->state);
}

void ssa_servers_end(ssa_servers *servers) {
    ssa_release(servers->list);
    ssa_buffer_free(&servers->arguments);
}

static ssa_status parse(ssa_servers *servers, const char *operation, ssa_text text, ssa_problem *problem) {
    ssa_address_refusal why;
    if (!text.bytes)
        return SSA_OK;
    servers->is_one = 1;
    if (ssa_address_parse(&servers->address, text.data, text.bytes, &why) == SSA_OK)
        return SSA_OK;
    char thing[80];
    snprintf(thing, sizeof thing, "the address of %s", operation);
    ssa_mistake_value(problem->text, sizeof problem->text, thing, why.text, why.bytes, why.remedy);
    return problem->status = SSA_EARGUMENT;
}

ssa_request *ssa_servers_new(ssa_engine *engine, const char *operation, ssa_text address, size_t bytes,
                             void (*step)(ssa_request *request), ssa_problem *problem) {
    ssa_servers *servers = ssa_allocate(bytes);
    if (!servers)
        return ssa_problem_memory(problem);
    memset(servers, 0, bytes);
    if (parse(servers, operation, address, problem)) {
        ssa_release(servers);
        return NULL;
    }
    ssa_text subject = address.bytes ? address : SSA_TEXT(""); /* all */
    ssa_request *request = ssa_request_new(engine, operation, SSA_KIND_KEY, subject.data, subject.bytes, step);
    if (!request) {
        ssa_release(servers);
        return ssa_problem_memory(problem);
    }
    request->state = servers;
    request->end = end;
    return request;
}

/* ---- who they are */

size_t ssa_server_name(const ssa_engine *engine, const ssa_server *server, char *text, size_t room) {
    const ssa_link *link = &server->links[0];
    if (engine->mode == SSA_MODE_CLUSTER || !*link->address_text) /* of a shard on this host the last is TCP's */
        return ssa_address_format(&server->addresses[server->address_count - 1], text, room);
    size_t bytes = strlen(link->address_text);
    bytes = bytes < room ? bytes : room - 1;
    memcpy(text, link->address_text, bytes);
    text[bytes] = 0;
    return bytes;
}

/* The way into a cluster has the addresses of several servers: it is none itself, and leads to whichever it is connected to.
 * Others have one address, and on this host a socket in front of it. */
static int is_server(const ssa_engine *engine, const ssa_server *server) {
    const ssa_address *addresses = server->addresses;
    if (engine->mode == SSA_MODE_STANDALONE || server->owns)
        return 1;
    return server->address_count == 1 || (server->address_count == 2 && *addresses[0].path && !*addresses[1].path);
}

static int listens_at(const ssa_engine *engine, const ssa_server *server, const ssa_address *address) {
    const ssa_link *link = &server->links[0];
    if (!is_server(engine, server))
        return link->state == SSA_LINK_OPEN && ssa_address_equal(&link->address, address);
    for (size_t i = 0; i < server->address_count; i++)
        if (ssa_address_equal(&server->addresses[i], address))
            return 1;
    return 0;
}

static ssa_server *server_at(const ssa_engine *engine, const ssa_address *address) {
    for (int owns = 1; owns >= 0; owns--)
        for (ssa_server *server = engine->servers; server; server = server->next)
            if (server->owns == owns && listens_at(engine, server, address))
                return server;
    return NULL;
}

static void fail_unknown(ssa_request *request) {
    const ssa_engine *engine = request->engine;
    char known[600] = "", one[SSA_ADDRESS_TEXT_BYTES];
    size_t length = 0;
    for (const ssa_server *server = engine->servers; server && length < sizeof known - 8; server = server->next) {
        if (!is_server(engine, server))
            continue;
        ssa_server_name(engine, server, one, sizeof one);
        int fits = length + strlen(one) + 8 < sizeof known;
        length +=
            (size_t)snprintf(known + length, sizeof known - length, "%s%s", length ? ", " : "", fits ? one : "...");
        if (!fits)
            break;
    }
    ssa_request_fail(request, SSA_EARGUMENT, "%s: '%s' is no server of this store. Its servers are: %s.",
                     request->operation, (char *)request->subject.data, known);
}

static ssa_status list_owners(ssa_engine *engine, ssa_servers *servers) {
    size_t count = 0;
    for (ssa_server *server = NULL; (server = ssa_engine_next_owner(engine, server));)
        count++;
    servers->list = ssa_allocate((count + 1) * sizeof *servers->list);
    if (!servers->list)
        return SSA_ENOMEM;
    for (ssa_server *server = NULL; (server = ssa_engine_next_owner(engine, server));)
        servers->list[servers->count++] = server;
    return SSA_OK;
}

ssa_status ssa_servers_find(ssa_request *request) {
    ssa_engine *engine = request->engine;
    ssa_servers *servers = request->state;
    if (request->call_count && ssa_request_failed(request))
        return request->status;
    if (!ssa_engine_knows_topology(engine)) {
        ssa_request_calls(request, 1); /* of one call: cannot fail */
        ssa_request_send(request, 0, ssa_command_of(SSA_EXPECT_REPLY, SSA_TEXTS(SSA_TEXT("PING"))), "", 0,
                         SSA_CALL_IDEMPOTENT);
        return request->complete ? request->status : SSA_MORE;
    }
    ssa_release(servers->list);
    servers->list = NULL;
    servers->count = 0;
    if (!servers->is_one) {
        if (list_owners(engine, servers))
            ssa_request_fail_memory(request);
        else if (!servers->count)
            ssa_request_fail(request, SSA_ETOPOLOGY, "%s: no server of %s owns any slots.", request->operation,
                             engine->description);
        return request->status;
    }
    servers->list = ssa_allocate(sizeof *servers->list);
    if (!servers->list) {
        ssa_request_fail_memory(request);
        return request->status;
    }
    servers->list[0] = server_at(engine, &servers->address);
    servers->count = servers->list[0] != NULL;
    if (!servers->count)
        fail_unknown(request);
    return request->status;
}

/* ---- one command to each */

ssa_status ssa_servers_argument(ssa_servers *servers, ssa_text argument) {
    if (ssa_buffer_append(&servers->arguments, argument.data, argument.bytes))
        return SSA_ENOMEM;
    servers->ends[servers->argument_count++] = servers->arguments.bytes;
    return SSA_OK;
}

ssa_command *ssa_servers_command(const ssa_servers *servers) {
    ssa_command *command = ssa_command_new(servers->argument_count, SSA_EXPECT_REPLY);
    size_t at = 0;
    for (size_t i = 0; command && i < servers->argument_count; at = servers->ends[i++])
        if (ssa_command_argument(command, servers->arguments.data + at, servers->ends[i] - at)) {
            ssa_command_free(command);
            return NULL;
        }
    return command;
}
