/* Operations that are about servers, not about keys: which ones an address means, one command to each of them, and
 * texts that name them. The state of such a request begins with an ssa_servers. */
#ifndef SSA_OP_SERVERS_H
#define SSA_OP_SERVERS_H

#include "op_build.h"

#define SSA_SERVER_ARGUMENTS 4

typedef struct ssa_servers {
    ssa_address address;    /* of the one that is meant */
    int is_one;             /* 0: all that own slots */
    ssa_server **list;      /* once found */
    size_t count;
    ssa_buffer arguments;   /* of the command, one behind the other */
    size_t ends[SSA_SERVER_ARGUMENTS], argument_count;
} ssa_servers;

/* A request whose state has room for `bytes` bytes, zeroed, with an ssa_servers in front. address: "" for all servers.
 * NULL: *problem says why. */
ssa_request *ssa_servers_new(ssa_engine *engine, const char *operation, ssa_text address, size_t bytes,
                             void (*step)(ssa_request *request), ssa_problem *problem);
/* What is in front of the state; for request->end. */
void ssa_servers_end(ssa_servers *servers);

/* Which servers they are. SSA_OK: the list is there; SSA_MORE: a call is under way to learn who the servers are, the
 * request is stepped again; else the request has ended. */
ssa_status ssa_servers_find(ssa_request *request);

/* Keep an argument for ssa_servers_command. SSA_ENOMEM. */
ssa_status ssa_servers_argument(ssa_servers *servers, ssa_text argument);
/* The command of all arguments that were kept; NULL: no memory. */
ssa_command *ssa_servers_command(const ssa_servers *servers);

/* The address by which a server is named in results and texts, with NUL; returns its length. */
size_t ssa_server_name(const ssa_engine *engine, const ssa_server *server, char *text, size_t room);

#endif
