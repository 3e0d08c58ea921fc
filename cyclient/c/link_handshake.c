#include "link_handshake.h"

#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "allocator.h"
#include "engine.h"
#include "sha256.h"
#include "worker_proof.h"

/* Of a shard's handshake. */
enum { HELLO = 1, TRACKING, MYID };
/* Of a worker's. */
enum { CHALLENGE = 1, PROOF };

#define ARGUMENT(command, text) ssa_command_argument(command, text, sizeof text - 1)

static void refused(ssa_link *link, const char *text, const char *remedy, int final) {
    char reason[512];
    size_t bytes = strlen(text);
    while (bytes && text[bytes - 1] == '.') /* the sentence has one of its own */
        bytes--;
    snprintf(reason, sizeof reason, "%.*s%s%s", (int)bytes, text, *remedy ? ". " : "", remedy);
    ssa_link_refused(link, reason, final);
}

static void send_step(ssa_link *link, ssa_command *command, ssa_status encoded) {
    if (!command || encoded) {
        ssa_command_free(command);
        refused(link, "no memory for the handshake", "", 0);
        return;
    }
    link->step.command = command;
    link->step_number++;
    ssa_link_queue(link, &link->step);
}

/* ---- shards */

static void send_hello(ssa_link *link) {
    const ssa_settings *settings = &link->engine->settings;
    ssa_command *command = ssa_command_new(settings->password ? 5 : 2, SSA_EXPECT_REPLY);
    ssa_status status = SSA_ENOMEM;
    if (command) {
        status = ARGUMENT(command, "HELLO") || ARGUMENT(command, "3") ? SSA_ENOMEM : SSA_OK;
        if (settings->password)
            status = status || ARGUMENT(command, "AUTH") ||
                             ssa_command_argument(command, settings->user, strlen(settings->user)) ||
                             ssa_command_argument(command, settings->password, strlen(settings->password))
                         ? SSA_ENOMEM : SSA_OK;
    }
    send_step(link, command, status);
}

static void send_tracking(ssa_link *link) {
    ssa_command *command = ssa_command_new(4, SSA_EXPECT_REPLY);
    send_step(link, command, !command || ARGUMENT(command, "CLIENT") || ARGUMENT(command, "TRACKING") ||
                                 ARGUMENT(command, "ON") || ARGUMENT(command, "OPTIN") ? SSA_ENOMEM : SSA_OK);
}

static void send_myid(ssa_link *link) {
    ssa_command *command = ssa_command_new(2, SSA_EXPECT_REPLY);
    send_step(link, command, !command || ARGUMENT(command, "CLUSTER") || ARGUMENT(command, "MYID") ? SSA_ENOMEM : SSA_OK);
}

static void shard_refused(ssa_link *link, const ssa_command *command) {
    static const struct { const char *code, *remedy; int final; } known[] = {
        {"WRONGPASS", "Check SSDB_USER and SSDB_PASSWORD.", 1},
        {"NOAUTH", "The store asks for a password: set SSDB_USER and SSDB_PASSWORD.", 1},
        {"NOPERM", "The user of this client may not do that.", 1},
        {"NOPROTO", "The server speaks no RESP3: use Redis 6 or later, or Valkey.", 1},
    };
    const char *text = command->error.bytes ? (const char *)command->error.data : "";
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (command->error.bytes >= strlen(known[i].code) && !memcmp(text, known[i].code, strlen(known[i].code))) {
            char copy[300];
            snprintf(copy, sizeof copy, "%.*s", (int)command->error.bytes, text);
            refused(link, copy, known[i].remedy, known[i].final);
            return;
        }
    char copy[300];
    snprintf(copy, sizeof copy, "%.*s", (int)command->error.bytes, text);
    refused(link, copy, "", 0);
}

static int node_is(const ssa_reply *reply, const ssa_node *node, const char *text) {
    return node->text_bytes == strlen(text) && !memcmp(reply->text.data + node->text_at, text, node->text_bytes);
}

/* The mode in HELLO's map: "standalone", "cluster" or "sentinel". */
static ssa_server_mode mode_in(const ssa_reply *reply) {
    for (size_t i = 1; i + 1 < reply->count; i++) {
        if (node_is(reply, &reply->nodes[i], "mode"))
            return node_is(reply, &reply->nodes[i + 1], "cluster") ? SSA_MODE_CLUSTER : SSA_MODE_STANDALONE;
    }
    return SSA_MODE_STANDALONE;
}

static void keep_id(ssa_link *link, const ssa_reply *reply) {
    const ssa_node *root = &reply->nodes[0];
    if (reply->count && root->kind == SSA_TOKEN_BULK && root->text_bytes < sizeof link->server->id) {
        memcpy(link->server->id, reply->text.data + root->text_at, root->text_bytes);
        link->server->id[root->text_bytes] = 0;
    }
}

static void refused_mode(ssa_link *link, ssa_server_mode mode) {
    int is_cluster = mode == SSA_MODE_CLUSTER;
    ssa_server_mode expected = link->engine->settings.expected_mode;
    const char *remedy = "Another server of this store is of the other kind: give addresses of one store only.";
    if (expected != SSA_MODE_ANY && expected != mode)
        remedy = is_cluster ? "SR_DB_TYPE says Standalone: unset it, or give the address of a single server."
                            : "SR_DB_TYPE says Clustered: unset it, or give the address of a cluster.";
    refused(link, is_cluster ? "it is a cluster" : "it is one server, no cluster", remedy, 1);
}

static void shard_next(ssa_link *link, ssa_command *answer) {
    if (answer && answer->status != SSA_OK && link->step_number != MYID) {
        shard_refused(link, answer);
        return;
    }
    int commands_lane = link == &link->server->links[0];
    switch (link->step_number) {
    case 0:
        send_hello(link);
        return;
    case HELLO:
        if (!ssa_engine_learn_mode(link->engine, mode_in(&answer->reply))) {
            refused_mode(link, mode_in(&answer->reply));
            return;
        }
        send_tracking(link); /* on both lanes: a question about a key that is in flight on the other follows it there */
        return;
    case TRACKING:
        if (commands_lane && link->engine->mode == SSA_MODE_CLUSTER) {
            send_myid(link);
            return;
        }
        break;
    case MYID: /* a server that does not tell its id is known by its address */
        if (answer->status == SSA_OK)
            keep_id(link, &answer->reply);
        break;
    }
    ssa_link_opened(link);
}

/* ---- workers */

static void send_challenge(ssa_link *link) {
    ssa_command *command = ssa_command_new(4, SSA_EXPECT_REPLY);
    ssa_status status = SSA_ENOMEM;
    if (command && !getentropy(link->nonce, sizeof link->nonce))
        status = ARGUMENT(command, "SSA.HELLO") || ARGUMENT(command, "1") ||
                         ssa_command_argument(command, link->worker->id, strlen(link->worker->id)) ||
                         ssa_command_argument(command, link->nonce, sizeof link->nonce)
                     ? SSA_ENOMEM : SSA_OK;
    send_step(link, command, status);
}

static void send_proof(ssa_link *link, const ssa_reply *reply) {
    const char *secret = link->engine->settings.password ? link->engine->settings.password : "";
    const char *id = link->worker->id;
    unsigned char proof[SSA_SHA256_BYTES];
    const ssa_node *node = reply->nodes;
    if (reply->count != 5 || node[0].kind != SSA_TOKEN_ARRAY || !node_is(reply, &node[1], "SSA.CHALLENGE") ||
        !node_is(reply, &node[2], id) || node[3].text_bytes != sizeof link->nonce || node[4].text_bytes != sizeof proof) {
        refused(link, "it does not speak our protocol", "It is not one of ours.", 0);
        return;
    }
    const unsigned char *theirs = reply->text.data + node[3].text_at;
    ssa_worker_proof(SSA_ROLE_WORKER, secret, strlen(secret), id, strlen(id), link->nonce, theirs, proof);
    if (!ssa_proof_equal(proof, reply->text.data + node[4].text_at)) {
        refused(link, "it does not know the secret", "It is not one of ours.", 0);
        return;
    }
    ssa_worker_proof(SSA_ROLE_CLIENT, secret, strlen(secret), id, strlen(id), link->nonce, theirs, proof);
    ssa_command *command = ssa_command_new(2, SSA_EXPECT_REPLY);
    send_step(link, command, !command || ARGUMENT(command, "SSA.PROOF") ||
                                 ssa_command_argument(command, proof, sizeof proof) ? SSA_ENOMEM : SSA_OK);
}

static void worker_next(ssa_link *link, ssa_command *answer) {
    if (answer && answer->status != SSA_OK) {
        char text[200];
        snprintf(text, sizeof text, "%.*s", (int)answer->error.bytes, answer->error.bytes ? (const char *)answer->error.data : "");
        refused(link, text, link->step_number == PROOF ? "Check SSDB_PASSWORD." : "The list of workers is read again.",
                link->step_number == PROOF);
        return;
    }
    switch (link->step_number) {
    case 0:
        send_challenge(link);
        return;
    case CHALLENGE:
        send_proof(link, &answer->reply);
        return;
    default:
        ssa_connection_match_by_id(link->connection);
        ssa_link_opened(link);
    }
}

void ssa_handshake_next(ssa_link *link, ssa_call *answered) {
    ssa_command *answer = answered ? answered->command : NULL;
    link->step.command = NULL;
    if (answer && answer->status == SSA_ECLOSED) {
        ssa_command_free(answer); /* the link fails with the reason of the connection */
        return;
    }
    if (link->worker)
        worker_next(link, answer);
    else
        shard_next(link, answer);
    ssa_command_free(answer);
}

/* ---- a server that speaks TLS, while we do not */

static int waits_for_first_answer(const ssa_link *link) {
    return link->server && link->state == SSA_LINK_HANDSHAKE && link->step_number == HELLO && !ssa_connection_tls(link->connection) &&
           !*link->address.path;
}

int ssa_handshake_met_tls(const ssa_link *link) {
    return waits_for_first_answer(link) && ssa_connection_was_alerted(link->connection);
}

const char *ssa_handshake_question(const ssa_link *link) {
    int is_mute = waits_for_first_answer(link) && !link->ever_open && !ssa_connection_statistics_now(link->connection).bytes_received;
    return is_mute ? ". Does it speak TLS (SSA_TLS=1, or tls=True)?" : "";
}
