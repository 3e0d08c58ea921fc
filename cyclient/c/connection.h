/* One connection to a shard or to a worker: commands out, replies in, on a socket that somebody else opened.
 *
 * One state machine for both faces. It never waits: ssa_connection_send and ssa_connection_receive do what the socket
 * allows now; asyncio calls them when its loop says so, the blocking face around poll (blocking.h). Bodies of tensors
 * are read straight into their memory, loans are written straight from the caller's.
 *
 * A shard's replies come in the order of the commands; a worker's carry the id of the request (ssa_connection_match_by_id).
 * A command whose caller has gone keeps its place: its reply is read and thrown away. */
#ifndef SSA_CONNECTION_H
#define SSA_CONNECTION_H

#include "command.h"
#include "tls.h"

typedef struct ssa_connection ssa_connection;

typedef struct ssa_connection_statistics {
    uint64_t commands, replies, pushes, bytes_sent, bytes_received, send_calls, receive_calls;
} ssa_connection_statistics;

/* Takes the descriptor (a stream socket) but not its closing. NULL: no memory. */
ssa_connection *ssa_connection_new(int descriptor, ssa_reader_limits limits);
/* Frees also all commands that are still in it. */
void ssa_connection_free(ssa_connection *connection);

/* Large tensors come in memory of this cache, which must outlive the connection. */
void ssa_connection_use_memory(ssa_connection *connection, ssa_memory_cache *cache);

/* Everything goes through this session, which the connection owns from now on. Before the first command. */
void ssa_connection_use_tls(ssa_connection *connection, ssa_tls *tls);
ssa_tls *ssa_connection_tls(const ssa_connection *connection); /* NULL: none. Borrowed */

/* From now on replies are matched by the id they begin with. Nothing may be unanswered. */
void ssa_connection_match_by_id(ssa_connection *connection);

/* Queue a command; the connection owns it until it is taken back by ssa_connection_next_complete. */
void ssa_connection_queue(ssa_connection *connection, ssa_command *command);

/* Write what the socket takes. SSA_OK: nothing left; SSA_MORE: the socket is full; SSA_ECLOSED, SSA_ESYSTEM: broken. */
ssa_status ssa_connection_send(ssa_connection *connection);

/* Read what the socket has. SSA_MORE: it has no more now; SSA_ECLOSED: the other side closed; others: broken.
 * Bounded: reads at most about 1 MiB of small replies a call, and any amount of one large body while it is there (with
 * TLS, where taking it lasts longer than sending it, a few MiB). */
ssa_status ssa_connection_receive(ssa_connection *connection);

/* Whoever says that the descriptor is ready says only once that it was reset, perhaps while there is something left to read:
 * from now on it is read until it has nothing more to say, with one call more than it takes to empty it. */
void ssa_connection_read_to_end(ssa_connection *connection);
/* Whether its reset waits behind what is still to be read. */
int ssa_descriptor_is_reset(int descriptor);

/* The descriptor is blocking, and has an SO_SNDTIMEO and SO_RCVTIMEO. */
void ssa_connection_set_blocking(ssa_connection *connection);
int ssa_connection_blocks(const ssa_connection *connection);

/* As above on a blocking descriptor, for those who have nothing else to do: wait for room or for the first bytes. Sends a
 * few MiB a call. *interrupted: a signal came, or the time of a send was over: look at signals and deadline. */
ssa_status ssa_connection_send_waiting(ssa_connection *connection, int *interrupted);
ssa_status ssa_connection_receive_waiting(ssa_connection *connection, int *interrupted);

/* The caller of this command has gone: take its memory back, drop it when no byte of it was sent, else let its reply
 * come and go. The command belongs to the connection from now on (it may be gone when this returns).
 * SSA_ENOMEM: the connection must be failed at once, it still borrows. */
ssa_status ssa_connection_abandon(ssa_connection *connection, ssa_command *command);

/* The reply of this command, which is in the queue, is of no interest: it is freed when it has come. */
void ssa_connection_ignore_reply(ssa_connection *connection, ssa_command *command);

/* Complete all that is unanswered with this status and text: SSA_ECLOSED after the socket died. Borrows nothing after. */
void ssa_connection_fail(ssa_connection *connection, ssa_status status, const char *text);

/* The next complete command (ownership passes to the caller, who frees it), or NULL. */
ssa_command *ssa_connection_next_complete(ssa_connection *connection);

/* The next push (invalidate, alive) as a reply that the caller frees; 0 when there is none. */
int ssa_connection_next_push(ssa_connection *connection, ssa_reply *push);

/* Whether one that conflicts with this command, which is elsewhere, is unanswered; abandoned ones too. */
int ssa_connection_conflicts(const ssa_connection *connection, const ssa_command *command);
/* The same of those with a lower number and an earlier epoch; only_again: and of them those that will be repeated. */
int ssa_connection_has_unsettled(const ssa_connection *connection, const ssa_command *command, uint64_t epoch, int only_again);
/* Whether any command of an earlier epoch is unanswered. */
int ssa_connection_has_older(const ssa_connection *connection, uint64_t epoch);
/* Set `again` in those with a higher number that conflict with this command, but for the abandoned: in those too that are
 * complete, and not taken back yet. */
void ssa_connection_mark_again(ssa_connection *connection, const ssa_command *command);

int ssa_connection_descriptor(const ssa_connection *connection);
size_t ssa_connection_unanswered(const ssa_connection *connection); /* queued or sent, not complete; abandoned included */
int ssa_connection_wants_write(const ssa_connection *connection);
const char *ssa_connection_error(const ssa_connection *connection);
/* What came, and is no RESP, begins as an alert of TLS does. */
int ssa_connection_was_alerted(const ssa_connection *connection);
ssa_connection_statistics ssa_connection_statistics_now(const ssa_connection *connection);

#endif
